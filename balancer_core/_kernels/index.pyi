"""An index over live columns: the exact best hosts without a pass over all, and reserving on the best."""

import numpy as np
from numpy.typing import NDArray

class Index:
    """Over H hosts, H >= 1. The columns are not copied; reserved is written by place().

    Whoever else writes a column says so with changed() before the next call.
    Values are finite and not negative. Results are those of place.Columns.scan on the same columns, bit for bit, at
    any `now`: which hosts were not looked at never shows.
    Memory: about 21 + 8.6 R bytes a host beside the columns, and 12 to 24 for equal shapes.
    Errors: ValueError for shapes that disagree, no hosts, k out of range, an unknown mode, or now not finite.
    """

    def __init__(
        self,
        capacity: NDArray[np.float64],
        reserved: NDArray[np.float64],
        used: NDArray[np.float64],
        expected: NDArray[np.float32],
        reported_at: NDArray[np.float64],
        flags: NDArray[np.uint8],
        kinds: NDArray[np.uint8],
        blocked: int,
    ) -> None: ...
    def changed(self, rows: NDArray[np.int64]) -> None:
        """These hosts' columns were written from outside."""

    def find(
        self,
        demand: NDArray[np.float64],
        weights: NDArray[np.float64],
        mode: int,
        now: float,
        admissible: NDArray[np.uint8] | None,
        top_rows: NDArray[np.int64],
        top_totals: NDArray[np.float64],
    ) -> int:
        """Fill top_rows and top_totals as scan() does, and return how many were found (not how many could).

        admissible: uint8[H], or None for all.
        """

    def place(
        self,
        demands: NDArray[np.float64],
        weights: NDArray[np.float64],
        mode: int,
        now: float,
        rows: NDArray[np.int64],
        totals: NDArray[np.float64],
    ) -> int:
        """Decide float64[N, R] in order, each reserved before the next; returns how many were placed.

        rows: int64[N], -1 where no host could take it; totals: float64[N] of those placed. Releases the GIL.
        """

    @property
    def work(self) -> tuple[int, int]:
        """Groups visited and hosts looked at by all searches so far: counts of work, not of time."""
