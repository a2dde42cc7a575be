"""Placer: decide and reserve on the live cluster, as fast as the kernels can.

Where decide() makes one explained Decision on a snapshot, a Placer keeps an index over live columns
(_kernels/bounds.pyx for mixed shapes, _kernels/tournament.pyx for equal ones) and answers with a row.
The answers are the same: lowest total, then lowest row, bit for bit, at any `now`. A host's doubt grows with
every second beyond the grace, and the index follows it exactly; a `now` that goes back costs a whole pass.

Assumptions: one writer, the owner of the cluster. Changes made through the Cluster are noticed.
Cost: a few microseconds a decision at 10,000 hosts, and about twice that at 100,000 (bench/decisions.py).
A changed host costs O(R log H), one that joins or leaves O(H R log H) at the next decision.
When not to use it: for what a person will read (decide), or with a policy other than spread where all shapes
differ, since every host is looked at then.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from balancer_core import preferences
from balancer_core._kernels import MAX_TOP, Index
from balancer_core.cluster.columns import ALL_FLAGS, Cluster
from balancer_core.errors import InvalidInput
from balancer_core.filters import PRECOMPUTED
from balancer_core.load import InvalidLoad, Load
from balancer_core.policies import POLICIES, Policy, check_options, weights
from balancer_core.question import Question
from balancer_core.resources import AMOUNT_LIMIT, LEAST_AMOUNT


class Placer:
    """Over one Cluster, whose owner it serves."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._index: Index | None = None
        self._version = -1

    def best(self, load: Load, now: float, top: int = 1) -> list[tuple[int, float]]:
        """The best rows and their totals, best first, at most top; none where no host may take it.

        Every rule that decide() knows is applied. Errors: InvalidLoad, as decide().
        """
        question = Question.put(self.cluster.view(), load, now)
        if not 1 <= top <= MAX_TOP:
            raise InvalidLoad("top", "out_of_range", f"{top} candidates; 1 to {MAX_TOP} can be kept.")
        index = self._followed()
        if index is None:
            return []
        admissible: NDArray[np.uint8] | None = None
        for rule in PRECOMPUTED.values():
            verdict = rule.judge(question)
            if verdict is not None:
                passed = (verdict == 0).astype(np.uint8)
                admissible = passed if admissible is None else admissible & passed
        charges = preferences.charges(question)
        if charges is None:
            return _find(index, question, admissible, top)
        # One search for each distinct charge of the soft terms, as in placement.
        mask = np.ones(len(self.cluster), dtype=np.uint8) if admissible is None else admissible
        merged = [
            (total + charge, row)
            for charge in np.unique(charges[mask > 0]).tolist()
            for row, total in _find(index, question, mask & (charges == charge), top)
        ]
        return [(row, total) for total, row in sorted(merged)[:top]]

    def place(self, load: Load, now: float) -> int | None:
        """Reserve the load on the best host; its row, None where no host may take it. Errors: InvalidLoad."""
        found = self.best(load, now)
        if not found:
            return None
        row = found[0][0]
        self.cluster.reserve(self.cluster.names[row], self.cluster.dimensions.vector(load.demand, "demand"))
        return row

    def place_many(
        self,
        demands: NDArray[np.float64],
        now: float,
        policy: str = "spread",
        options: Mapping[str, Any] | None = None,
    ) -> NDArray[np.int64]:
        """Reserve float64[N, R] in order, with no other constraint; int64[N] rows, -1 where none had room.

        Everything is checked before anything is reserved.
        Errors: InvalidLoad naming the field ("3.demand.memory"), or the option.
        """
        cluster = self.cluster
        checked = self._checked(demands)
        if policy not in POLICIES:
            reason = f"{str(policy)[:80]!r} is none of {', '.join(POLICIES)}."
            raise InvalidLoad("policy", "unknown_policy", reason)
        if not math.isfinite(now):
            raise InvalidLoad("now", "not_finite", f"{now!r} is not a time.")
        try:
            check_options(options or {}, POLICIES[policy].SCHEMA)
            weighed = weights(options or {}, cluster.dimensions)
        except InvalidInput as error:
            raise InvalidLoad(error.field, error.code, error.reason) from None
        rows: NDArray[np.int64] = np.full(len(checked), -1, dtype=np.int64)
        index = self._followed()
        if index is not None and len(checked):
            index.place(checked, weighed, _mode(POLICIES[policy]), now, rows, np.empty(len(checked)))
            cluster.reserved_on(rows[rows >= 0].tolist())
            self._version = cluster.version
        return rows

    @property
    def work(self) -> tuple[int, int]:
        """Groups of hosts visited, and hosts whose exact total was computed, by searches so far."""
        return (0, 0) if self._index is None else self._index.work

    def _followed(self) -> Index | None:
        """The index, brought up to what the cluster is now; None for a cluster without hosts."""
        cluster = self.cluster
        if self._version != cluster.version:
            changes = cluster.changes_since(self._version)
            if changes is None or self._index is None:
                self._index = self._made()
            else:
                self._index.changed(np.array(changes, dtype=np.int64))
            self._version = cluster.version
        return self._index

    def _made(self) -> Index | None:
        view = self.cluster.view()
        if not len(view):
            return None
        return Index(
            view.capacity,
            self.cluster.open_reserved(),
            view.used,
            view.expected,
            view.reported_at,
            view.flags,
            view.dimensions.kinds,
            ALL_FLAGS,
        )

    def _checked(self, demands: NDArray[np.float64]) -> NDArray[np.float64]:
        names = self.cluster.dimensions.names
        checked: NDArray[np.float64] = np.ascontiguousarray(demands, dtype=np.float64)
        if checked.ndim != 2 or checked.shape[1] != len(names):
            raise InvalidLoad("demand", "wrong_shape", f"demands are rows of {len(names)} resources.")
        small = (checked > 0.0) & (checked < LEAST_AMOUNT)
        # Written so that NaN counts as wrong.
        wrong = ~((checked >= 0.0) & (checked < AMOUNT_LIMIT)) | small
        if wrong.any():
            number, r = (int(part) for part in np.argwhere(wrong)[0])
            amount = float(checked[number, r])
            reason = f"{amount!r} is not 0 or an amount from {LEAST_AMOUNT:g} up to {AMOUNT_LIMIT:g}."
            raise InvalidLoad(f"{number}.demand.{names[r]}", "invalid_amount", reason)
        return checked


def _find(
    index: Index, question: Question, admissible: NDArray[np.uint8] | None, top: int
) -> list[tuple[int, float]]:
    rows, totals = np.empty(top, dtype=np.int64), np.empty(top)
    mode = _mode(question.policy)
    held = index.find(question.demand, question.weights, mode, question.now, admissible, rows, totals)
    return list(zip(rows[:held].tolist(), totals[:held].tolist(), strict=True))


def _mode(policy: Policy) -> int:
    """The kernel's number of the policy's score. Errors: InvalidLoad, code not_compiled."""
    if policy.SCORE.MODE is None:
        reason = (
            f"the score of {policy.NAME} is not compiled, so there is no index for it; decide() knows it."
        )
        raise InvalidLoad("policy", "not_compiled", reason)
    return policy.SCORE.MODE
