# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Hashing, and the picks that are made of it. The contract is in hashing.pyi, the meaning in hashing_reference.py.

The order of every floating-point operation is the reference's, so that the picks are the same; hence also no fused
multiply-add (-ffp-contract=off).
"""

from cpython.bytes cimport PyBytes_AsStringAndSize
from cpython.unicode cimport PyUnicode_AsUTF8AndSize
from libc.math cimport ceil, log
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy

cdef extern from *:
    """
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    #define steelyard_little(word) __builtin_bswap64(word)
    #else
    #define steelyard_little(word) (word)
    #endif
    """
    uint64_t steelyard_little(uint64_t word) noexcept nogil

cdef enum:
    WORD = 8

cdef uint64_t GOLDEN = 0x9E3779B97F4A7C15
cdef uint64_t FIRST = 0xBF58476D1CE4E5B9
cdef uint64_t SECOND = 0x94D049BB133111EB
cdef uint64_t STEP = 2862933555777941757


cdef inline uint64_t mixed(uint64_t word) noexcept nogil:
    word += GOLDEN
    word = (word ^ (word >> 30)) * FIRST
    word = (word ^ (word >> 27)) * SECOND
    return word ^ (word >> 31)


cdef inline uint64_t hashed(const char* text, Py_ssize_t length, uint64_t seed) noexcept nogil:
    cdef uint64_t state = mixed(seed ^ mixed(<uint64_t>length))
    cdef uint64_t word
    while length >= WORD:
        memcpy(&word, text, WORD)
        state = mixed(state ^ steelyard_little(word))
        text += WORD
        length -= WORD
    if length:
        word = 0
        memcpy(&word, text, length)
        state = mixed(state ^ steelyard_little(word))
    return state


cdef inline double draw(uint64_t hash) noexcept nogil:
    """Strictly between 0 and 1, both the draw and 1 - draw exact."""
    return (<double>(hash >> 12) + 0.5) * (1.0 / 4503599627370496.0)


cdef inline Py_ssize_t best(
    uint64_t hash, const uint64_t* seeds, const double* weights, Py_ssize_t count, const int64_t* loads,
    const double* allowances, double total,
) noexcept nogil:
    """The row of the least -ln(draw) / weight, among those below their bound if there are allowances; -1 if none is."""
    cdef Py_ssize_t row, found = -1
    cdef double least = 0.0
    cdef double drawn, cost
    for row in range(count):
        if allowances != NULL and <double>loads[row] >= ceil(allowances[row] * total):
            continue
        drawn = draw(mixed(hash ^ seeds[row]))
        # -ln(x) is never below 1 - x, so that most logarithms need not be computed.
        if found >= 0 and (1.0 - drawn) / weights[row] >= least:
            continue
        cost = -log(drawn) / weights[row]
        if found < 0 or cost < least:
            least = cost
            found = row
    return found


cdef inline int32_t jumped(uint64_t hash, int32_t buckets) noexcept nogil:
    cdef int64_t here = -1
    cdef int64_t there = 0
    while there < buckets:
        here = there
        hash = hash * STEP + 1
        there = <int64_t>(<double>(here + 1) * (2147483648.0 / <double>((hash >> 33) + 1)))
    return <int32_t>here


cdef inline uint64_t hash_of(object key, uint64_t seed) except? 0:
    cdef char* raw = NULL
    cdef const char* text
    cdef Py_ssize_t length = 0
    if isinstance(key, str):
        text = PyUnicode_AsUTF8AndSize(key, &length)
        return hashed(text, length, seed)
    if isinstance(key, bytes):
        PyBytes_AsStringAndSize(key, &raw, &length)
        return hashed(raw, length, seed)
    raise TypeError(f"a key is str or bytes, not {type(key).__name__}")


def mix(uint64_t word):
    """See hashing.pyi."""
    return mixed(word)


def digest(key, uint64_t seed=0):
    """See hashing.pyi."""
    return hash_of(key, seed)


def digest_many(keys, uint64_t seed, uint64_t[::1] hashes not None):
    """See hashing.pyi."""
    cdef Py_ssize_t place = 0
    if len(keys) != hashes.shape[0]:
        raise ValueError("as many hashes as keys")
    for key in keys:
        if place >= hashes.shape[0]:
            raise ValueError("more keys than there were")
        hashes[place] = hash_of(key, seed)
        place += 1


cdef class Ranker:
    """See hashing.pyi. Holds its arrays, so that a pick need not ask for them again."""

    cdef const uint64_t[::1] seeds
    cdef const double[::1] weights
    cdef uint64_t seed

    def __cinit__(
        self, const uint64_t[::1] seeds not None, const double[::1] weights not None, uint64_t seed=0,
    ):
        if not 1 <= seeds.shape[0] == weights.shape[0]:
            raise ValueError("one weight a seed, at least one")
        self.seeds = seeds
        self.weights = weights
        self.seed = seed

    def pick(self, key):
        """See hashing.pyi."""
        return best(hash_of(key, self.seed), &self.seeds[0], &self.weights[0], self.seeds.shape[0], NULL, NULL, 0.0)

    def pick_bounded(
        self, key, const int64_t[::1] loads not None, const double[::1] allowances not None, int64_t total=-1,
    ):
        """See hashing.pyi."""
        cdef Py_ssize_t row
        if not self.seeds.shape[0] == loads.shape[0] == allowances.shape[0]:
            raise ValueError("one load and allowance a member")
        if total < 0:
            total = 1
            for row in range(loads.shape[0]):
                total += loads[row]
        return best(
            hash_of(key, self.seed), &self.seeds[0], &self.weights[0], self.seeds.shape[0], &loads[0], &allowances[0],
            <double>total,
        )


def rendezvous_many(
    const uint64_t[::1] hashes not None, const uint64_t[::1] seeds not None, const double[::1] weights not None,
    int64_t[::1] rows not None,
):
    """See hashing.pyi."""
    cdef Py_ssize_t place
    if not 1 <= seeds.shape[0] == weights.shape[0] or hashes.shape[0] != rows.shape[0]:
        raise ValueError("one weight a seed, at least one; one row a hash")
    with nogil:
        for place in range(hashes.shape[0]):
            rows[place] = best(hashes[place], &seeds[0], &weights[0], seeds.shape[0], NULL, NULL, 0.0)


def bounded_many(
    const uint64_t[::1] hashes not None, const uint64_t[::1] seeds not None, const double[::1] weights not None,
    int64_t[::1] loads not None, const double[::1] allowances not None, int64_t total, int64_t[::1] rows not None,
):
    """See hashing.pyi."""
    cdef Py_ssize_t place, row
    if (
        not 1 <= seeds.shape[0] == weights.shape[0] == loads.shape[0] == allowances.shape[0]
        or hashes.shape[0] != rows.shape[0]
    ):
        raise ValueError("one weight, load and allowance a seed, at least one; one row a hash")
    with nogil:
        for place in range(hashes.shape[0]):
            row = best(hashes[place], &seeds[0], &weights[0], seeds.shape[0], &loads[0], &allowances[0], <double>total)
            rows[place] = row
            if row >= 0:
                loads[row] += 1


def jump(uint64_t hash, int32_t buckets):
    """See hashing.pyi."""
    if buckets < 1:
        raise ValueError("at least one bucket")
    return jumped(hash, buckets)


def jump_many(const uint64_t[::1] hashes not None, int32_t buckets, int64_t[::1] rows not None):
    """See hashing.pyi."""
    cdef Py_ssize_t place
    if buckets < 1 or hashes.shape[0] != rows.shape[0]:
        raise ValueError("at least one bucket; one row a hash")
    with nogil:
        for place in range(hashes.shape[0]):
            rows[place] = jumped(hashes[place], buckets)


def maglev_fill(
    const int64_t[::1] starts not None, const int64_t[::1] strides not None, const double[::1] turns not None,
    int64_t[::1] at not None, double[::1] owed not None, int32_t[::1] table not None,
):
    """See hashing.pyi."""
    cdef Py_ssize_t count = starts.shape[0]
    cdef int64_t size = table.shape[0]
    cdef int64_t filled = 0
    cdef int64_t slot, tried
    cdef Py_ssize_t row
    if not 1 <= count == strides.shape[0] == turns.shape[0] == at.shape[0] == owed.shape[0] or count > size:
        raise ValueError("one start, stride and turn a member, at least one, and no more than slots")
    for row in range(count):
        if not (0 <= starts[row] < size and 1 <= strides[row] < size and 0.0 < turns[row] <= 1.0):
            raise ValueError("a start, stride or turn is out of range")
    for row in range(count):
        if turns[row] == 1.0:
            break
    else:
        raise ValueError("the heaviest member's turn is 1")
    with nogil:
        for slot in range(size):
            table[slot] = -1
        for row in range(count):
            at[row] = starts[row]
            owed[row] = 0.0
        while filled < size:
            for row in range(count):
                owed[row] += turns[row]
                if owed[row] < 1.0:
                    continue
                owed[row] -= 1.0
                slot = at[row]
                tried = 0
                while table[slot] >= 0:
                    tried += 1
                    if tried == size:
                        with gil:
                            raise ValueError("the table's size is not prime")
                    slot += strides[row]
                    if slot >= size:
                        slot -= size
                table[slot] = <int32_t>row
                at[row] = slot
                filled += 1
                if filled == size:
                    break
