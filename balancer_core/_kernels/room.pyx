# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""How many loads of each typical shape hosts have room for, summed by weight. The contract is in room.pyi."""

from libc.stdint cimport int64_t, uint64_t


def worth(
    const int64_t[:, ::1] free not None, const int64_t[:, ::1] devices not None, const int64_t[::1] kinds not None,
    const int64_t[:, ::1] amounts not None, const int64_t[::1] counts not None, const int64_t[::1] parts not None,
    const uint64_t[::1] allowed not None, const double[::1] weights not None, int64_t whole, int64_t most,
    double[::1] totals not None,
):
    """See room.pyi."""
    cdef Py_ssize_t hosts = free.shape[0], wide = free.shape[1], slots = devices.shape[1], shapes = counts.shape[0]
    cdef Py_ssize_t host, shape, r
    cdef int64_t room, found
    cdef double total
    if (
        devices.shape[0] != hosts or kinds.shape[0] != hosts or totals.shape[0] != hosts or amounts.shape[1] != wide
        or amounts.shape[0] != shapes or parts.shape[0] != shapes or allowed.shape[0] != shapes
        or weights.shape[0] != shapes
    ):
        raise ValueError("the columns' shapes disagree")
    for host in range(hosts):
        if not 0 <= kinds[host] < 64:
            raise ValueError("kinds: there are 64")
    for shape in range(shapes):
        if parts[shape] < 1:
            raise ValueError("parts: at least one")
    with nogil:
        for host in range(hosts):
            total = 0.0
            for shape in range(shapes):
                if not (allowed[shape] >> kinds[host]) & 1:
                    continue
                room = most
                for r in range(wide):
                    if amounts[shape, r] > 0:
                        found = free[host, r] // amounts[shape, r]
                        if found < room:
                            room = found
                if room > 0 and counts[shape] > 0:
                    found = 0
                    for r in range(slots):
                        if counts[shape] == 1:
                            found += devices[host, r] // parts[shape]
                        elif devices[host, r] == whole:
                            found += 1
                    found //= counts[shape]
                    if found < room:
                        room = found
                if room > 0:
                    total += weights[shape] * room
            totals[host] = total
