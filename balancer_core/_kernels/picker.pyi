"""Which endpoint takes a request: picker.h, as it also runs inside Envoy.

Arrays are C-contiguous, one number an endpoint. Seconds are any monotonic clock's. A pool has one writer at a time.
"""

import numpy as np
from numpy.typing import NDArray

def uniform(state: int) -> tuple[float, int]:
    """The next number in [0, 1) of a state (0 to 2**64 - 1), and the state after it."""

def own_load(pickers: float) -> float:
    """What a request in flight from one of so many pickers (at least 1) stands for, in requests."""

class Pool:
    """Endpoints that one picker chooses among, and what it learned of them.

    capacities: float64[N] from 1e-100 to 1e100, in any one unit. near: so many first endpoints are in the
    picker's zone. pickers: how many share the pool. slow_start_s: how long a newcomer takes to its whole capacity;
    at a share of that time it has that share to the ramp_power of its capacity, and never less than least_ramp of it.
    spill: how many times another zone's delay the own zone may have. seed: of the draws. Errors: ValueError.
    """

    def __init__(
        self,
        capacities: NDArray[np.float64],
        *,
        near: int = 0,
        pickers: float = 1.0,
        slow_start_s: float = 0.0,
        ramp_power: float = 1.0,
        least_ramp: float = 0.1,
        spill: float = 1.0,
        seed: int = 0,
    ) -> None: ...
    def __len__(self) -> int: ...
    def join(
        self, row: int, capacity: float, joined_s: float, now_s: float, successes: int = 0, errors: int = 0
    ) -> None:
        """Another endpoint in this row, without a past. joined_s: -inf if it is warm. O(N)."""

    def set_capacity(self, row: int, capacity: float) -> None:
        """The same endpoint, which can do more or less than was thought. O(N)."""

    def set_window(
        self,
        row: int,
        period_s: float,
        cores: float,
        requests: float,
        now_s: float,
        successes: int = 0,
        errors: int = 0,
    ) -> None:
        """The row's host runs at full speed until it has used cores x period_s in a period, then it stands still.

        requests: that a whole window serves. successes, errors: as they are at now_s. Said again with another number of
        requests, what was learnt stays; with another period it is forgotten, as when another endpoint joins in
        the row. Errors: ValueError for numbers beyond 1e-100 and 1e100.
        """

    def window(self, row: int) -> tuple[bool, float, float, float, float] | None:
        """What is known of the row's windows: whether they are gone by, when one began, the variance of that (s^2), how
        many requests' worth of the present one are used, and how much of the oldest request in flight is done.
        None where it has none."""

    def costs(self) -> list[float]:
        """What a request would cost each if it were idle: 1 / (capacity, success rate squared, ramp)."""

    def pick(
        self,
        in_flight: NDArray[np.int64],
        now_s: float,
        successes: NDArray[np.uint64] | None = None,
        errors: NDArray[np.uint64] | None = None,
        tried: NDArray[np.uint8] | None = None,
    ) -> int:
        """The row that takes a request; -1 if there is none, or none that was not tried.

        in_flight: int64[N]. successes, errors: counters that only grow; tried: flags. Cost: O(N) up to 64 endpoints,
        16 drawn in O(1) each above. Errors: ValueError for shapes that disagree.
        """
