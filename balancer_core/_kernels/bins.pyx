# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Vector bin packing. The contract is in bins.pyi, what the rules mean in bins_reference.py."""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free as release, malloc
from libc.string cimport memcpy

cdef struct Search:
    Py_ssize_t loads
    Py_ssize_t hosts
    Py_ssize_t wide
    const int64_t* sizes
    int64_t* left
    int64_t* rows
    int64_t* first
    int64_t* after
    int64_t* before
    int64_t* pool
    int64_t* slot
    Py_ssize_t pooled
    double* costs
    double* weights
    uint8_t* shut
    int64_t* crew
    int64_t* open_rows
    Py_ssize_t opened
    uint64_t state


cdef inline uint64_t drawn(Search* s) noexcept nogil:
    cdef uint64_t word
    s.state += 0x9E3779B97F4A7C15ULL
    word = s.state
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9ULL
    word = (word ^ (word >> 27)) * 0x94D049BB133111EBULL
    return word ^ (word >> 31)


cdef inline Py_ssize_t below(Search* s, Py_ssize_t count) noexcept nogil:
    return <Py_ssize_t>(((drawn(s) >> 32) * <uint64_t>count) >> 32)


cdef inline bint fits(const int64_t* size, const int64_t* left, Py_ssize_t wide) noexcept nogil:
    cdef Py_ssize_t r
    for r in range(wide):
        if size[r] > left[r]:
            return False
    return True


cdef inline void settle(Search* s, int64_t load, int64_t host) noexcept nogil:
    cdef Py_ssize_t r
    cdef int64_t head = s.first[host]
    for r in range(s.wide):
        s.left[host * s.wide + r] -= s.sizes[load * s.wide + r]
    s.rows[load] = host
    s.before[load] = -1
    s.after[load] = head
    if head >= 0:
        s.before[head] = load
    s.first[host] = load


cdef inline void lift(Search* s, int64_t load) noexcept nogil:
    cdef Py_ssize_t r
    cdef int64_t host = s.rows[load]
    for r in range(s.wide):
        s.left[host * s.wide + r] += s.sizes[load * s.wide + r]
    if s.before[load] >= 0:
        s.after[s.before[load]] = s.after[load]
    else:
        s.first[host] = s.after[load]
    if s.after[load] >= 0:
        s.before[s.after[load]] = s.before[load]
    s.rows[load] = -1


cdef inline void wait(Search* s, int64_t load) noexcept nogil:
    s.pool[s.pooled] = load
    s.pooled += 1


cdef void swap_some(Search* s, Py_ssize_t tries) noexcept nogil:
    """Random swaps of two loads, or moves of one, that fit."""
    cdef Py_ssize_t attempt, r, wide = s.wide
    cdef int64_t one, two, here, there
    cdef const int64_t* a
    cdef const int64_t* b
    cdef const int64_t* la
    cdef const int64_t* lb
    cdef bint ok
    for attempt in range(tries):
        one = below(s, s.loads)
        two = below(s, s.loads)
        here = s.rows[one]
        there = s.rows[two]
        if here == there or here < 0 or there < 0:
            continue
        a = s.sizes + one * wide
        b = s.sizes + two * wide
        la = s.left + here * wide
        lb = s.left + there * wide
        ok = True
        for r in range(wide):
            if b[r] - a[r] > la[r] or a[r] - b[r] > lb[r]:
                ok = False
                break
        if ok:
            lift(s, one)
            lift(s, two)
            settle(s, one, there)
            settle(s, two, here)


cdef bint insert(Search* s, int64_t load) noexcept nogil:
    """Place it on a random host with room."""
    cdef Py_ssize_t k, start = below(s, s.opened)
    cdef int64_t host
    for k in range(s.opened):
        host = s.open_rows[start]
        if fits(s.sizes + load * s.wide, s.left + host * s.wide, s.wide):
            settle(s, load, host)
            return True
        start += 1
        if start == s.opened:
            start = 0
    return False


