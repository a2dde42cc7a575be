"""One pass over the hosts: filter, score, and the best few."""

import numpy as np
from numpy.typing import NDArray

#: The most places that top_rows and top_totals may have.
MAX_TOP: int

def scan(
    capacity: NDArray[np.float64],
    reserved: NDArray[np.float64],
    used: NDArray[np.float64],
    reported_at: NDArray[np.float64],
    flags: NDArray[np.uint8],
    admissible: NDArray[np.uint8],
    blocked: int,
    demand: NDArray[np.float64],
    weights: NDArray[np.float64],
    kinds: NDArray[np.uint8],
    mode: int,
    now: float,
    top_rows: NDArray[np.int64],
    top_totals: NDArray[np.float64],
) -> int:
    """Fill top_rows and top_totals with the best hosts, best first, and return how many hosts could take the
    load.

    capacity, reserved, used: float64[H, R], C-contiguous. reported_at: float64[H]. flags, admissible:
    uint8[H].
    demand, weights: float64[R]; kinds: uint8[R]. mode: a score's MODE. now: same clock as reported_at.
    top_rows: int64[k], top_totals: float64[k], 1 <= k <= MAX_TOP; places beyond the number found are left
    alone. A host takes part if it is admissible, has none of the blocked flags, and fits (filters.fits).
    Totals are the sums of the score's terms(), bit for bit; a total that is not finite leaves its host out.
    Equal totals: the lower row first. O(H R), releases the GIL, allocates nothing.
    Errors: ValueError for shapes that disagree, k out of range or an unknown mode.
    """
