"""An agent joins, and says on every connection what its host is and has."""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.utils import timezone

from agents.wire import NAME_PATTERN, Hello, digest
from balancer_core.cluster import InvalidLabel, check_labels
from balancer_core.resources import LEAST_AMOUNT, STANDARD, InvalidAmount, check_amount
from console.actions import Actor, AgentAction, Conflict, Invalid, NotAllowed
from console.fleet.models import Host, HostToken
from console.live.bells import ring_hosts
from console.placements import ledger
from console.placements.models import Ledger

MOST_LABELS = 32
MOST_RESOURCES = 16
RESOURCE_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
LONGEST_VERSION = 32
DIGEST = re.compile(r"[0-9a-f]{64}")
#: Of all hosts together, below what the core can hold: one agent must not use up the room of the others.
MOST_RESOURCES_IN_ALL = 24


@dataclass
class Join(AgentAction[Host]):
    """Use a one-time token: the host comes into being, known by the credential the agent made for itself.

    A repeat with the same token and the same credential finds the host already made:
    the answer to the first may have been lost on the way.
    """

    token: str
    hello: Hello

    NAME = "host.join"

    def execute(self, actor: Actor) -> Host:
        token = self._open_token()
        check_hello(self.hello)
        credential = self.hello.credential_digest
        if token.used_at is not None:
            known = Host.objects.filter(credential_digest=credential).first()
            if known is None:
                raise NotAllowed("the host that joined with this token was removed; ask for a new token")
            return known
        if token.host_name and token.host_name != self.hello.name:
            raise NotAllowed(f"this token is for the host {token.host_name}")
        if Host.objects.filter(name=self.hello.name).exists():
            raise Conflict(
                "name-taken", f"a host called {self.hello.name} has joined already; remove it first"
            )
        if Host.objects.filter(credential_digest=credential).exists():
            raise NotAllowed("another host has this credential; an agent makes its own")
        host = Host.objects.create(
            name=self.hello.name,
            address=self.hello.address,
            labels=self.hello.labels,
            credential_digest=credential,
            agent_version=self.hello.version,
        )
        write_capacity(host, self.hello.capacity)
        token.used_at, token.used_by_digest = timezone.now(), credential
        token.save(update_fields=["used_at", "used_by_digest"])
        self.record(
            actor,
            "host",
            host.name,
            after={"address": host.address, "labels": host.labels, "token": token.public_id},
        )
        return host

    def committed(self, result: Host) -> None:
        ring_hosts()

    def _open_token(self) -> HostToken:
        public_id, _, secret = self.token.partition(".")
        token = (
            HostToken.objects.select_for_update().filter(public_id=public_id).first()
            if "\0" not in public_id
            else None
        )
        if token is None or not hmac.compare_digest(token.digest, digest(secret)):
            raise NotAllowed("this token is not known")
        if not DIGEST.fullmatch(self.hello.credential_digest):
            raise Invalid(
                "credential_digest", "missing", "joining needs the SHA-256 of the agent's own credential"
            )
        if token.used_at is not None and token.used_by_digest != self.hello.credential_digest:
            raise NotAllowed("this token was used already")
        if token.used_at is None and timezone.now() >= token.expires_at:
            raise NotAllowed("this token has run out")
        return token


@dataclass
class Introduce(AgentAction[Host]):
    """What a host that joined before says of itself now. Writes only what changed."""

    hello: Hello

    NAME = "host.introduce"

    def execute(self, actor: Actor) -> Host:
        check_hello(self.hello)
        host = _own(actor)
        told = {
            "address": self.hello.address,
            "labels": self.hello.labels,
            "agent_version": self.hello.version,
        }
        before = {key: getattr(host, key) for key in told}
        had = _capacity(host)
        capacity_changed = write_capacity(host, self.hello.capacity)
        if capacity_changed:
            self.record(
                actor, "host", host.name, before={"capacity": had}, after={"capacity": _capacity(host)}
            )
        if before != told:
            for key, value in told.items():
                setattr(host, key, value)
            host.save(update_fields=list(told))
            self.record(actor, "host", host.name, before=before, after=told)
        self._changed = before != told or capacity_changed
        return host

    def committed(self, result: Host) -> None:
        if self._changed:
            ring_hosts()


