"""One pass over the hosts: filter, score, the best few, and why the others not."""

import numpy as np
from numpy.typing import NDArray

#: The most places that top_rows and top_totals may have.
MAX_TOP: int

#: In `refused`: this host is not part of the pass, and nothing is noted of it.
ELSEWHERE: int

class Columns:
    """H hosts by R resources, not copied.

    capacity, reserved, used: float64[H, R]; expected: float32[H, R]; all C-contiguous. reported_at:
    float64[H], -inf for never. flags: uint8[H]. kinds: uint8[R].
    Errors: ValueError for shapes that disagree.
    """

    hosts: int
    width: int

    def __init__(
        self,
        capacity: NDArray[np.float64],
        reserved: NDArray[np.float64],
        used: NDArray[np.float64],
        expected: NDArray[np.float32],
        reported_at: NDArray[np.float64],
        flags: NDArray[np.uint8],
        kinds: NDArray[np.uint8],
    ) -> None: ...
    def scan(
        self,
        refused: NDArray[np.uint8],
        flag_codes: NDArray[np.uint8],
        fits_code: int,
        demand: NDArray[np.float64],
        weights: NDArray[np.float64],
        mode: int,
        now: float,
        verdicts: NDArray[np.uint8] | None,
        counts: NDArray[np.int64] | None,
        top_rows: NDArray[np.int64],
        top_totals: NDArray[np.float64],
    ) -> int:
        """Fill top_rows and top_totals with the best hosts, best first, and return how many could take the
        load.

        refused: uint8[H], 0 or the code of a rule that refused the host before, or ELSEWHERE. flag_codes:
        uint8[256], the code for a host with these flags, which counts before `refused`. fits_code: to which
        the grade of what is short (filters.fits) is added, and which counts last.
        demand, weights: float64[R]. mode: a score's MODE. now: same clock as reported_at.
        verdicts: uint8[H], where the code of the first refusal is written for each refused host; counts:
        int64[256], raised by one for each. Both or none.
        top_rows: int64[k], top_totals: float64[k], 1 <= k <= MAX_TOP; places beyond the number found are
        left alone.
        Totals are the sums of the score's terms(), bit for bit; a total that is not finite leaves its host
        out. Equal totals: the lower row first. O(H R), releases the GIL, allocates nothing.
        Errors: ValueError for shapes that disagree, k out of range or an unknown mode.
        """

    def terms(
        self,
        rows: NDArray[np.int64],
        demand: NDArray[np.float64],
        weights: NDArray[np.float64],
        mode: int,
        now: float,
        into: NDArray[np.float64],
    ) -> None:
        """Fill float64[k, R, 4] with what is in use before and after, the cost, and the part of both that is
        forecast alone, for each of these rows; shares of the capacity but for the cost. NaN for a resource
        that the host lacks, or that is not asked for and costs nothing. O(k R). Errors: ValueError."""
