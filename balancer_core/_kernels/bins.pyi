"""Rules that pack loads onto hosts; bins_reference.py says what they mean."""

import numpy as np
from numpy.typing import NDArray

def fill(
    free: NDArray[np.int64],
    sizes: NDArray[np.int64],
    weights: NDArray[np.float64],
    by_distance: bool,
    left: NDArray[np.int64],
    waiting: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> None:
    """Fill host after host, each with the load of the best score that still fits, until none does.

    Score: sum over resources of weight x size x left (the dot product), or by_distance - weight x (left - size)^2.
    Equal scores: the first load.

    free: int64[H, R]; sizes: int64[N, R]; weights: float64[R].
    left: int64[H, R], scratch; waiting: int64[N], scratch; rows: int64[N], the answer, -1 where no host had room.
    Errors: ValueError for shapes that disagree. Cost: O(N^2 R + H R).
    """

def place_all(
    sizes: NDArray[np.int64],
    order: NDArray[np.int64],
    weights: NDArray[np.float64],
    rule: int,
    left: NDArray[np.int64],
    opened: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> None:
    """Place the loads of `order` one by one and for good: on the best host in use with room, else the first other.

    rule: 0 the first host in use; 1 the least sum of weight x (left after it)^2; 2 the least of that sum as a
    part of what it was before. Equal scores: the first host.

    sizes: int64[N, R]; order: int64[K] of loads; weights: float64[R].
    left: int64[H, R], what is free before and after; opened: int64[H], scratch; rows: int64[N], set for the
    loads of `order`, -1 where no host had room.
    Errors: ValueError for shapes that disagree, or a load that there is not. Cost: O(K H R).
    """