cdef Py_ssize_t press(Search* s, Py_ssize_t steps, int mode, int swaps) noexcept nogil:
    """Place the pool, ejecting what costs least; steps used, the pool is empty on success."""
    cdef Py_ssize_t used = 0, wide = s.wide, k, r, crew, x, y, z, needs
    cdef int64_t load, host, got, e0, e1, e2, b0, b1, b2, best_host
    cdef int64_t need[64]
    cdef int64_t dims[64]
    cdef const int64_t* size
    cdef const int64_t* left
    cdef const int64_t* sx
    cdef const int64_t* sy
    cdef const int64_t* sz
    cdef double best, cost, cost2
    cdef bint ok
    cdef Py_ssize_t start
    while s.pooled and used < steps:
        used += 1
        if mode & 1:
            x = below(s, s.pooled)
            load = s.pool[x]
            s.pool[x] = s.pool[s.pooled - 1]
            s.pooled -= 1
        else:
            s.pooled -= 1
            load = s.pool[s.pooled]
        if insert(s, load):
            continue
        s.costs[load] += s.weights[load]
        best = 1e300
        best_host = -1
        b0 = b1 = b2 = -1
        size = s.sizes + load * wide
        start = below(s, s.opened)
        for k in range(s.opened):
            host = s.open_rows[start]
            start += 1
            if start == s.opened:
                start = 0
            left = s.left + host * wide
            needs = 0
            for r in range(wide):
                if size[r] > left[r]:
                    need[needs] = size[r] - left[r]
                    dims[needs] = r
                    needs += 1
            crew = 0
            got = s.first[host]
            while got >= 0:
                if s.costs[got] < best:
                    s.crew[crew] = got
                    crew += 1
                got = s.after[got]
            for x in range(crew):
                e0 = s.crew[x]
                cost = s.costs[e0]
                if cost >= best:
                    continue
                sx = s.sizes + e0 * wide
                ok = True
                for r in range(needs):
                    if sx[dims[r]] < need[r]:
                        ok = False
                        break
                if ok:
                    best = cost
                    best_host = host
                    b0 = e0
                    b1 = b2 = -1
                    continue
                for y in range(x):
                    e1 = s.crew[y]
                    cost2 = cost + s.costs[e1]
                    if cost2 >= best:
                        continue
                    sy = s.sizes + e1 * wide
                    ok = True
                    for r in range(needs):
                        if sx[dims[r]] + sy[dims[r]] < need[r]:
                            ok = False
                            break
                    if ok:
                        best = cost2
                        best_host = host
                        b0 = e0
                        b1 = e1
                        b2 = -1
                        continue
                    if not mode & 2:
                        continue
                    for z in range(y):
                        e2 = s.crew[z]
                        if cost2 + s.costs[e2] >= best:
                            continue
                        sz = s.sizes + e2 * wide
                        ok = True
                        for r in range(needs):
                            if sx[dims[r]] + sy[dims[r]] + sz[dims[r]] < need[r]:
                                ok = False
                                break
                        if ok:
                            best = cost2 + s.costs[e2]
                            best_host = host
                            b0 = e0
                            b1 = e1
                            b2 = e2
        if best_host < 0:
            # no set of at most three: back to the pool, at its far end
            wait(s, load)
            x = below(s, s.pooled)
            s.pool[s.pooled - 1] = s.pool[x]
            s.pool[x] = load
        else:
            lift(s, b0)
            wait(s, b0)
            if b1 >= 0:
                lift(s, b1)
                wait(s, b1)
            if b2 >= 0:
                lift(s, b2)
                wait(s, b2)
            settle(s, load, best_host)
            # who else fits there now
            x = 0
            while x < s.pooled:
                got = s.pool[x]
                if fits(s.sizes + got * wide, s.left + best_host * wide, wide):
                    settle(s, got, best_host)
                    s.pooled -= 1
                    s.pool[x] = s.pool[s.pooled]
                else:
                    x += 1
        if swaps:
            swap_some(s, swaps)
    return used


