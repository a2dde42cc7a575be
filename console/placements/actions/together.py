"""Placing several loads in one decision: replicas as far as there is room, gangs whole or not at all.

Theory of operation. In one transaction: the turn of every group they name is taken, their held placements are
counted, the core decides all of them on this process's picture, and the ledger reserves all. Where the ledger
has less room than the picture showed, nothing is written; the picture is read anew inside the next
transaction and everything is decided again, up to ROUNDS times. A runner-up is never taken instead: what was
decided after it would stand on a wrong count. On SQLite nobody else writes while it is decided: MOST_LOADS is
small for that.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field, replace

from django.db import IntegrityError

from balancer_core.cluster import Snapshot
from balancer_core.decision import Decision as CoreDecision
from balancer_core.groups import decide_gang, decide_replicas
from balancer_core.placement import InvalidLoad, Load
from console.actions import Action, Actor, Conflict
from console.events.models import Event
from console.live.bells import ring_placed
from console.live.picture import picture
from console.placements import ledger
from console.placements.actions.commit import (
    decision_row,
    hosts_of,
    overtaken,
    placement_row,
    refusal,
)
from console.placements.groups import Counts, groups_of, take_turn
from console.placements.models import Decision, Placement

ROUNDS = 3

#: Loads of one gang, and replicas of one load.
MOST_LOADS = 200


@dataclass(frozen=True)
class Together:
    """What was placed together. id: of the set, None for a single load. refused: the first that was not placed."""

    id: uuid.UUID | None
    wanted: int
    placements: list[Placement]
    refused: Decision | None = None


class _Lost(Exception):
    """The ledger no longer has the room that the picture showed for this decision."""

    def __init__(self, load: Load, decided: CoreDecision) -> None:
        self.load, self.decided = load, decided


class _Refused(Exception):
    """Nothing is placed, because this load has no place. Kept once the transaction is gone."""

    def __init__(self, load: Load, decided: CoreDecision, sentence: str = "") -> None:
        self.load, self.decided, self.sentence = load, decided, sentence


@dataclass
class _PlaceTogether(Action[Together]):
    """What gangs and replicas share. request_key: a caller's own name for this request; a repeat gives the same
    placements."""

    request_key: str | None = field(default=None, kw_only=True)

    NAME = "placement.place"

    def _named(self) -> list[Load]:
        """The loads as they will be called, each once. Raises InvalidLoad naming the field."""
        raise NotImplementedError

    def _decide(self, counts: Counts, snapshot: Snapshot, now: float) -> list[tuple[Load, CoreDecision]]:
        """Each load with its answer; only the last may be a refusal. Raises _Refused."""
        raise NotImplementedError

    def _lost(self, load: Load, decided: CoreDecision) -> CoreDecision:
        """What to make of a decision that the ledger has no room for. Raises _Lost to begin again."""
        raise _Lost(load, decided)

    def run(self, actor: Actor) -> Together:
        self._all = self._named()
        if self.request_key and (earlier := self._earlier(self.request_key)):
            return earlier
        for self._round in range(1, ROUNDS + 1):
            try:
                return super().run(actor)
            except _Lost as lost:
                last = lost
            except _Refused as no:
                raise refusal(no.decided, no.load, no.sentence, proposes=True) from None
            except IntegrityError:
                # The same request key came twice at once: the other ones are the placements.
                if self.request_key and (earlier := self._earlier(self.request_key)):
                    return earlier
                raise
        raise refusal(last.decided, last.load, proposes=True)

    def execute(self, actor: Actor) -> Together:
        groups = groups_of(self._all)
        take_turn(groups)
        decided = self._answers(Counts.read(groups))
        hosts = hosts_of([answer for _, answer in decided])
        together = uuid.uuid4() if len(self._all) > 1 else None
        placements: list[Placement] = []
        refused = None
        for load, answer in decided:
            host = hosts.get(answer.host or "")
            if answer.placed and (host is None or not ledger.reserve(host.pk, load.demand)):
                answer = self._lost(load, answer)
            row = decision_row(answer, load, together=together)
            if host is None or not answer.placed:
                refused = row
                break
            placements.append(placement_row(row, load, host, None if placements else self.request_key))
        if not placements:
            raise _Refused(load, answer)
        Decision.objects.bulk_create(
            [*(each.decision for each in placements), *([refused] if refused else [])]
        )
        Placement.objects.bulk_create(placements)
        Event.objects.bulk_create(
            self.line(actor, "placement", str(each.pk), after={"load": each.name, "host": each.host.name})
            for each in placements
        )
        return Together(together, len(self._all), placements, refused)

    def _answers(self, counts: Counts) -> list[tuple[Load, CoreDecision]]:
        """_decide() on the picture; as the database has it before the answer is no, and in later rounds."""
        if self._round == 1:
            try:
                decided = self._decide(counts, picture.view()[0], time.monotonic())
                if decided[-1][1].placed or not picture.ahead:
                    return decided
            except _Refused:
                if not picture.ahead:
                    raise
        picture.load()
        return self._decide(counts, picture.view()[0], time.monotonic())

    def committed(self, result: Together) -> None:
        for placement in result.placements:
            picture.reserve(placement.host.name, placement.demand)
        ring_placed()

    def _earlier(self, key: str) -> Together | None:
        first = Placement.objects.select_related("host", "decision").filter(request_key=key).first()
        if first is None:
            return None
        together, found, refused = first.decision.together, [first], None
        if together is not None:
            of_set = Placement.objects.select_related("host", "decision")
            found = list(of_set.filter(decision__together=together))
            refused = Decision.objects.filter(together=together, outcome=Decision.Outcome.REFUSED).first()
        asked = [(load.kind, load.name, dict(load.demand), load.group) for load in self._all]
        known = [(each.kind, each.name, each.demand, each.group) for each in found]
        whole = len(known) == len(asked) or (refused is not None and len(known) < len(asked))
        if not whole or any(each not in asked for each in known):
            raise Conflict("key-reused", "this idempotency key was used for other loads; use a new one")
        in_order = sorted(zip(map(asked.index, known), found, strict=True), key=lambda pair: pair[0])
        return Together(together, len(asked), [each for _, each in in_order], refused)


@dataclass
class PlaceGang(_PlaceTogether):
    """Place all of these loads or none of them.

    Raises InvalidLoad with the load's position in front of the field, and FitsNowhere with the decision of the
    one that found no place, after keeping it.
    """

    loads: list[Load]

    def _named(self) -> list[Load]:
        if not 1 <= len(self.loads) <= MOST_LOADS:
            raise InvalidLoad("gang", "length", f"a gang is 1 to {MOST_LOADS} loads.")
        picture.check_all(self.loads, "gang.")
        return self.loads

    def _decide(self, counts: Counts, snapshot: Snapshot, now: float) -> list[tuple[Load, CoreDecision]]:
        loads = [counts.fill(load) for load in self.loads]
        gang = decide_gang(snapshot, loads, now)
        if gang.blocking is None:
            return list(zip(loads, gang.decisions, strict=True))
        no = gang.blocking
        blocking = next(load for load in loads if (load.name, load.demand) == (no.name, no.demand))
        raise _Refused(blocking, no, gang.sentence if len(loads) > 1 else "")


@dataclass
class PlaceReplicas(_PlaceTogether):
    """Place as many replicas of one load as there is room for, up to so many, in one transaction.

    They are called NAME-1, NAME-2, ..., and a load without a group gets its name as one, so that its spread
    counts the replicas of earlier calls too. Raises FitsNowhere, after keeping it, where not even one is placed.
    """

    load: Load
    replicas: int

    def _named(self) -> list[Load]:
        if not 1 <= self.replicas <= MOST_LOADS:
            raise InvalidLoad("replicas", "out_of_range", f"1 to {MOST_LOADS} replicas.")
        picture.check(self.load)
        group = self.load.group or self.load.name
        return [
            replace(self.load, name=f"{self.load.name}-{number}", group=group)
            for number in range(1, self.replicas + 1)
        ]

    def _decide(self, counts: Counts, snapshot: Snapshot, now: float) -> list[tuple[Load, CoreDecision]]:
        load = counts.fill(replace(self.load, group=self._all[0].group))
        answers = decide_replicas(snapshot, load, self.replicas, now)
        return [(load, answer) for answer in answers]

    def _lost(self, load: Load, decided: CoreDecision) -> CoreDecision:
        # In the last round: as far as there is room.
        return overtaken(decided) if self._round == ROUNDS else super()._lost(load, decided)
