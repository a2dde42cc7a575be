"""Placing: the core decides on this process's live picture, the ledger decides whether it still holds."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from balancer_core.decision import Decision as CoreDecision
from balancer_core.placement import Load
from console.actions import Action, Actor
from console.fleet.models import Host
from console.live.bells import ring_hosts
from console.live.picture import picture
from console.placements import ledger
from console.placements.models import Decision, Placement

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
            if not decided.ranking:
                break
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
        ring_hosts()

    def _earlier(self) -> Placement | None:
        return Placement.objects.select_related("host", "decision").filter(request_key=self.request_key).first()


@dataclass
class PlaceMany(Action[list[Placement | FitsNowhere]]):
    """Place a list of loads, each on its own merits; later ones see the room that earlier ones took.

    One transaction a chunk, so a crash in the middle loses whole loads, never parts of one.
    """

    loads: list[Load]

    NAME = "placement.place"
    CHUNK = 500

    def run(self, actor: Actor) -> list[Placement | FitsNowhere]:
        results: list[Placement | FitsNowhere] = []
        for start in range(0, len(self.loads), self.CHUNK):
            self._chunk = self.loads[start : start + self.CHUNK]
            results += super().run(actor)
        return results

    def execute(self, actor: Actor) -> list[Placement | FitsNowhere]:
        results: list[Placement | FitsNowhere] = []
        for load, decided in zip(self._chunk, picture.decide_many(self._chunk), strict=True):
            placement = self._commit_first(load, decided)
            if placement is None:
                results.append(refusal(decided if decided.host is None else picture.decide(load)))
            else:
                self.record(actor, "placement", str(placement.pk), after={"load": load.name, "host": placement.host.name})
                results.append(placement)
        return results

    def committed(self, result: list[Placement | FitsNowhere]) -> None:
        for placement in result:
            if isinstance(placement, Placement):
                picture.reserve(placement.host.name, placement.demand)
        ring_hosts()

    @staticmethod
    def _commit_first(load: Load, decided: CoreDecision) -> Placement | None:
        for host in decided.ranking:
            savepoint = transaction.savepoint()
            if placement := commit(decided.instead(host), load, None):
                transaction.savepoint_commit(savepoint)
                return placement
            transaction.savepoint_rollback(savepoint)
        return None


def commit(decided: CoreDecision, load: Load, request_key: str | None = None) -> Placement | None:
    """Reserve and write decision and placement, inside the caller's transaction.

    None where the ledger has no such room: the caller rolls back.
    """
    host = Host.objects.only("id", "name", "address").filter(name=decided.host).first()
    if host is None or not ledger.reserve(host.pk, load.demand):
        return None
    decision = keep(decided)
    placement = Placement(
        decision=decision, host=host, kind=load.kind, name=load.name, demand=dict(load.demand), request_key=request_key
    )
    placement.save(force_insert=True)
    return placement


def keep(decided: CoreDecision) -> Decision:
    """Write a decision down."""
    decision = Decision(
        kind=decided.kind,
        name=decided.name,
        policy=decided.policy,
        outcome=decided.outcome,
        host=decided.host or "",
        sentence=decided.sentence,
        document=decided.to_dict(),
    )
    decision.save(force_insert=True)
    return decision


def refusal(decided: CoreDecision) -> FitsNowhere:
    """Keep a refusal, so that it can be looked at later, and give the exception that says it."""
    return FitsNowhere(decided, keep(decided).pk)
