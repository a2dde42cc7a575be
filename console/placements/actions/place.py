"""Placing: the core decides on this process's live picture, the ledger decides whether it still holds."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

from django.db import IntegrityError, connection

from balancer_core.decision import Decision as CoreDecision
from balancer_core.decision import Rejection
from balancer_core.placement import InvalidLoad, Load
from console.actions import Action, Actor, Conflict
from console.events.models import Event
from console.fleet.models import Host
from console.live.bells import ring_placed
from console.live.picture import picture
from console.placements import ledger
from console.placements.models import Decision, Placement
from console.rows import insert

#: How often a decision is made anew after every one of its candidates was taken by somebody else meanwhile.
ROUNDS = 3


class FitsNowhere(Exception):
    """No host takes the load. The decision, kept under decision_id, says why for each."""

    def __init__(self, decision: CoreDecision, decision_id: uuid.UUID) -> None:
        super().__init__(decision.sentence)
        self.decision, self.decision_id = decision, decision_id


class _LostRace(Exception):
    """The ledger no longer has the room that the picture showed."""


@dataclass
class Place(Action[Placement]):
    """Choose a host for one load and reserve it there, durably.

    request_key: a caller's own name for this request; a repeat gives the same placement.
    Raises FitsNowhere after keeping the refusal.
    """

    load: Load
    request_key: str | None = None

    NAME = "placement.place"

    def run(self, actor: Actor) -> Placement:
        if self.request_key and (earlier := self._earlier()):
            return earlier
        for _ in range(ROUNDS):
            decided = picture.decide(self.load)
            for host in decided.ranking:
                self._chosen = decided.instead(host)
                try:
                    return super().run(actor)
                except _LostRace:
                    continue
                except IntegrityError:
                    # The same request key came twice at once: the other one is the placement.
                    if self.request_key and (earlier := self._earlier()):
                        return earlier
                    raise
            if not decided.ranking and not picture.ahead:
                raise refusal(decided)
            # Before the answer is no, or the next round: as the database has it.
            picture.load()
        raise refusal(picture.decide(self.load))

    def execute(self, actor: Actor) -> Placement:
        placement = commit(self._chosen, self.load, self.request_key)
        if placement is None:
            raise _LostRace
        self.record(actor, "placement", str(placement.pk), after={"load": self.load.name, "host": placement.host.name})
        return placement

    def committed(self, result: Placement) -> None:
        picture.reserve(result.host.name, result.demand)
        ring_placed()

    def _earlier(self) -> Placement | None:
        found = Placement.objects.select_related("host", "decision").filter(request_key=self.request_key).first()
        asked = (self.load.kind, self.load.name, dict(self.load.demand))
        if found is not None and (found.kind, found.name, found.demand) != asked:
            raise Conflict("key-reused", "this idempotency key was used for another load; use a new one")
        return found


@dataclass
class PlaceMany(Action[list[Placement | FitsNowhere | None]]):
    """Place a list of loads, each on its own merits; later ones see the room that earlier ones took.

    One transaction a chunk, so a crash in the middle loses whole loads, never parts of one.
    Raises InvalidLoad for the first load that can't be asked for, before any is placed.
    """

    loads: list[Load]

    NAME = "placement.place"
    CHUNK = 500

    def run(self, actor: Actor) -> list[Placement | FitsNowhere]:  # type: ignore[override]
        if picture.ahead:
            picture.load()
        for position, load in enumerate(self.loads):
            try:
                picture.check(load)
            except InvalidLoad as error:
                raise InvalidLoad(f"{position}.{error.field}", error.code, error.reason) from None
        results: list[Placement | FitsNowhere] = []
        for start in range(0, len(self.loads), self.CHUNK):
            self._chunk = self.loads[start : start + self.CHUNK]
            for load, result in zip(self._chunk, super().run(actor), strict=True):
                results.append(_place_alone(load, actor) if result is None else result)
        return results

    def execute(self, actor: Actor) -> list[Placement | FitsNowhere | None]:
        """None where all candidates of a load were taken meanwhile."""
        decided = picture.decide_many(self._chunk)
        named = {host for each in decided for host in each.ranking}
        hosts = {host.name: host for host in Host.objects.only("id", "name", "address").filter(name__in=named)}
        ledger.lock(host.pk for host in hosts.values())
        results = [self._try(load, answer, hosts) for load, answer in zip(self._chunk, decided, strict=True)]
        placements = [each for each in results if isinstance(each, Placement)]
        refused = [_row(each.decision, each.decision_id) for each in results if isinstance(each, FitsNowhere)]
        Decision.objects.bulk_create([each.decision for each in placements] + refused)
        Placement.objects.bulk_create(placements)
        Event.objects.bulk_create(
            self.line(actor, "placement", str(each.pk), after={"load": each.name, "host": each.host.name})
            for each in placements
        )
        return results

    @staticmethod
    def _try(load: Load, decided: CoreDecision, hosts: dict[str, Host]) -> Placement | FitsNowhere | None:
        """Reserve for one load; its rows are written with those of the whole chunk."""
        if not decided.placed:
            return FitsNowhere(decided, uuid.uuid4())
        for host in decided.ranking:
            if host in hosts and ledger.reserve(hosts[host].pk, load.demand):
                return _placement(_row(decided.instead(host)), load, hosts[host])
        return None

    def committed(self, result: list[Placement | FitsNowhere | None]) -> None:
        for placement in result:
            if isinstance(placement, Placement):
                picture.reserve(placement.host.name, placement.demand)
        ring_placed()


def _place_alone(load: Load, actor: Actor) -> Placement | FitsNowhere:
    try:
        return Place(load).run(actor)
    except FitsNowhere as nowhere:
        return nowhere


def commit(decided: CoreDecision, load: Load, request_key: str | None = None) -> Placement | None:
    """Reserve and write decision and placement, inside the caller's transaction.

    None, with nothing written, where the ledger has no such room.
    """
    host = _host(decided.host)
    if host is None or not ledger.reserve(host.pk, load.demand):
        return None
    placement = _placement(keep(decided), load, host, request_key)
    insert(placement)
    return placement


def keep(decided: CoreDecision) -> Decision:
    """Write a decision down."""
    decision = _row(decided)
    insert(decision)
    return decision


def refusal(decided: CoreDecision) -> FitsNowhere:
    """Keep a refusal, so that it can be looked at later, and give the exception that says it."""
    decided = overtaken(decided)
    return FitsNowhere(decided, keep(decided).pk)


def overtaken(decided: CoreDecision) -> CoreDecision:
    """The refusal that a decision becomes when the room on all its candidates was taken meanwhile."""
    if not decided.placed:
        return decided
    reason = "the room there was taken while this was decided."
    rejections = tuple(Rejection(host, "taken", reason) for host in decided.ranking)
    return replace(
        decided,
        outcome="refused",
        host=None,
        sentence=f"No host takes it: the room on {', '.join(decided.ranking)} was taken while this was decided.",
        terms=(),
        rejections=(*rejections, *decided.rejections),
        rejected={**decided.rejected, "taken": len(rejections)},
    )


def _host(name: str | None) -> Host | None:
    """What a placement needs of its host. Plain SQL: composing the query would take longer than answering it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, address FROM fleet_host WHERE name = %s", [name])
        found = cursor.fetchone()
    return Host(id=found[0], name=name, address=found[1]) if found else None


def _row(decided: CoreDecision, key: uuid.UUID | None = None) -> Decision:
    return Decision(
        id=key or uuid.uuid4(),
        kind=decided.kind,
        name=decided.name,
        policy=decided.policy,
        outcome=decided.outcome,
        host=decided.host or "",
        sentence=decided.sentence,
        document=decided.to_dict(),
    )


def _placement(decision: Decision, load: Load, host: Host, request_key: str | None = None) -> Placement:
    return Placement(
        decision=decision, host=host, kind=load.kind, name=load.name, demand=dict(load.demand), request_key=request_key
    )
