"""Failure domains of the hosts of a question: which one each host is in, and how many of a group that
holds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from balancer_core.cluster.snapshot import Snapshot
from balancer_core.constraints import HOST


def domain(snapshot: Snapshot, level: str, row: int) -> str | None:
    """The domain of one host: its own name, or its label's value; None where it lacks the label."""
    return snapshot.names[row] if level == HOST else snapshot.labels.rows[row].get(level)


def holding(snapshot: Snapshot, level: str, counts: Mapping[str, int]) -> NDArray[np.int64]:
    """int64[H]: the count of each host's domain, 0 where none is stated, -1 where the domain is unknown.
    O(H)."""
    if level == HOST:
        held = np.zeros(len(snapshot), dtype=np.int64)
        for name, count in counts.items():
            if name in snapshot.rows:
                held[snapshot.rows[name]] = count
        return held
    column, numbers = snapshot.labels.column(level)
    by_number = np.zeros(len(numbers) + 1, dtype=np.int64)
    for value, count in counts.items():
        if value in numbers:
            by_number[numbers[value]] = count
    by_number[-1] = -1  # column's -1, no label, reads the last
    return by_number[column]
