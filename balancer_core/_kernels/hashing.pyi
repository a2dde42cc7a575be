"""Hashing, and the picks that are made of it.

Hashes and seeds: uint64. Arrays are C-contiguous. Everything named *_many releases the GIL, but for
digest_many, which reads Python strings. Errors: ValueError for shapes that disagree, TypeError for a key of
another type.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

def mix(word: int) -> int:
    """A bijection of 64-bit words in which every bit in moves every bit out with a chance near one half."""

def digest(key: str | bytes, seed: int = 0) -> int:
    """The 64-bit hash of a key, a str as its UTF-8. Errors: UnicodeEncodeError for a str that has none."""

def digest_many(keys: Sequence[str | bytes], seed: int, hashes: NDArray[np.uint64]) -> None:
    """Fill hashes[K] with the digest of each key."""

class Ranker:
    """Members that a key ranks. seeds: uint64[N], weights: float64[N] above 0; seed: the keys'.

    The arrays are held, not copied. Errors: ValueError for shapes that disagree or no members.
    """

    def __init__(self, seeds: NDArray[np.uint64], weights: NDArray[np.float64], seed: int = 0) -> None: ...
    def pick(self, key: str | bytes) -> int:
        """The row of the least -ln(draw) / weight, the lower row where two are equal. O(N)."""

    def pick_bounded(
        self, key: str | bytes, loads: NDArray[np.int64], allowances: NDArray[np.float64], total: int = -1
    ) -> int:
        """As pick(), among the rows whose load is below ceil(allowance * total); -1 if there is none.

        A total below 0 stands for all loads and one more.
        """

def rendezvous_many(
    hashes: NDArray[np.uint64],
    seeds: NDArray[np.uint64],
    weights: NDArray[np.float64],
    rows: NDArray[np.int64],
) -> None:
    """Fill rows[K] with what Ranker.pick() finds for each hash. O(K N)."""

def bounded_many(
    hashes: NDArray[np.uint64],
    seeds: NDArray[np.uint64],
    weights: NDArray[np.float64],
    loads: NDArray[np.int64],
    allowances: NDArray[np.float64],
    total: int,
    rows: NDArray[np.int64],
) -> None:
    """Fill rows[K] as pick_bounded(), in order, each raising its row's load by 1. loads is written."""

def jump(hash: int, buckets: int) -> int:  # noqa: A002
    """The bucket, 0 to buckets - 1. O(ln buckets) expected."""

def jump_many(hashes: NDArray[np.uint64], buckets: int, rows: NDArray[np.int64]) -> None:
    """Fill rows[K] with the bucket of each hash."""

def maglev_fill(
    starts: NDArray[np.int64],
    strides: NDArray[np.int64],
    turns: NDArray[np.float64],
    at: NDArray[np.int64],
    owed: NDArray[np.float64],
    table: NDArray[np.int32],
) -> None:
    """Fill table[M] with rows; M is prime.

    starts, strides: each member's order of slots. turns: its share of the heaviest member's turns, in (0, 1],
    one of them 1. at, owed: room to work in, [N]. O(M ln M) expected. Errors: ValueError for values out of
    range.
    """
