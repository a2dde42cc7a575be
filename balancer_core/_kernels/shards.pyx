# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Where replicas should be: annealing over single moves and exchanges. The contract is in shards.pyi."""

from libc.math cimport exp
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc, realloc

import numpy as np

#: Of 256 tries, how many begin at a node above its goal, exchange two replicas, and take up one that moved already.
cdef enum:
    FROM_OVER = 96
    EXCHANGE = 112

#: Beside the excess itself its square counts, so that of two equal sums the flatter is better.
cdef double SQUARE = 8.0


cdef class Search:
    cdef Py_ssize_t places, replicas, resources, nodes
    cdef object kept
    cdef int32_t[:, ::1] node, domain
    cdef int32_t[::1] group, level, start, member, home, at, spot, moved_at, first_place, place_of
    cdef double[:, ::1] demand
    cdef double[::1] scale, weight, goal, ceiling, load, cost, price
    cdef uint8_t[::1] accepts, leave
    cdef int32_t **lists
    cdef int32_t *sizes
    cdef int32_t *rooms
    cdef int32_t *over
    cdef int32_t *over_at
    cdef int32_t *moved
    cdef Py_ssize_t overs, moves
    cdef uint64_t state

    def __cinit__(self, columns, uint64_t seed):
        self.lists = NULL
        self.kept = columns
        self.node, self.domain = columns.node, columns.domain
        self.group, self.level = columns.group, columns.level
        self.start, self.member = columns.start, columns.member
        self.first_place, self.place_of = columns.first_place, columns.place_of
        self.home = columns.home
        self.demand, self.scale, self.weight = columns.demand, columns.scale, columns.weight
        self.goal, self.ceiling, self.price = columns.goal, columns.ceiling, columns.price
        self.accepts, self.leave = columns.accepts, columns.leave
        self.places, self.resources = self.node.shape[0], self.node.shape[1]
        self.replicas, self.nodes = self.demand.shape[0], self.scale.shape[0]
        self.at = np.array(columns.home)
        self.spot = np.zeros(self.replicas, dtype=np.int32)
        self.moved_at = np.full(self.replicas, -1, dtype=np.int32)
        self.load = np.array(columns.base)
        self.cost = np.zeros(self.nodes)
        self.state = (seed * 2862933555777941757ULL + 3037000493ULL) | 1
        self.overs = self.moves = 0
        cdef Py_ssize_t p, i, r, n
        self.sizes = <int32_t *>malloc(max(self.places, 1) * sizeof(int32_t))
        self.rooms = <int32_t *>malloc(max(self.places, 1) * sizeof(int32_t))
        self.over = <int32_t *>malloc(max(self.nodes, 1) * sizeof(int32_t))
        self.over_at = <int32_t *>malloc(max(self.nodes, 1) * sizeof(int32_t))
        self.moved = <int32_t *>malloc(max(self.replicas, 1) * sizeof(int32_t))
        self.lists = <int32_t **>malloc(max(self.places, 1) * sizeof(void *))
        if not (self.sizes and self.rooms and self.over and self.over_at and self.moved and self.lists):
            raise MemoryError
        for p in range(self.places):
            self.lists[p] = NULL
            self.sizes[p] = self.rooms[p] = 0
        for i in range(self.replicas):
            self._enter(i, self.home[i])
            for r in range(self.resources):
                self.load[self.node[self.home[i], r]] += self.demand[i, r]
        for n in range(self.nodes):
            self.over_at[n] = -1
            self._weigh(n)

    def __dealloc__(self):
        cdef Py_ssize_t p
        if self.lists != NULL:
            for p in range(self.places):
                free(self.lists[p])
        free(self.lists)
        free(self.sizes)
        free(self.rooms)
        free(self.over)
        free(self.over_at)
        free(self.moved)

    @property
    def assignment(self):
        return np.array(self.at)

    @property
    def excess(self):
        return float(np.asarray(self.cost).sum())

    @property
    def amounts(self):
        return np.array(self.load)

    cdef int _enter(self, Py_ssize_t i, Py_ssize_t p) except -1 nogil:
        cdef int32_t *grown
        if self.sizes[p] == self.rooms[p]:
            grown = <int32_t *>realloc(self.lists[p], (2 * self.rooms[p] + 16) * sizeof(int32_t))
            if grown == NULL:
                with gil:
                    raise MemoryError
            self.lists[p] = grown
            self.rooms[p] = 2 * self.rooms[p] + 16
        self.lists[p][self.sizes[p]] = <int32_t>i
        self.spot[i] = self.sizes[p]
        self.sizes[p] += 1
        self.at[i] = <int32_t>p
        return 0

    cdef void _exit(self, Py_ssize_t i) noexcept nogil:
        cdef Py_ssize_t p = self.at[i]
        cdef int32_t last
        self.sizes[p] -= 1
        last = self.lists[p][self.sizes[p]]
        self.lists[p][self.spot[i]] = last
        self.spot[last] = self.spot[i]

    cdef inline double _costs(self, Py_ssize_t n, double load) noexcept nogil:
        cdef double e = load * self.scale[n] - self.goal[n]
        return self.weight[n] * (e + SQUARE * e * e) if e > 0.0 else 0.0

    cdef void _weigh(self, Py_ssize_t n) noexcept nogil:
        """A node's load has changed: its cost anew, and whether it is above its goal."""
        cdef int32_t last
        self.cost[n] = self._costs(n, self.load[n])
        if self.cost[n] > 0.0:
            if self.over_at[n] < 0:
                self.over_at[n] = <int32_t>self.overs
                self.over[self.overs] = <int32_t>n
                self.overs += 1
        elif self.over_at[n] >= 0:
            self.overs -= 1
            last = self.over[self.overs]
            self.over[self.over_at[n]] = last
            self.over_at[last] = self.over_at[n]
            self.over_at[n] = -1

    cdef inline uint64_t _random(self) noexcept nogil:
        self.state ^= self.state >> 12
        self.state ^= self.state << 25
        self.state ^= self.state >> 27
        return self.state * 2685821657736338717ULL >> 11

    cdef inline Py_ssize_t _below(self, Py_ssize_t count) noexcept nogil:
        return <Py_ssize_t>((self._random() >> 10) * <uint64_t>count >> 43)

    cdef bint _allowed(self, Py_ssize_t i, Py_ssize_t p) noexcept nogil:
        """Whether replica i may be at p, as far as the others of its group go: neither where one is nor where one
        came from, so that the group's moves need not wait for each other, which in a circle would be for ever."""
        cdef Py_ssize_t g = self.group[i], k, j, lev = self.level[g]
        cdef int32_t there = self.domain[lev, p]
        for k in range(self.start[g], self.start[g + 1]):
            j = self.member[k]
            if j != i and (self.domain[lev, self.at[j]] == there or self.domain[lev, self.home[j]] == there):
                return False
        return True

    cdef double _change(self, Py_ssize_t i, Py_ssize_t a, Py_ssize_t b) noexcept nogil:
        """What cost would change if i went from a to b; 1e300 where a ceiling forbids it."""
        cdef double d, sum = 0.0
        cdef Py_ssize_t r, na, nb
        for r in range(self.resources):
            na, nb = self.node[a, r], self.node[b, r]
            if na == nb:
                continue
            d = self.demand[i, r]
            if d > 0.0 and self.load[nb] + d > self.ceiling[nb]:
                return 1e300
            sum += self._costs(na, self.load[na] - d) - self.cost[na]
            sum += self._costs(nb, self.load[nb] + d) - self.cost[nb]
        return sum + self.price[i] * <double>((b != self.home[i]) - <int>(a != self.home[i]))

    cdef double _exchange(self, Py_ssize_t i, Py_ssize_t j) noexcept nogil:
        cdef double d, sum = 0.0
        cdef Py_ssize_t r, na, nb, a = self.at[i], b = self.at[j]
        for r in range(self.resources):
            na, nb = self.node[a, r], self.node[b, r]
            if na == nb:
                continue
            d = self.demand[j, r] - self.demand[i, r]
            if (d > 0.0 and self.load[na] + d > self.ceiling[na]) or (d < 0.0 and self.load[nb] - d > self.ceiling[nb]):
                return 1e300
            sum += self._costs(na, self.load[na] + d) - self.cost[na]
            sum += self._costs(nb, self.load[nb] - d) - self.cost[nb]
        sum += self.price[i] * <double>(<int>(b != self.home[i]) - <int>(a != self.home[i]))
        return sum + self.price[j] * <double>(<int>(a != self.home[j]) - <int>(b != self.home[j]))

    cdef int _move(self, Py_ssize_t i, Py_ssize_t b) except -1 nogil:
        cdef Py_ssize_t r, n, a = self.at[i]
        cdef int32_t last
        for r in range(self.resources):
            self.load[self.node[a, r]] -= self.demand[i, r]
            self.load[self.node[b, r]] += self.demand[i, r]
            self._weigh(self.node[a, r])
            self._weigh(self.node[b, r])
        self._exit(i)
        self._enter(i, b)
        if b != self.home[i] and self.moved_at[i] < 0:
            self.moved_at[i] = <int32_t>self.moves
            self.moved[self.moves] = <int32_t>i
            self.moves += 1
        elif b == self.home[i] and self.moved_at[i] >= 0:
            self.moves -= 1
            last = self.moved[self.moves]
            self.moved[self.moved_at[i]] = last
            self.moved_at[last] = self.moved_at[i]
            self.moved_at[i] = -1
        return 0

    cdef inline bint _may_be(self, Py_ssize_t i, Py_ssize_t p) noexcept nogil:
        return (p == self.home[i] and not self.leave[i]) or (self.accepts[p] and p != self.home[i])

    def rehome(self, const int32_t[::1] order not None):
        """See shards.pyi."""
        cdef Py_ssize_t k, i, p, best, left = 0
        cdef double change, least
        for k in range(order.shape[0]):
            i = order[k]
            best, least = -1, 1e299
            for p in range(self.places):
                if self.accepts[p] and p != self.at[i]:
                    change = self._change(i, self.at[i], p)
                    if change < least and self._allowed(i, p):
                        best, least = p, change
            if best >= 0:
                self._move(i, best)
            else:
                left += 1
        return left

    def force(self, Py_ssize_t i, Py_ssize_t p):
        """See shards.pyi."""
        if not (0 <= i < self.replicas and 0 <= p < self.places):
            raise ValueError("there is no such replica or place")
        self._move(i, p)

    cdef Py_ssize_t _from_over(self) noexcept nogil:
        """A replica of a node above its goal; -1 where there is none."""
        cdef Py_ssize_t n, p
        if not self.overs:
            return -1
        n = self.over[self._below(self.overs)]
        p = self.place_of[self.first_place[n] + self._below(self.first_place[n + 1] - self.first_place[n])]
        return self.lists[p][self._below(self.sizes[p])] if self.sizes[p] else -1

    def anneal(self, double temperature, Py_ssize_t tries):
        """See shards.pyi."""
        cdef Py_ssize_t turn, i, j, a, b
        cdef uint64_t what
        cdef double change
        with nogil:
            for turn in range(tries if self.places > 1 and self.replicas else 0):
                what = self._random() >> 20 & 255
                if what < FROM_OVER or not self.moves:
                    i = self._from_over()
                    if i < 0:
                        continue
                    b = self._below(self.places)
                elif what < FROM_OVER + EXCHANGE:
                    i = self._from_over() if what & 1 else self.moved[self._below(self.moves)]
                    j = self.moved[self._below(self.moves)] if what & 2 else self._below(self.replicas)
                    if i < 0 or self.group[i] == self.group[j]:
                        continue
                    a, b = self.at[i], self.at[j]
                    if a == b or not (self._may_be(i, b) and self._may_be(j, a)):
                        continue
                    change = self._exchange(i, j)
                    if change > 0.0 and not self._accepts_worse(change, temperature):
                        continue
                    if self._allowed(i, b) and self._allowed(j, a):
                        self._move(i, b)
                        self._move(j, a)
                    continue
                else:
                    i = self.moved[self._below(self.moves)]
                    b = self.home[i] if what & 1 else self._below(self.places)
                a = self.at[i]
                if a == b or not self._may_be(i, b):
                    continue
                change = self._change(i, a, b)
                if change > 0.0 and not self._accepts_worse(change, temperature):
                    continue
                if self._allowed(i, b):
                    self._move(i, b)

    cdef inline bint _accepts_worse(self, double change, double temperature) noexcept nogil:
        if change >= 20.0 * temperature:
            return False
        return <double>(self._random() >> 10) < exp(-change / temperature) * 8796093022208.0
