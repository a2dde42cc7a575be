# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Decide and reserve, many times over, on live columns: the two indexes behind one door. The contract is in index.pyi."""

from libc.math cimport isfinite
from libc.stdint cimport int64_t, uint8_t

from balancer_core._kernels.bounds cimport Bounds
from balancer_core._kernels.hosts cimport Hosts
from balancer_core._kernels.place cimport is_marginal, known_mode
from balancer_core._kernels.tournament cimport Tournament

cdef enum:
    PLACES = 16
    #: What a search costs beside the hosts it looks at, in hosts.
    SEARCH = 64


cdef class Index:
    """See index.pyi."""

    cdef Hosts hosts
    cdef Bounds bounds
    cdef Tournament last
    cdef int64_t visited, looked_at

    def __cinit__(self, capacity, reserved, used, expected, reported_at, flags, kinds, blocked):
        self.hosts = Hosts(capacity, reserved, used, expected, reported_at, flags, kinds, blocked)
        self.bounds = Bounds(self.hosts)
        self.last = Tournament(self.hosts)

    @property
    def work(self):
        """See index.pyi."""
        return self.visited, self.looked_at

    def changed(self, const int64_t[::1] rows not None):
        """See index.pyi."""
        cdef Py_ssize_t i
        for i in range(rows.shape[0]):
            if not 0 <= rows[i] < self.hosts.count:
                raise ValueError("a row out of range")
        for i in range(rows.shape[0]):
            self.hosts.reread(rows[i])

    def find(
        self, const double[::1] demand not None, const double[::1] weights not None, int mode, double now,
        const uint8_t[::1] admissible, int64_t[::1] top_rows not None, double[::1] top_totals not None,
    ):
        """See index.pyi."""
        cdef const uint8_t* mask = NULL
        cdef Py_ssize_t held
        self._check(demand.shape[0], weights.shape[0], mode, now)
        if not 1 <= top_rows.shape[0] <= PLACES or top_totals.shape[0] != top_rows.shape[0]:
            raise ValueError("resources or places out of range")
        if admissible is not None:
            if admissible.shape[0] != self.hosts.count:
                raise ValueError("the columns' shapes disagree")
            mask = &admissible[0]
        with nogil:
            self.hosts.advance(now)
            held = self._search(
                mode, &demand[0], &weights[0], mask, &top_rows[0], &top_totals[0], top_rows.shape[0]
            )
        return held

    def place(
        self, const double[:, ::1] demands not None, const double[::1] weights not None, int mode, double now,
        int64_t[::1] rows not None, double[::1] totals not None,
    ):
        """See index.pyi."""
        cdef Py_ssize_t i, placed = 0
        self._check(demands.shape[1], weights.shape[0], mode, now)
        if rows.shape[0] != demands.shape[0] or totals.shape[0] != demands.shape[0]:
            raise ValueError("the columns' shapes disagree")
        with nogil:
            self.hosts.advance(now)
            for i in range(demands.shape[0]):
                rows[i] = self._best(mode, &demands[i, 0], &weights[0], &totals[i])
                if rows[i] >= 0:
                    self.hosts.take(rows[i], &demands[i, 0])
                    placed += 1
        return placed

    cdef int64_t _best(self, int mode, const double* demand, const double* weights, double* total) noexcept nogil:
        cdef int64_t row
        if not self.last.asks(mode, demand, weights):
            self.last.ask(mode, demand, weights)
        if self.last.ready():
            return self.last.best(total)
        if not self._search(mode, demand, weights, NULL, &row, total, 1):
            row = -1
        self.last.spent += self.bounds.looked_at + SEARCH
        return row

    cdef Py_ssize_t _search(
        self, int mode, const double* demand, const double* weights, const uint8_t* mask, int64_t* rows, double* totals,
        Py_ssize_t places,
    ) noexcept nogil:
        cdef Py_ssize_t held = self.bounds.search(mode, demand, weights, mask, rows, totals, places)
        self.visited += self.bounds.visited
        self.looked_at += self.bounds.looked_at
        return held

    def _check(self, Py_ssize_t demands, Py_ssize_t weights, int mode, double now):
        if demands != self.hosts.width or weights != self.hosts.width:
            raise ValueError("the columns' shapes disagree")
        if not known_mode(mode):
            raise ValueError(f"no score has mode {mode}")
        if not isfinite(now):
            raise ValueError("now is not a time")
