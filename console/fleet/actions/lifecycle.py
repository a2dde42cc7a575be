"""Taking hosts out of use and back: cordon, drain, resume, remove; lost and found by the failure detector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from django.utils import timezone

from balancer_core.lifecycle import HOST, InvalidTransition, advance
from console.accounts.models import Role
from console.actions import Action, Actor, Conflict, Invalid, Unknown
from console.fleet.leaving import standing_of, stopping_without
from console.fleet.models import Host
from console.live.bells import ring_hosts, ring_services
from console.multi import Foreseen, MultiAction
from console.traffic.models import Endpoint

SHORTEST_DEADLINE_S = 60.0
LONGEST_DEADLINE_S = 30 * 86_400.0


class HostAction(Action[Host]):
    host: str
    reason: str

    def committed(self, result: Host) -> None:
        ring_hosts()
        ring_services()

    def find(self) -> Host:
        host = Host.objects.select_for_update().filter(name=self.host).first()
        if host is None:
            raise Unknown("host", self.host)
        return host

    def _advance(self, actor: Actor, event: str, ends_at: datetime | None = None, **more: float) -> Host:
        host = self.find()
        # Before the state changes: a drain that was under way has let some leave already.
        to_leave = {"to_leave": standing_of(host, timezone.now()).left} if event == "drain" else {}
        before = host.state
        try:
            host.state = advance(HOST, before, event)
        except InvalidTransition as error:
            raise Conflict("state", f"{host.name} is {before}: {error}") from None
        host.drain_ends_at, host.drain_ended_at = ends_at, None
        host.save(update_fields=["state", "drain_ends_at", "drain_ended_at"])
        _count_drains(host)
        self.record(
            actor,
            "host",
            host.name,
            before={"state": before},
            after={"state": host.state, **to_leave, **more},
            reason=self.reason,
        )
        return host


class _ManyHosts(HostAction, MultiAction[Host]):
    """A step in the table of hosts, which can be taken back. EVENT: its name there."""

    EVENT: ClassVar[str]
    LIST = "hosts"
    UNDO = {"active": "host.uncordon", "cordoned": "host.cordon", "draining": "host.drain"}

    def execute(self, actor: Actor) -> Host:
        return self._advance(actor, self.EVENT)

    @classmethod
    def item_of(cls, row: Host) -> str:
        return row.name

    @classmethod
    def foresee(cls, items: Sequence[str]) -> list[Foreseen]:
        states = dict(Host.objects.filter(name__in=items).values_list("name", "state"))
        return [_foreseen(item, states.get(item), cls.EVENT) for item in items]


def _foreseen(item: str, state: str | None, event: str) -> Foreseen:
    if state is None:
        return Foreseen(item, why_not="no host is called like that")
    try:
        return Foreseen(item, state, advance(HOST, state, event))
    except InvalidTransition as error:
        return Foreseen(item, state, why_not=f"{item} is {state}: {error}")


def _count_drains(host: Host) -> None:
    """The time that its endpoints have to drain begins, or ends unless they are out by themselves."""
    endpoints = Endpoint.objects.filter(host=host)
    if host.state == Host.State.DRAINING:
        endpoints.filter(draining_since=None).update(draining_since=timezone.now())
    else:
        endpoints.filter(state=Endpoint.State.ACTIVE).update(draining_since=None)


@dataclass
class Cordon(_ManyHosts):
    """Nothing new comes to the host; what is there stays."""

    host: str
    reason: str = ""
    NAME = "host.cordon"
    LABEL = "Cordon"
    EVENT = "cordon"


@dataclass
class Drain(_ManyHosts):
    """Nothing new comes, and what is there leaves: its endpoints get no new connections at once,
    its jobs end where they run."""

    host: str
    reason: str = ""
    #: By when it shall be empty, in seconds; None: whenever. What is late is said.
    deadline_s: float | None = None
    #: Whether what is late is also ended, by EndDrain.
    then_end: bool = False
    NAME = "host.drain"
    LABEL = "Drain"
    EVENT = "drain"

    def execute(self, actor: Actor) -> Host:
        if self.deadline_s is None:
            if self.then_end:
                raise Invalid("deadline_s", "required", "say by when what is left shall be ended")
            return self._advance(actor, self.EVENT)
        if not SHORTEST_DEADLINE_S <= self.deadline_s <= LONGEST_DEADLINE_S:
            raise Invalid("deadline_s", "out_of_range", "a deadline is between a minute and thirty days away")
        if not self.then_end:
            return self._advance(actor, self.EVENT, deadline_s=self.deadline_s)
        ends_at = timezone.now() + timedelta(seconds=self.deadline_s)
        return self._advance(actor, self.EVENT, ends_at, deadline_s=self.deadline_s, then_end=True)

    @classmethod
    def warnings(cls, items: Sequence[str]) -> list[str]:
        """The services that would have no endpoint left that takes new requests."""
        names = stopping_without(*Host.objects.filter(name__in=items)).none
        return [
            f"No endpoint would take new requests for {name}: draining all of these stops its traffic."
            for name in names
        ]


@dataclass
class Uncordon(_ManyHosts):
    """The host takes new load again."""

    host: str
    reason: str = ""
    NAME = "host.uncordon"
    LABEL = "Uncordon"
    EVENT = "uncordon"


@dataclass
class Remove(HostAction):
    """Forget a host: its credential ends. Refused while anything is placed there."""

    host: str
    reason: str = ""
    NAME = "host.remove"
    ROLE = Role.ADMIN

    def execute(self, actor: Actor) -> Host:
        host = self.find()
        standing = standing_of(host, timezone.now())
        if not standing.is_removable:
            raise Conflict(
                "in-use",
                f"{host.name} still holds {standing.placements} placements and {len(standing.endpoints)} endpoints, "
                "or is the source of a shard",
            )
        # Released placements are history: the decisions keep the host's name, the rows go with it.
        host.placements.all().delete()
        host.delete()
        self.record(actor, "host", self.host, before={"address": host.address}, reason=self.reason)
        return host


@dataclass
class MarkLost(HostAction):
    """The failure detector has heard nothing of the host's agent: nothing new goes there."""

    host: str
    reason: str
    NAME = "host.lost"
    ROLE = Role.ADMIN

    def execute(self, actor: Actor) -> Host:
        host = self.find()
        if host.lost_since is None:
            host.lost_since = timezone.now()
            host.save(update_fields=["lost_since"])
            self.record(actor, "host", host.name, after={"lost": True}, reason=self.reason)
        return host


@dataclass
class MarkFound(HostAction):
    """A lost host's agent reports again."""

    host: str
    reason: str = ""
    NAME = "host.found"
    ROLE = Role.ADMIN

    def execute(self, actor: Actor) -> Host:
        host = self.find()
        if host.lost_since is not None:
            away_s = (timezone.now() - host.lost_since).total_seconds()
            host.lost_since = None
            host.save(update_fields=["lost_since"])
            self.record(
                actor,
                "host",
                host.name,
                before={"lost": True},
                after={"lost": False, "away_s": round(away_s, 1)},
            )
        return host