def improve(
    const int64_t[:, ::1] free not None, const int64_t[:, ::1] sizes not None, int64_t[::1] rows not None,
    const double[::1] weights not None, Py_ssize_t bound, uint64_t seed, Py_ssize_t steps, int mode, int swaps,
):
    """See bins.pyi."""
    cdef Search s
    cdef Py_ssize_t n = sizes.shape[0], H = free.shape[0], R = sizes.shape[1], i, r, used = 0, k, at
    cdef int64_t worst
    cdef double least, total
    cdef int64_t* block = <int64_t*>malloc((H * R + n * 7 + 2 * H + n) * sizeof(int64_t))
    cdef double* reals = <double*>malloc((2 * n) * sizeof(double))
    cdef uint8_t* shut = <uint8_t*>malloc(H)
    cdef int64_t* kept
    s.loads = n; s.hosts = H; s.wide = R
    s.sizes = &sizes[0, 0]
    s.left = block
    s.rows = s.left + H * R
    s.after = s.rows + n
    s.before = s.after + n
    s.pool = s.before + n
    s.crew = s.pool + n
    kept = s.crew + n
    s.first = kept + n
    s.open_rows = s.first + H
    s.costs = reals
    s.weights = reals + n
    s.shut = shut
    s.state = seed
    s.pooled = 0
    for i in range(H):
        s.first[i] = -1
        for r in range(R):
            s.left[i * R + r] = free[i, r]
    for i in range(n):
        s.weights[i] = weights[i]
        settle(&s, i, rows[i])
    with nogil:
        while used < steps:
            s.opened = 0
            least = 1e300
            worst = -1
            for i in range(H):
                if s.first[i] >= 0:
                    s.open_rows[s.opened] = i
                    total = 0
                    at = s.first[i]
                    while at >= 0:
                        total += s.weights[at]
                        at = s.after[at]
                    if total < least:
                        least = total
                        worst = s.opened
                    s.opened += 1
            for i in range(n):
                rows[i] = s.rows[i]
            if s.opened <= bound:
                break
            for i in range(n):
                s.costs[i] = s.weights[i] if not mode & 4 else 1.0
            if mode & 8:
                worst = below(&s, s.opened)
            i = s.open_rows[worst]
            s.opened -= 1
            s.open_rows[worst] = s.open_rows[s.opened]
            while s.first[i] >= 0:
                at = s.first[i]
                lift(&s, at)
                wait(&s, at)
            used += press(&s, steps - used, mode, swaps)
            if s.pooled:
                break
    release(block); release(reals); release(shut)
    return used


def fill(
    const int64_t[:, ::1] free not None, const int64_t[:, ::1] sizes not None, const double[::1] weights not None,
    int64_t[::1] rows not None, int norm,
):
    """See bins.pyi."""
    cdef Py_ssize_t n = sizes.shape[0], H = free.shape[0], R = sizes.shape[1], h, r, k, best, left_count = n, bi
    cdef int64_t left[64]
    cdef double score, top, v, nn
    cdef int64_t[::1] todo
    cdef int64_t i
    import numpy
    todo = numpy.arange(n)
    with nogil:
        for i in range(n):
            rows[i] = -1
        for h in range(H):
            if left_count == 0: break
            for r in range(R):
                left[r] = free[h, r]
            while True:
                best = -1
                top = -1e300
                for k in range(left_count):
                    i = todo[k]
                    score = 0
                    nn = 0
                    for r in range(R):
                        if sizes[i, r] > left[r]:
                            break
                        if norm == 0:
                            score += weights[r] * sizes[i, r] * left[r]
                        elif norm == 1:
                            v = weights[r] * (left[r] - sizes[i, r])
                            score -= v * v
                        elif norm == 2:
                            score += weights[r] * sizes[i, r] * left[r]
                            nn += weights[r] * sizes[i, r] * sizes[i, r]
                    else:
                        if norm == 2:
                            score = score / (nn ** 0.5 if nn > 0 else 1)
                        if score > top:
                            top = score
                            best = k
                if best < 0:
                    break
                i = todo[best]
                rows[i] = h
                for r in range(R):
                    left[r] -= sizes[i, r]
                left_count -= 1
                for k in range(best, left_count):
                    todo[k] = todo[k + 1]
    return left_count
