"""An agent joins, and says on every connection what its host is and has."""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.utils import timezone

from agents.wire import NAME_PATTERN, Hello, digest
from balancer_core.resources import LEAST_AMOUNT, InvalidAmount, check_amount
from console.actions import Actor, AgentAction, Conflict, Invalid, NotAllowed
from console.fleet.models import Host, HostToken
from console.live.bells import ring_hosts
from console.placements.models import Ledger

MOST_LABELS = 32
MOST_RESOURCES = 16
RESOURCE_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
LONGEST_LABEL = 100


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
            return Host.objects.get(credential_digest=credential)
        if token.host_name and token.host_name != self.hello.name:
            raise NotAllowed(f"this token is for the host {token.host_name}")
        if Host.objects.filter(name=self.hello.name).exists():
            raise Conflict("name-taken", f"a host called {self.hello.name} has joined already; remove it first")
        host = Host.objects.create(
            name=self.hello.name,
            address=self.hello.address,
            labels=self.hello.labels,
            credential_digest=credential,
            agent_version=self.hello.version[:32],
        )
        write_capacity(host, self.hello.capacity)
        token.used_at, token.used_by_digest = timezone.now(), credential
        token.save(update_fields=["used_at", "used_by_digest"])
        self.record(
            actor, "host", host.name, after={"address": host.address, "labels": host.labels, "token": token.public_id}
        )
        return host

    def committed(self, result: Host) -> None:
        ring_hosts()

    def _open_token(self) -> HostToken:
        public_id, _, secret = self.token.partition(".")
        token = HostToken.objects.filter(public_id=public_id).first()
        if token is None or not hmac.compare_digest(token.digest, digest(secret)):
            raise NotAllowed("this token is not known")
        if len(self.hello.credential_digest) != 64:
            raise Invalid("credential_digest", "missing", "joining needs the SHA-256 of the agent's own credential")
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
        host = Host.objects.get(name=actor.name)
        told = {"address": self.hello.address, "labels": self.hello.labels, "agent_version": self.hello.version[:32]}
        before = {key: getattr(host, key) for key in told}
        capacity_changed = write_capacity(host, self.hello.capacity)
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
        host = Host.objects.get(name=actor.name)
        before = dict(host.ledger.values_list("resource", "capacity"))
        if write_capacity(host, self.capacity):
            self.record(actor, "host", host.name, before=before, after=dict(self.capacity))

    def committed(self, result: None) -> None:
        ring_hosts()


def check_hello(hello: Hello) -> None:
    """Raises Invalid naming the first field that can't be right."""
    if not NAME_PATTERN.fullmatch(hello.name):
        raise Invalid("name", "invalid", "a host's name is a DNS label: a-z, 0-9 and -, at most 63 characters")
    try:
        ipaddress.ip_address(hello.address)
    except ValueError:
        raise Invalid("address", "invalid", f"{hello.address!r} is not an IP address") from None
    if len(hello.labels) > MOST_LABELS:
        raise Invalid("labels", "too-many", f"at most {MOST_LABELS}")
    for key, value in hello.labels.items():
        if not key or len(key) > LONGEST_LABEL or len(value) > LONGEST_LABEL or not (key + value).isprintable():
            raise Invalid(f"labels.{key[:LONGEST_LABEL]}", "invalid", "printable text of at most 100 characters")
    check_capacity(hello.capacity)


def check_capacity(capacity: Mapping[str, float]) -> None:
    """Raises Invalid naming the first amount, or the first name, that can't be right."""
    if len(capacity) > MOST_RESOURCES:
        raise Invalid("capacity", "too_many", f"a host declares at most {MOST_RESOURCES} resources")
    for resource, amount in capacity.items():
        field = f"capacity.{resource[:32]}"
        if not RESOURCE_NAME.fullmatch(resource):
            raise Invalid(field, "invalid_name", "a resource is named in a-z, 0-9 and _, at most 32 characters")
        try:
            check_amount(amount, field)
        except InvalidAmount as error:
            raise Invalid(error.field, error.code, error.reason) from None
        if 0 < amount < LEAST_AMOUNT:
            raise Invalid(field, "too_small", f"{amount:g} is too little to be shared out")


def write_capacity(host: Host, capacity: Mapping[str, float]) -> bool:
    """Bring the host's ledger lines to these capacities. True where any changed.

    A resource that is no longer declared keeps its line at capacity 0 while something is promised on it.
    """
    lines = {line.resource: line for line in Ledger.objects.filter(host=host)}
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
        if line.reserved > 0:
            Ledger.objects.filter(pk=line.pk).update(capacity=0.0)
        else:
            line.delete()
        changed = True
    return changed
