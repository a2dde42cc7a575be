"""The hash that every picker uses: keyed, 64 bits, the same on every machine and in every version of this
package.

Eight bytes at a time go through a bijection of 64-bit words (_kernels/hashing_reference.py has it in twenty
lines).

Properties
- Keyed: two seeds give two functions that have nothing to do with each other.
- Even: every bit of the key moves every bit of the hash with a chance near one half; tests measure it.
- Keys of one length up to 8 bytes never collide under one seed; others collide as chance has it, about 1 pair
  in 2^64.
- Stable: the values are a promise, and tests hold them. Changing them would move every session of every user.
- Not a defence: whoever knows the seed can make keys that collide. For secrets and digests of files use
  hashlib.

Why not hash(): it differs from process to process. Why not hashlib: ten times slower on short keys, and for
strength that picking does not need.
Source of the constants: the finaliser of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number
generators, OOPSLA 2014), in the variant 13 of David Stafford.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from balancer_core._kernels.hashing import digest, digest_many
from balancer_core.errors import InvalidInput

__all__ = ["InvalidMembers", "check_seed", "digest", "digests"]


class InvalidMembers(InvalidInput):
    """Members, or a picker's own figures, that nothing can be picked with; field says which part."""


def check_seed(seed: int) -> int:
    """The seed if it is a 64-bit word. Errors: InvalidMembers with field seed."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**64:
        raise InvalidMembers("seed", "out_of_range", f"{seed!r} is not a whole number from 0 to 2^64 - 1.")
    return seed


def digests(keys: Sequence[str | bytes], seed: int = 0) -> NDArray[np.uint64]:
    """uint64[K]: digest() of each key. O(bytes).

    Errors: TypeError for a key that is neither str nor bytes, UnicodeEncodeError for a str that UTF-8 cannot
    carry.
    """
    hashes = np.empty(len(keys), dtype=np.uint64)
    digest_many(keys, seed, hashes)
    return hashes
