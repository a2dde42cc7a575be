# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Equal shapes, decided again: every host's total for one demand, and a tree of winners above them.

The best host is at the root. A host that changed plays again on its way up: O(R + log H) a change.
Ties go to the left, which is the lower row. Built in O(H R) when asking otherwise has cost as much
(Tournament.spent, counted in hosts), so that a shape asked once never pays for a tree: at most twice the best choice.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy

from balancer_core._kernels.hosts cimport LOG, Hosts


cdef class Tournament:
    """One shape over these hosts."""

    def __cinit__(self, Hosts hosts):
        self.hosts = hosts
        self.mode = -1
        self.leaves = 1
        while self.leaves < hosts.count:
            self.leaves *= 2
        self.totals = <double*>malloc(self.leaves * sizeof(double))
        self.winners = <int32_t*>malloc(self.leaves * sizeof(int32_t))
        if not self.totals or not self.winners:
            raise MemoryError

    def __dealloc__(self):
        free(self.totals)
        free(self.winners)

    cdef bint asks(self, int mode, const double* demand, const double* weights) noexcept nogil:
        """Whether this is the tournament of that shape."""
        cdef size_t size = self.hosts.width * sizeof(double)
        return (
            self.mode == mode and memcmp(self.demand, demand, size) == 0 and memcmp(self.weights, weights, size) == 0
        )

    cdef void ask(self, int mode, const double* demand, const double* weights) noexcept nogil:
        """Become the tournament of another shape, not built yet."""
        cdef size_t size = self.hosts.width * sizeof(double)
        memcpy(self.demand, demand, size)
        memcpy(self.weights, weights, size)
        self.mode = mode
        self.spent = 0.0
        self.built = False

    cdef bint ready(self) noexcept nogil:
        """Bring the tree up to date if that is worth it; whether it may be asked."""
        cdef int64_t behind = self.hosts.logged - self.seen
        # Playing a change again costs about what looking at two hosts does; building, what looking at all does.
        if self.built and (behind > LOG or 2 * behind > self.hosts.count):
            self.built = False
        if not self.built:
            if self.spent < self.hosts.count:
                return False
            self._build()
        while self.seen < self.hosts.logged:
            self._play(self.hosts.log[self.seen % LOG])
            self.seen += 1
        return True

    cdef Py_ssize_t best(self, double* total) noexcept nogil:
        """The best row and its total, -1 where no host may take the load."""
        cdef Py_ssize_t row = self.winners[1] if self.leaves > 1 else 0
        total[0] = self.totals[row]
        return row if total[0] < INFINITY else -1

    cdef void _build(self) noexcept nogil:
        cdef Py_ssize_t row, node, half = self.leaves // 2
        for row in range(self.hosts.count):
            self.totals[row] = self.hosts.total(self.mode, row, self.demand, self.weights)
        for row in range(self.hosts.count, self.leaves):
            self.totals[row] = INFINITY
        for node in range(half):
            self.winners[half + node] = self._winner(<int32_t>(2 * node), <int32_t>(2 * node + 1))
        for node in range(half - 1, 0, -1):
            self.winners[node] = self._winner(self.winners[2 * node], self.winners[2 * node + 1])
        self.seen = self.hosts.logged
        self.spent = 0.0
        self.built = True

    cdef void _play(self, Py_ssize_t row) noexcept nogil:
        cdef Py_ssize_t node = (self.leaves + row) // 2
        cdef int32_t winner
        self.totals[row] = self.hosts.total(self.mode, row, self.demand, self.weights)
        if node > 0 and self.leaves > 1:
            winner = <int32_t>(row & ~<Py_ssize_t>1)
            self.winners[node] = self._winner(winner, winner + 1)
            node //= 2
            while node > 0:
                self.winners[node] = self._winner(self.winners[2 * node], self.winners[2 * node + 1])
                node //= 2

    cdef int32_t _winner(self, int32_t left, int32_t right) noexcept nogil:
        return right if self.totals[right] < self.totals[left] else left
