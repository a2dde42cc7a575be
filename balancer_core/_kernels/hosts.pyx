# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The cluster's live columns as the fast kernels see them: what a host costs now, and which hosts changed.

The columns belong to the Cluster; only reserved is written here, by take(). Each change of a host is noted in a log,
which every index reads from where it stood. Age: a host's doubt is kept beside its columns. It changes by itself only
between the grace and the cap (curves.doubt), so a new `now` costs one step for each host in between, and one pass
over all when the report that was oldest among the fresh ones leaves the grace.
"""

from libc.math cimport INFINITY, isfinite
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp

from balancer_core._kernels.place cimport Host, admits, doubt, total_of
from balancer_core.cost import curves

cdef double DOUBT_GRACE_S = curves.DOUBT_GRACE_S
cdef double DOUBT_CAP = curves.DOUBT_CAP


cdef class Hosts:
    """capacity, reserved, used: float64[H, R]; expected: float32[H, R]; reported_at: float64[H]; flags: uint8[H];
    kinds: uint8[R]. Not copied."""

    def __cinit__(
        self, const double[:, ::1] capacity not None, double[:, ::1] reserved not None,
        const double[:, ::1] used not None, const float[:, ::1] expected not None,
        const double[::1] reported_at not None, const uint8_t[::1] flags not None, const uint8_t[::1] kinds not None,
        uint8_t blocked,
    ):
        cdef Py_ssize_t row
        self.count, self.width = capacity.shape[0], capacity.shape[1]
        if (
            reserved.shape[0] != self.count or reserved.shape[1] != self.width or used.shape[0] != self.count
            or used.shape[1] != self.width or expected.shape[0] != self.count or expected.shape[1] != self.width
            or reported_at.shape[0] != self.count or flags.shape[0] != self.count
            or kinds.shape[0] != self.width
        ):
            raise ValueError("the columns' shapes disagree")
        if self.count == 0 or self.count > 2**31 - 32 or not 1 <= self.width <= 32:
            raise ValueError("hosts or resources out of range")
        self.kept = (capacity, reserved, used, expected, reported_at, flags, kinds)
        self.capacity, self.reserved, self.used = &capacity[0, 0], &reserved[0, 0], &used[0, 0]
        self.expected = &expected[0, 0]
        self.reported_at, self.flags, self.kinds, self.blocked = &reported_at[0], &flags[0], &kinds[0], blocked
        self.doubtful = <double*>calloc(self.count, sizeof(double))
        self.ageing = <int32_t*>calloc(self.count, sizeof(int32_t))
        self.is_ageing = <uint8_t*>calloc(self.count, 1)
        if not self.doubtful or not self.ageing or not self.is_ageing:
            raise MemoryError
        self.now = -INFINITY
        self.oldest_fresh = INFINITY

    def __dealloc__(self):
        free(self.doubtful)
        free(self.ageing)
        free(self.is_ageing)

    cdef double total(self, int mode, Py_ssize_t row, const double* demand, const double* weights) noexcept nogil:
        """The host's total, infinite where it may not take the demand."""
        cdef Host host = self.host(row)
        cdef double total
        if self.flags[row] & self.blocked or not admits(host, demand, self.kinds, self.width):
            return INFINITY
        total = total_of(mode, host, demand, weights, self.kinds, self.width, self.doubtful[row])
        return total if isfinite(total) else INFINITY

    cdef Host host(self, Py_ssize_t row) noexcept nogil:
        cdef Host host
        cdef Py_ssize_t at = row * self.width
        host.capacity, host.reserved = self.capacity + at, self.reserved + at
        host.used, host.expected = self.used + at, self.expected + at
        return host

    cdef bint same(self, Py_ssize_t one, Py_ssize_t other) noexcept nogil:
        """Whether two hosts cost the same whatever is asked: equal in everything a total is made of."""
        cdef Py_ssize_t a = one * self.width, b = other * self.width
        cdef size_t size = self.width * sizeof(double)
        return (
            self.doubtful[one] == self.doubtful[other]
            and (self.flags[one] & self.blocked) == (self.flags[other] & self.blocked)
            and memcmp(self.reserved + a, self.reserved + b, size) == 0
            and memcmp(self.used + a, self.used + b, size) == 0
            and memcmp(self.capacity + a, self.capacity + b, size) == 0
            and memcmp(self.expected + a, self.expected + b, self.width * sizeof(float)) == 0
        )

    cdef void note(self, Py_ssize_t row) noexcept nogil:
        self.log[self.logged % LOG] = <int32_t>row
        self.logged += 1

    cdef void reread(self, Py_ssize_t row) noexcept nogil:
        """The host's columns changed from outside."""
        self._age(row, False)
        self.note(row)

    cdef void take(self, Py_ssize_t row, const double* demand) noexcept nogil:
        """Reserve the demand on the host."""
        cdef Py_ssize_t r
        for r in range(self.width):
            self.reserved[row * self.width + r] += demand[r]
        self.note(row)

    cdef void _age(self, Py_ssize_t row, bint log) noexcept nogil:
        cdef double doubtful = doubt(self.now - self.reported_at[row])
        if doubtful == 0.0:
            if self.reported_at[row] < self.oldest_fresh:
                self.oldest_fresh = self.reported_at[row]
        elif doubtful < DOUBT_CAP and not self.is_ageing[row]:
            self.is_ageing[row] = 1
            self.ageing[self.ageing_count] = <int32_t>row
            self.ageing_count += 1
        if doubtful != self.doubtful[row]:
            self.doubtful[row] = doubtful
            if log:
                self.note(row)

    cdef void advance(self, double now) noexcept nogil:
        """Let it be `now`: exact for every value, forwards cheaply, backwards by a pass over all hosts."""
        cdef bint all_over = now < self.now or now - self.oldest_fresh > DOUBT_GRACE_S or self.now == -INFINITY
        cdef Py_ssize_t i, row, kept = 0
        if now == self.now:
            return
        self.now = now
        if all_over:
            self.oldest_fresh = INFINITY
            self.ageing_count = 0
            for row in range(self.count):
                self.is_ageing[row] = 0
            for row in range(self.count):
                self._age(row, True)
            return
        for i in range(self.ageing_count):
            row = self.ageing[i]
            self._age(row, True)
            if 0.0 < self.doubtful[row] < DOUBT_CAP:
                self.ageing[kept] = <int32_t>row
                kept += 1
            else:
                self.is_ageing[row] = 0
        self.ageing_count = kept