@dataclass
class ChangeCapacity(AgentAction[None]):
    """A running host has more or less than it said: memory was added, a limit was changed."""

    capacity: Mapping[str, float]

    NAME = "host.capacity"

    def execute(self, actor: Actor) -> None:
        check_capacity(self.capacity)
        host = _own(actor)
        had = _capacity(host)
        if write_capacity(host, self.capacity):
            self.record(
                actor, "host", host.name, before={"capacity": had}, after={"capacity": _capacity(host)}
            )

    def committed(self, result: None) -> None:
        ring_hosts()


def _own(actor: Actor) -> Host:
    """The agent's own host, locked."""
    host = Host.objects.select_for_update().filter(name=actor.name).first()
    if host is None:
        raise NotAllowed("this host was removed")
    return host


def _capacity(host: Host) -> dict[str, float]:
    return dict(Ledger.objects.filter(host=host).values_list("resource", "capacity"))


def check_hello(hello: Hello) -> None:
    """Raises Invalid naming the first field that can't be right."""
    if not NAME_PATTERN.fullmatch(hello.name):
        raise Invalid(
            "name", "invalid", "a host's name is a DNS label: a-z, 0-9 and -, at most 63 characters"
        )
    check_address(hello.address)
    if len(hello.version) > LONGEST_VERSION or not hello.version.isprintable():
        raise Invalid("version", "invalid", f"printable text of at most {LONGEST_VERSION} characters")
    if len(hello.labels) > MOST_LABELS:
        raise Invalid("labels", "too-many", f"at most {MOST_LABELS}")
    try:
        check_labels(hello.labels)
    except InvalidLabel as error:
        raise Invalid(error.field, error.code, error.reason) from None
    check_capacity(hello.capacity)


def check_address(text: str) -> None:
    """What engines and other agents can connect to: one host's unicast address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise Invalid("address", "invalid", f"{text[:80]!r} is not an IP address") from None
    mapped = isinstance(address, ipaddress.IPv6Address) and (address.scope_id or address.ipv4_mapped)
    if (
        address.is_unspecified
        or address.is_multicast
        or address == ipaddress.ip_address("255.255.255.255")
        or mapped
    ):
        raise Invalid(
            "address", "not-unicast", f"{text} is not the address of one host, IPv4 written as IPv4"
        )


def check_capacity(capacity: Mapping[str, float]) -> None:
    """Raises Invalid naming the first amount, or the first name, that can't be right."""
    if len(capacity) > MOST_RESOURCES:
        raise Invalid("capacity", "too_many", f"a host declares at most {MOST_RESOURCES} resources")
    for resource, amount in capacity.items():
        field = f"capacity.{resource[:32]}"
        if not RESOURCE_NAME.fullmatch(resource):
            raise Invalid(
                field, "invalid_name", "a resource is named in a-z, 0-9 and _, at most 32 characters"
            )
        try:
            check_amount(amount, field)
        except InvalidAmount as error:
            raise Invalid(error.field, error.code, error.reason) from None
        if 0 < amount < LEAST_AMOUNT:
            raise Invalid(field, "too_small", f"{amount:g} is too little to be shared out")


def write_capacity(host: Host, capacity: Mapping[str, float]) -> bool:
    """Bring the ledger lines of a host, locked or new, to these capacities. True where any changed.

    A resource that is no longer declared keeps its line at capacity 0 while something is promised on it.
    Raises Invalid for a resource that would be one too many in the cluster.
    """
    ledger.lock([host.pk])
    lines = {line.resource: line for line in Ledger.objects.filter(host=host)}
    if capacity.keys() - lines.keys():
        everywhere = set(Ledger.objects.values_list("resource", flat=True).distinct()) | {
            r.name for r in STANDARD
        }
        if extra := sorted(capacity.keys() - everywhere)[MOST_RESOURCES_IN_ALL - len(everywhere) :]:
            raise Invalid(
                f"capacity.{extra[0]}", "too_many", f"a cluster has at most {MOST_RESOURCES_IN_ALL} resources"
            )
    changed = False
    for resource, amount in capacity.items():
        line = lines.pop(resource, None)
        if line is None:
            Ledger.objects.create(host=host, resource=resource, capacity=amount)
            changed = True
        elif line.capacity != amount:
            Ledger.objects.filter(pk=line.pk).update(capacity=amount)
            changed = True
    for line in lines.values():
        if line.reserved <= 0:
            line.delete()
            changed = True
        elif line.capacity > 0:
            Ledger.objects.filter(pk=line.pk).update(capacity=0.0)
            changed = True
    if changed:
        Host.objects.filter(pk=host.pk).touch()
    return changed
