"""How many loads of each typical shape hosts have room for, summed by weight."""

import numpy as np
from numpy.typing import NDArray

def worth(
    free: NDArray[np.int64],
    devices: NDArray[np.int64],
    kinds: NDArray[np.int64],
    amounts: NDArray[np.int64],
    counts: NDArray[np.int64],
    parts: NDArray[np.int64],
    allowed: NDArray[np.uint64],
    weights: NDArray[np.float64],
    whole: int,
    most: int,
    totals: NDArray[np.float64],
) -> None:
    """totals[h] = sum over shapes m of weights[m] * the copies of m that host h has room for.

    No more than `most` copies of a shape are counted.

    free: int64[H, A]; devices: int64[H, G] free parts of `whole`; kinds: int64[H], 0 to 63.
    amounts: int64[M, A]; counts, parts: int64[M]; allowed: uint64[M], a bit a kind; weights: float64[M].
    Errors: ValueError for shapes that disagree, a kind out of range, parts below 1.
    """
