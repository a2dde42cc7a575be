"""Search for a packing onto fewer hosts, or of more loads."""

import numpy as np
from numpy.typing import NDArray

def improve(
    free: NDArray[np.int64],
    sizes: NDArray[np.int64],
    weights: NDArray[np.float64],
    bound: int,
    steps: int,
    turn: int,
    swaps: int,
    heat: float,
    seed: int,
    rows: NDArray[np.int64],
) -> int:
    """Better `rows` in place, if a better packing is found; the steps it took, at most `steps`.

    First those without a host (-1) are pressed in, where some host is large enough; then, if none is left, the
    host in use that holds least is emptied again and again, at most `turn` steps each, until `bound` are in use.
    A step takes one load of the pool, places it where there is room, else where the loads that must leave for
    it have the least price together (at most three), and tries `swaps` random swaps. Prices begin as weights
    and grow for those that found no room. A swap that spreads the free room is taken with exp(gain / heat).

    free: int64[H, R]; sizes: int64[N, R] from 0; weights: float64[N] above 0; rows: int64[N], which must fit.
    Errors: ValueError for shapes that disagree, more than 64 resources, rows out of range, heat or turn not
    above 0; MemoryError.
    Cost: O(N R) a step, with few loads a host.
    """
