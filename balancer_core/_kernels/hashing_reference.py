"""The contract of hashing.pyx in plain Python: obviously right and slow.

Tests hold the compiled code to these results on every input. It is never a fallback.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

_WORD = (1 << 64) - 1


def mix(word: int) -> int:
    """Add the golden ratio, then twice "xor the high half down, multiply", then once more the first."""
    word = (word + 0x9E3779B97F4A7C15) & _WORD
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 & _WORD
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB & _WORD
    return word ^ (word >> 31)


def digest(key: str | bytes, seed: int = 0) -> int:
    """Eight bytes at a time into a state that began as seed and length; the last ones padded with zeros."""
    raw = key.encode() if isinstance(key, str) else key
    state = mix(seed ^ mix(len(raw)))
    for place in range(0, len(raw), 8):
        state = mix(state ^ int.from_bytes(raw[place : place + 8], "little"))
    return state


def draw(hashed: int) -> float:
    """52 bits of a hash as a number strictly between 0 and 1."""
    return ((hashed >> 12) + 0.5) / 2.0**52


def bounded(
    hashed: int,
    seeds: Sequence[int],
    weights: Sequence[float],
    loads: Sequence[int],
    allowances: Sequence[float],
    total: int,
) -> int:
    """The first row of the least cost, among those below their bound; -1 if none is.

    A total below 0: all and one.
    """
    if total < 0:
        total = sum(loads) + 1
    open_rows = [row for row in range(len(seeds)) if loads[row] < math.ceil(allowances[row] * total)]
    costs = [(-math.log(draw(mix(hashed ^ seeds[row]))) / weights[row], row) for row in open_rows]
    return min(costs)[1] if costs else -1


def rendezvous(hashed: int, seeds: Sequence[int], weights: Sequence[float]) -> int:
    """The first row of the least cost."""
    return bounded(hashed, seeds, weights, [0] * len(seeds), [1.0] * len(seeds), 1)


def jump(hashed: int, buckets: int) -> int:
    """The last of the growing numbers of buckets at which this hash would have moved."""
    here, there = -1, 0
    while there < buckets:
        here = there
        hashed = (hashed * 2862933555777941757 + 1) & _WORD
        there = int((here + 1) * (2.0**31 / ((hashed >> 33) + 1)))
    return here


def maglev_fill(
    starts: Sequence[int], strides: Sequence[int], turns: Sequence[float], size: int
) -> list[int]:
    """Members take turns, each the first slot of its own order that is still free."""
    table = [-1] * size
    taken, steps, owed = 0, [0] * len(starts), [0.0] * len(starts)
    while True:
        for row, turn in enumerate(turns):
            owed[row] += turn
            if owed[row] < 1.0:
                continue
            owed[row] -= 1.0
            while table[slot := (starts[row] + steps[row] * strides[row]) % size] >= 0:
                steps[row] += 1
            table[slot] = row
            taken += 1
            if taken == size:
                return table
