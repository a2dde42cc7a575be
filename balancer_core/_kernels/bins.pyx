# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Rules that pack loads onto hosts. The contract is in bins.pyi, the meaning in bins_reference.py.

The order of every floating-point operation is the reference's, so that ties fall alike.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t


def fill(
    const int64_t[:, ::1] free not None, const int64_t[:, ::1] sizes not None, const double[::1] weights not None,
    bint by_distance, int64_t[:, ::1] left not None, int64_t[::1] waiting not None, int64_t[::1] rows not None,
):
    """See bins.pyi."""
    cdef Py_ssize_t loads = sizes.shape[0], hosts = free.shape[0], wide = sizes.shape[1]
    cdef Py_ssize_t host, r, k, best, count = loads
    cdef int64_t load
    cdef double score, top, short
    if (
        free.shape[1] != wide or weights.shape[0] != wide or left.shape[0] != hosts or left.shape[1] != wide
        or waiting.shape[0] != loads or rows.shape[0] != loads
    ):
        raise ValueError("the columns' shapes disagree")
    with nogil:
        for load in range(loads):
            waiting[load] = load
            rows[load] = -1
        for host in range(hosts):
            for r in range(wide):
                left[host, r] = free[host, r]
            while count:
                best = -1
                top = -INFINITY
                for k in range(count):
                    load = waiting[k]
                    score = 0.0
                    for r in range(wide):
                        if sizes[load, r] > left[host, r]:
                            break
                        if by_distance:
                            short = <double>(left[host, r] - sizes[load, r])
                            score -= weights[r] * short * short
                        else:
                            score += weights[r] * <double>sizes[load, r] * <double>left[host, r]
                    else:
                        if score > top:
                            top = score
                            best = k
                if best < 0:
                    break
                load = waiting[best]
                rows[load] = host
                for r in range(wide):
                    left[host, r] -= sizes[load, r]
                count -= 1
                for k in range(best, count):
                    waiting[k] = waiting[k + 1]


def place_all(
    const int64_t[:, ::1] sizes not None, const int64_t[::1] order not None, const double[::1] weights not None,
    int rule, int64_t[:, ::1] left not None, int64_t[::1] opened not None, int64_t[::1] rows not None,
):
    """See bins.pyi."""
    cdef Py_ssize_t loads = sizes.shape[0], hosts = left.shape[0], wide = sizes.shape[1]
    cdef Py_ssize_t turn, host, r, k, best, count = 0, fresh = 0
    cdef int64_t load
    cdef double score, top, room, after, has
    if (
        left.shape[1] != wide or weights.shape[0] != wide or opened.shape[0] != hosts or rows.shape[0] != loads
        or order.shape[0] > loads
    ):
        raise ValueError("the columns' shapes disagree")
    for turn in range(order.shape[0]):
        if not 0 <= order[turn] < loads:
            raise ValueError("order: names a load that there is not")
    with nogil:
        for host in range(hosts):
            opened[host] = 0
        for turn in range(order.shape[0]):
            load = order[turn]
            rows[load] = -1
            best = -1
            top = -INFINITY
            for host in range(fresh):
                if not opened[host]:
                    continue
                has = score = 0.0
                for r in range(wide):
                    if sizes[load, r] > left[host, r]:
                        break
                    if rule:
                        room = <double>left[host, r]
                        after = <double>(left[host, r] - sizes[load, r])
                        score -= weights[r] * after * after
                        has += weights[r] * room * room
                else:
                    if rule == 2 and has > 0.0:
                        score /= has
                    if score > top:
                        top = score
                        best = host
                        if rule == 0:
                            break
            if best < 0:
                for host in range(hosts):
                    if opened[host]:
                        continue
                    for r in range(wide):
                        if sizes[load, r] > left[host, r]:
                            break
                    else:
                        best = host
                        break
            if best < 0:
                continue
            opened[best] = 1
            if best >= fresh:
                fresh = best + 1
            rows[load] = best
            for r in range(wide):
                left[best, r] -= sizes[load, r]
