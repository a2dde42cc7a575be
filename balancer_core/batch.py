"""Many loads in one decision: better packed than one at a time, and each still explained.

Theory of operation
1. Order: the higher priority first, then the larger load (by its largest share of the usual host), so that the
   small ones fill what the large ones leave; among tenants that ask for it (policy tenant_fair) whoever's
   dominant share is smallest goes first instead.
2. Each load goes to the best host of a draft that holds the earlier ones.
   Where some find none, the order given and the score of pack are tried as well, and what places most counts:
   so a batch never places less than the same loads would one at a time.
3. Room: for a load that found none, a host is looked for that other loads of the batch can leave, each to
   another host. At most HOSTS_TRIED hosts for one load.
4. Cost: with a score whose totals add up to what the whole cluster costs (spread), every load is taken off and
   put where it costs least beside all the others, SWEEPS times or until nothing moves; the sum only falls.
5. Each load is explained as it stands in the end: taken off, decided with all others where they are.
Loads with a group or with rules about others (spread, near, apart) stay where step 2 put them.
Idea: first-fit decreasing (Johnson 1973) with ejection chains and coordinate descent.
Cost: for N loads about 3 N searches of the index and N looks at all hosts; O(N H R).
When not to use it: for loads that can be asked for one by one as they come; decide() answers at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from balancer_core.cluster.snapshot import Snapshot
from balancer_core.decision import Decision
from balancer_core.draft import Draft
from balancer_core.explain import explain
from balancer_core.fairness import tenant_fair
from balancer_core.filters import refusals
from balancer_core.filters.fits import holding
from balancer_core.load import InvalidLoad, Load
from balancer_core.placement import TOP, check_top
from balancer_core.question import Question
from balancer_core.survey import Outcome, survey
from balancer_core.weighing import total_on

MAX_LOADS: Final = 10_000

#: Rounds in which every load may move; nearly all of what can be gained is gained in two.
SWEEPS: Final = 3

#: Hosts on which room is looked for by moving others, for each load that found none.
HOSTS_TRIED: Final = 8

#: Loads for which that is done; where more find no room, the cluster is full.
LOADS_TRIED: Final = 200

#: A move that gains less than this share of a load's cost is rounding.
LEAST_GAIN: Final = 1e-9


def decide_many(
    snapshot: Snapshot,
    loads: Sequence[Load],
    now: float,
    top: int = TOP,
    held: Mapping[str, Mapping[str, float]] | None = None,
) -> list[Decision]:
    """One decision for each load, in the order given; all that are placed fit together.

    held: what each tenant has already, amounts by resource, for tenant_fair.
    Errors: InvalidLoad with the load's position in front of the field ("3.demand.gpu"), or naming loads or
    top; InvalidTenant. Nothing is decided then.
    """
    check_top(top)
    if len(loads) > MAX_LOADS:
        raise InvalidLoad("loads", "out_of_range", f"{len(loads):,} loads; at most {MAX_LOADS:,} at once.")
    best: _Batch | None = None
    for order, packed in _plans(snapshot, loads, now, held or {}):
        batch = _Batch(snapshot, loads, now, order, packed)
        if best is None or batch.worth > best.worth:
            best = batch
        if best.complete:
            break
    return [] if best is None else best.decisions(top)


def _plans(
    snapshot: Snapshot, loads: Sequence[Load], now: float, held: Mapping[str, Mapping[str, float]]
) -> Iterator[tuple[list[int], bool]]:
    """Orders to try, each with whether to pack, the most promising first."""
    draft, sizes = Draft(snapshot, now), []
    usual = np.median(snapshot.capacity, axis=0) if len(snapshot) else np.zeros(len(snapshot.dimensions))
    usual[usual <= 0.0] = np.inf
    for position, load in enumerate(loads):
        try:
            sizes.append(float((draft.question(load).demand / usual).max()))
        except InvalidLoad as error:
            raise InvalidLoad(f"{position}.{error.field}", error.code, error.reason) from None
    if any(load.policy == "tenant_fair" for load in loads):
        weights = {load.tenant: float(load.options.get("tenant_weight", 1.0)) for load in loads}
        yield tenant_fair(snapshot, loads, [load.tenant for load in loads], held, weights), False
        return
    given = sorted(range(len(loads)), key=lambda position: -loads[position].priority)
    by_size = sorted(given, key=lambda position: (-loads[position].priority, -sizes[position]))
    yield by_size, False
    yield given, False
    yield by_size, True
    yield given, True


class _Batch:
    """One try: everything placed that finds a place in this order.

    packed: by the score of pack, whatever the loads' own policies say. worth: what is placed, as shares of the
    cluster, by priority from the highest.
    """

    def __init__(
        self, snapshot: Snapshot, loads: Sequence[Load], now: float, order: list[int], packed: bool
    ) -> None:
        self._loads, self._draft, self._order, self._packed = loads, Draft(snapshot, now), order, packed
        self._questions = [self._draft.question(load) for load in loads]
        self._turn = {position: turn for turn, position in enumerate(order, 1)}
        self._came_from: dict[int, int] = {}
        for position in order:
            self._place(position)
        refused = [position for position in order if self._draft.row(position) is None]
        for position in refused[:LOADS_TRIED]:
            self._make_room(position)
        self.complete = all(self._draft.row(position) is not None for position in refused)
        self.worth = self._worth()

    def decisions(self, top: int) -> list[Decision]:
        """Each load as it stands once nothing more can be gained."""
        self._packed = False
        self._sweep()
        for position in self._order:
            if self._draft.row(position) is None:
                self._place(position)
        return [self._explained(position, top) for position in range(len(self._loads))]

    def _worth(self) -> list[float]:
        total = self._draft.snapshot.capacity.sum(axis=0)
        total[total <= 0.0] = np.inf
        worth = {load.priority: 0.0 for load in self._loads}
        for position, question in enumerate(self._questions):
            if self._draft.row(position) is not None:
                worth[question.load.priority] += float((question.demand / total).sum())
        return [worth[priority] for priority in sorted(worth, reverse=True)]

    def _place(self, position: int) -> bool:
        question = self._question(position)
        row = self._draft.best(question)
        return row is not None and self._draft.put(position, question, row)

    def _question(self, position: int) -> Question:
        """Put anew where it depends on who is placed already."""
        return (
            self._questions[position] if self._free(position) else self._draft.question(self._loads[position])
        )

    def _free(self, position: int) -> bool:
        """Whether the load may move without touching a rule about others."""
        load = self._loads[position]
        return not (load.group or load.spread or load.near or load.apart)

    def _make_room(self, position: int) -> None:
        """Put a load where others of the batch can leave, if there is such a host within the tries."""
        draft, question = self._draft, self._question(position)
        for row in self._nearly(question):
            movable = [ticket for ticket in draft.held.get(row, {}) if self._free(ticket)]
            left: list[int] = []
            for ticket in sorted(movable, key=lambda each: -self._relief(question, each)):
                draft.take(ticket)
                left.append(ticket)
                if self._fits(question, row):
                    break
            if self._fits(question, row) and draft.put(position, question, row):
                if self._resettle(left, row):
                    return
                draft.take(position)
            for ticket in left:
                draft.put(ticket, self._questions[ticket], row)

    def _resettle(self, left: list[int], row: int) -> bool:
        """Find other hosts for all of these loads; none has moved if one finds none."""
        settled = []
        for ticket in left:
            if not self._place(ticket):
                break
            settled.append(ticket)
        if len(settled) < len(left):
            for ticket in settled:
                self._draft.take(ticket)
            return False
        for ticket in left:
            self._came_from.setdefault(ticket, row)
        return True

    def _nearly(self, question: Question) -> list[int]:
        """Rows that could take the load if loads of this batch left, least missing first."""
        snapshot, draft = question.snapshot, self._draft
        rows = np.array([row for row, held in draft.held.items() if held], dtype=np.int64)
        if not len(rows):
            return []
        refused = refusals(question)
        able = snapshot.flags[rows] == 0
        if refused is not None:
            able &= refused[rows] == 0
        missing = np.zeros(len(rows))
        for r in question.asked:
            has, asks = snapshot.capacity[rows, r], question.demand[r]
            able &= draft.base.reserved[rows, r] + asks <= has
            np.maximum(missing, (holding(question, r)[rows] + asks - has) / asks, out=missing)
        rows, missing = rows[able], missing[able]
        nearest: list[int] = rows[np.lexsort((rows, missing))][:HOSTS_TRIED].tolist()
        return nearest

    def _relief(self, question: Question, ticket: int) -> float:
        """How much of what the load asks for another one would free, in shares of what is asked."""
        demand = self._questions[ticket].demand
        return float(sum(min(demand[r] / question.demand[r], 1.0) for r in question.asked))

    def _fits(self, question: Question, row: int) -> bool:
        snapshot = question.snapshot
        return all(
            holding(question, r)[row] + question.demand[r] <= snapshot.capacity[row, r]
            for r in question.asked
        )

    def _sweep(self) -> None:
        movable = [
            position
            for position in self._order
            if self._free(position) and self._questions[position].policy.SCORE.ADDS_UP
        ]
        for _ in range(SWEEPS):
            moved = [self._settle(position) for position in movable if self._draft.row(position) is not None]
            if not any(moved):
                return

    def _settle(self, position: int) -> bool:
        """Put the load where it costs least beside all the others; whether that is another host."""
        draft, question = self._draft, self._questions[position]
        old = draft.take(position)
        row = draft.best(question)
        if row is None or row == old or not self._gains(question, old, row):
            draft.put(position, question, old)
            return False
        if not draft.put(position, question, row):
            draft.put(position, question, old)
            return False
        self._came_from.setdefault(position, old)
        return True

    def _gains(self, question: Question, old: int, new: int) -> bool:
        before, after = total_on(question, old), total_on(question, new)
        return after < before - LEAST_GAIN * abs(before)

    def _explained(self, position: int, top: int) -> Decision:
        draft, load = self._draft, self._loads[position]
        row = draft.row(position)
        if row is None:
            return explain(
                self._question(position), survey(self._question(position), top), self._story(position)
            )
        question = draft.held[row][position]
        draft.take(position)
        fresh = self._question(position)
        outcome = survey(fresh, top)
        if outcome.rows[:1] != [row]:
            outcome = _with_first(outcome, row, total_on(fresh, row), top)
        decision = explain(fresh, outcome, self._story(position))
        if not draft.put(position, question, row):
            raise AssertionError(f"{load.name} no longer fits where it was taken off")
        return decision

    def _story(self, position: int) -> str:
        """What deciding it together with others meant for this load."""
        count = len(self._loads)
        if count == 1:
            return ""
        parts = [f"One of {count:,} decided together, number {self._turn[position]:,} in turn"]
        if self._loads[position].policy == "tenant_fair":
            parts.append(
                f"by the dominant shares of the tenants, its own being {self._loads[position].tenant!r}"
            )
        if position in self._came_from:
            parts.append(
                f"moved from {self._draft.snapshot.names[self._came_from[position]]} for the others' sake"
            )
        return ", ".join(parts) + "."


def _with_first(outcome: Outcome, row: int, total: float, top: int) -> Outcome:
    """The outcome with this row in front: it is where the load is, whatever would be best for it alone."""
    others = [each for each in zip(outcome.rows, outcome.totals, strict=True) if each[0] != row][: top - 1]
    rows, totals = [row, *(each for each, _ in others)], [total, *(each for _, each in others)]
    return replace(outcome, rows=rows, totals=totals)
