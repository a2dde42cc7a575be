"""The cluster as it would be: loads are put on hosts and taken off again, and nothing is reserved anywhere.

Theory of operation
- A load has a ticket, the caller's number for it. What a host holds is always what the snapshot says plus its
  tickets' demands, added in the order of the tickets: a caller who commits them in that order reserves the very
  same amounts, whatever was tried before.
- No measurement and no forecast knows of these loads, so their demands come on top of both as well: the second
  load on a busy host is not hidden by what was measured before the first.
- Members of a group count for spread, near and apart of those decided after them.
- best() answers through the index over the draft's own columns (placer.py says when that pays); decide() looks
  at all hosts and explains.
Cost: best() a few microseconds with the policy spread, O(H R) with others or with preferences; put() and take()
O(R log H) and the tickets on that host.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from balancer_core._kernels import Index
from balancer_core.cluster.columns import ALL_FLAGS
from balancer_core.cluster.snapshot import Snapshot
from balancer_core.constraints import Company
from balancer_core.decision import Decision
from balancer_core.domains import domain
from balancer_core.explain import explain
from balancer_core.filters import fits, refusals
from balancer_core.load import Load
from balancer_core.question import Question
from balancer_core.survey import survey


class Draft:
    """Over one snapshot, which stays as it is. now: as in decide()."""

    def __init__(self, snapshot: Snapshot, now: float) -> None:
        self.base, self.now = snapshot, now
        self.snapshot = replace(
            snapshot,
            reserved=snapshot.reserved.copy(),
            used=snapshot.used.copy(),
            expected=snapshot.expected.copy(),
        )
        self.held: dict[int, dict[int, Question]] = {}
        self._row: dict[int, int] = {}
        self._groups: dict[str, Counter[str]] = {}
        self._index: Index | None = None
        self._top: NDArray[np.int64] = np.empty(1, dtype=np.int64)
        self._total: NDArray[np.float64] = np.empty(1)

    def question(self, load: Load) -> Question:
        """The load put to the draft, with those of its groups counted that are placed in it. Errors:
        InvalidLoad."""
        return Question.put(self.snapshot, self._counted(load), self.now)

    def row(self, ticket: int) -> int | None:
        """Where the ticket is, None if nowhere."""
        return self._row.get(ticket)

    def best(self, question: Question) -> int | None:
        """The row where the load costs least, None where none may take it."""
        load, mode = question.load, question.policy.SCORE.MODE
        if load.prefer or load.near or load.apart or mode is None or not len(self.snapshot):
            rows = survey(question, 1).rows
            return rows[0] if rows else None
        refused = refusals(question)
        admissible = None if refused is None else (refused == 0).astype(np.uint8)
        asked = (question.demand, question.weights, mode, self.now, admissible)
        found = self._indexed().find(*asked, self._top, self._total)
        return int(self._top[0]) if found else None

    def decide(self, load: Load, top: int) -> Decision:
        """The load's explained decision on the draft; places nothing. Errors: InvalidLoad."""
        return self.answer(self.question(load), top)

    def answer(self, question: Question, top: int) -> Decision:
        """decide() for who has put the question already, and nothing on the draft since."""
        return explain(question, survey(question, top))

    def put(self, ticket: int, question: Question, row: int) -> bool:
        """Put the load on the host; False, and nothing changed, if that is too much for it by rounding.

        Raises ValueError for a ticket that is somewhere already.
        """
        if ticket in self._row:
            raise ValueError(f"ticket {ticket} is on row {self._row[ticket]}")
        held = self.held.setdefault(row, {})
        held[ticket] = question
        self._sum(row)
        if any(fits.holding(question, r)[row] > self.snapshot.capacity[row, r] for r in question.asked):
            del held[ticket]
            self._sum(row)
            return False
        self._row[ticket] = row
        if question.load.group:
            self._groups.setdefault(question.load.group, Counter())[self.snapshot.names[row]] += 1
        return True

    def take(self, ticket: int) -> int:
        """Take the load off again; the row where it was. Raises KeyError for one that is nowhere."""
        row = self._row.pop(ticket)
        question = self.held[row].pop(ticket)
        self._sum(row)
        if question.load.group:
            self._groups[question.load.group][self.snapshot.names[row]] -= 1
        return row

    def _sum(self, row: int) -> None:
        draft, base = self.snapshot, self.base
        reserved, used = base.reserved[row].copy(), base.used[row].copy()
        added = np.zeros_like(used)
        for ticket in sorted(self.held[row]):
            demand = self.held[row][ticket].demand
            reserved += demand
            added += demand
        draft.reserved[row], draft.used[row] = reserved, used + added
        draft.expected[row] = np.where(base.expected[row] > 0.0, base.expected[row] + added, 0.0)
        if self._index is not None:
            self._index.changed(np.array([row]))

    def _indexed(self) -> Index:
        if self._index is None:
            columns = self.snapshot
            self._index = Index(
                columns.capacity,
                columns.reserved,
                columns.used,
                columns.expected,
                columns.reported_at,
                columns.flags,
                columns.dimensions.kinds,
                ALL_FLAGS,
            )
        return self._index

    def _counted(self, load: Load) -> Load:
        if not self._groups or not (load.spread or load.near or load.apart):
            return load
        spread = tuple(
            replace(each, taken=self._more(each.taken, load.group, each.level)) for each in load.spread
        )
        return replace(
            load, spread=spread, near=self._companies(load.near), apart=self._companies(load.apart)
        )

    def _companies(self, companies: tuple[Company, ...]) -> tuple[Company, ...]:
        return tuple(
            replace(each, found=self._more(each.found, each.group, each.level)) for each in companies
        )

    def _more(self, counts: Mapping[str, int], group: str, level: str) -> dict[str, int]:
        total = Counter(counts)
        for host, count in self._groups.get(group, {}).items():
            name = domain(self.snapshot, level, self.snapshot.rows[host])
            if name is not None:
                total[name] += count
        return dict(total)
