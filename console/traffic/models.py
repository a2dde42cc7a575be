"""Services that answer under one address, and the endpoints that carry them."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from console.fleet.models import Host

WHOLE_PERCENT = 100


class Service(models.Model):
    """One address for many servers; without an address, a pool that other services' routes lead to.

    settings: the document of console.engines.target.settings. tier: what its servers are in the chain from names to
    databases; it says where people look for the service, and changes nothing of its traffic.
    """

    class Protocol(models.TextChoices):
        HTTP = "http"
        TCP = "tcp"
        UDP = "udp"

    class Tier(models.TextChoices):
        WEB = "web"
        APPLICATION = "application"
        CACHE = "cache"
        DATABASE = "database"
        OTHER = "other"

    name = models.CharField(max_length=63, unique=True)
    protocol = models.CharField(max_length=8, choices=Protocol.choices)
    listen_address = models.GenericIPAddressField(null=True, blank=True)
    listen_port = models.PositiveIntegerField(null=True, blank=True)
    settings = models.JSONField(default=dict, blank=True)
    tier = models.CharField(max_length=16, choices=Tier.choices, default=Tier.OTHER)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        # Two at once: the engine could have only one of them.
        constraints = [
            models.UniqueConstraint(
                fields=["listen_address", "listen_port"],
                condition=~Q(protocol="udp"),
                name="listener_once_tcp",
            ),
            models.UniqueConstraint(
                fields=["listen_address", "listen_port"],
                condition=Q(protocol="udp"),
                name="listener_once_udp",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Endpoint(models.Model):
    """One address of a service on a host. priority: 0 is used first; the next when too few of it are well.

    state: what it is wanted for; a draining one gets no new requests, a closed one nothing.
    draining_since: when it got its last new request, by its own drain or its host's; None while it gets some.
    weight_percent: what operators leave of the weight that is learnt; at 0 it gets no new requests, and no time to end.
    """

    class State(models.TextChoices):
        ACTIVE = "active"
        DRAINING = "draining"
        CLOSED = "closed"

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="endpoints")
    host = models.ForeignKey(Host, on_delete=models.PROTECT, related_name="endpoints")
    port = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.ACTIVE)
    priority = models.PositiveSmallIntegerField(default=0)
    draining_since = models.DateTimeField(null=True, blank=True)
    weight_percent = models.PositiveSmallIntegerField(default=WHOLE_PERCENT)

    class Meta:
        ordering = ["host__name", "port"]
        constraints = [models.UniqueConstraint(fields=["service", "host", "port"], name="endpoint_once")]

    @property
    def at(self) -> str:
        """HOST:PORT. Reads its host."""
        return f"{self.host.name}:{self.port}"

    @property
    def key(self) -> str:
        """What it is called among all: SERVICE/HOST:PORT. Reads its service and host."""
        return f"{self.service.name}/{self.at}"


class Certificate(models.Model):
    """A certificate by name: a chain with its key, which is sealed; a CA that signs clients' certificates; or both.

    What it says of itself is kept beside it, for lists and warnings. warned_at: of the last word about its end.
    """

    name = models.CharField(max_length=63, unique=True)
    chain = models.TextField(blank=True)
    sealed_key = models.TextField(blank=True)
    ca = models.TextField(blank=True)
    names = models.JSONField(default=list, blank=True)
    fingerprint = models.CharField(max_length=64, blank=True)
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField()
    changed_at = models.DateTimeField(auto_now=True)
    warned_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ApiKey(models.Model):
    """What a client of services shows to be let in; sealed, because engines must know it."""

    name = models.CharField(max_length=63, unique=True)
    sealed = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
