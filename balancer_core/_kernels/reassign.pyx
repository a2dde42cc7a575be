# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Search for a better assignment of loads to hosts. The contract is in reassign.pyi."""

import numpy as np

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, uint8_t, uint64_t
from libc.string cimport memset

cdef extern from "reassign_state.h":
    enum: LANES
    ctypedef struct weight:
        double cost, shortage
    ctypedef struct reassignment:
        int hosts, loads, groups, domains, zones, width, balances, words
        const double *weights
        const double *scarcity
        const double *demand
        const double *lasting
        const double *slack
        const double *nothing
        const int *group
        const int *origin
        const int *domain
        const int *zone
        const int *least_domains
        const int *needs_from
        const int *needs
        const int *needed_from
        const int *needed_by
        const int *size
        const int *balance_of
        const int *balance_against
        const double *balance_target
        const double *balance_weight
        const double *leave
        const double *route
        double group_weight
        int *at
        int *next
        int *previous
        int *first
        int *count
        double *over
        double *room
        weight *host
        int *in_domain
        int *in_zone
        int *domains_of
        int *moved
        int *moved_histogram
        uint64_t *present
        int most_moved, short_hosts, broken
        double total
        int *best
        int *touched
        unsigned char *is_touched
        int touched_count
        double best_total
        uint64_t random[4]
    void move(reassignment*, int, int) noexcept nogil
    void exchange(reassignment*, int, int) noexcept nogil
    void reweigh(reassignment*, int) noexcept nogil
    void go_back(reassignment*) noexcept nogil

cdef extern from "reassign_search.h":
    ctypedef struct annealing:
        double shortage, broken
        double temperature
        long tried, accepted
    void fill_depths() noexcept nogil
    double shift_change(reassignment*, annealing*, int, int, double) noexcept nogil
    double exchange_change(reassignment*, annealing*, int, int, double) noexcept nogil
    void steelyard_anneal(reassignment*, annealing*, long) noexcept nogil

fill_depths()

WIDTH = LANES


cdef class Search:
    """See reassign.pyi."""

    cdef reassignment s
    cdef annealing how
    cdef list owned

    def __cinit__(
        self, double[:, ::1] capacity not None, double[:, ::1] slack not None, const int32_t[::1] domain not None,
        const int32_t[::1] zone not None, double[::1] weights not None, double[::1] scarcity not None,
        double[:, ::1] demand not None, double[:, ::1] lasting not None, const int32_t[::1] group not None,
        const int32_t[::1] origin not None, double[::1] leave not None, double[:, ::1] route not None,
        const int32_t[::1] least_domains not None, const int32_t[::1] needs_from not None, const int32_t[::1] needs not None,
        const int32_t[::1] needed_from not None, const int32_t[::1] needed_by not None,
        const int32_t[::1] balance_of not None, const int32_t[::1] balance_against not None,
        double[::1] balance_target not None, double[::1] balance_weight not None, double group_weight, uint64_t seed,
    ):
        cdef reassignment* s = &self.s
        memset(s, 0, sizeof(reassignment))
        self.owned = []
        s.hosts, s.width = <int>capacity.shape[0], <int>capacity.shape[1]
        s.loads, s.groups = <int>demand.shape[0], <int>least_domains.shape[0]
        s.balances = <int>balance_of.shape[0]
        s.domains, s.zones = <int>(np.max(domain) + 1), <int>(np.max(zone) + 1)
        s.words = (s.groups + 63) // 64
        s.weights, s.scarcity = self._doubles(weights), self._doubles(scarcity)
        s.demand, s.lasting = self._doubles(demand), self._doubles(lasting)
        s.slack, s.nothing = self._doubles(slack), self._doubles(np.zeros(s.width))
        s.group, s.origin, s.domain, s.zone = self._ints(group), self._ints(origin), self._ints(domain), self._ints(zone)
        s.least_domains = self._ints(least_domains)
        s.needs_from, s.needs = self._ints(needs_from), self._ints(needs)
        s.needed_from, s.needed_by = self._ints(needed_from), self._ints(needed_by)
        s.size = self._ints(np.bincount(group, minlength=s.groups))
        s.balance_of, s.balance_against = self._ints(balance_of), self._ints(balance_against)
        s.balance_target, s.balance_weight = self._doubles(balance_target), self._doubles(balance_weight)
        s.leave, s.route = self._doubles(leave), self._doubles(route)
        s.group_weight = group_weight
        # Everything starts on nobody's account; then each load goes where it is.
        s.at, s.best = self._ints(origin), self._ints(origin)
        s.next, s.previous = self._ints(np.full(s.loads, -1)), self._ints(np.full(s.loads, -1))
        s.first, s.count = self._ints(np.full(s.hosts, -1)), self._ints(np.zeros(s.hosts))
        held = np.zeros((s.hosts, s.width))
        np.add.at(held, np.asarray(origin), np.asarray(demand))
        s.room = self._doubles(np.asarray(capacity) - held)
        s.over = self._doubles(held - np.asarray(capacity) + np.asarray(slack))
        s.host = <weight*>self._doubles(np.zeros(2 * s.hosts))
        s.in_domain = self._ints(np.zeros(s.groups * s.domains))
        s.in_zone = self._ints(np.zeros(s.groups * s.zones))
        s.domains_of = self._ints(np.zeros(s.groups))
        s.moved, s.moved_histogram = self._ints(np.zeros(s.groups)), self._ints(np.zeros(s.loads + 2))
        s.moved_histogram[0] = s.groups
        s.touched = self._ints(np.zeros(s.loads))
        present = np.zeros(s.hosts * s.words + 1, dtype=np.uint64)
        self.owned.append(present)
        cdef uint64_t[::1] bits = present
        s.present = &bits[0]
        marks = np.zeros(s.loads + 1, dtype=np.uint8)
        self.owned.append(marks)
        cdef uint8_t[::1] marked = marks
        s.is_touched = &marked[0]
        self._begin()
        cdef int i
        for i in range(4):
            seed = (seed + <uint64_t>0x9E3779B97F4A7C15ULL)
            s.random[i] = (seed ^ (seed >> 30)) * <uint64_t>0xBF58476D1CE4E5B9ULL
            s.random[i] = (s.random[i] ^ (s.random[i] >> 27)) * <uint64_t>0x94D049BB133111EBULL
            s.random[i] ^= s.random[i] >> 31

    cdef double* _doubles(self, values) except NULL:
        kept = np.append(np.asarray(values, dtype=np.float64).ravel(), 0.0)
        self.owned.append(kept)
        cdef double[::1] view = kept
        return &view[0]

    cdef int* _ints(self, values) except NULL:
        kept = np.append(np.asarray(values, dtype=np.int32).ravel(), np.int32(0)).astype(np.int32)
        self.owned.append(kept)
        cdef int32_t[::1] view = kept
        return <int*>&view[0]

    cdef void _begin(self) noexcept:
        cdef reassignment* s = &self.s
        cdef int p, h, g, i
        for p in range(s.loads - 1, -1, -1):
            h, g = s.origin[p], s.group[p]
            s.next[p] = s.first[h]
            if s.first[h] >= 0:
                s.previous[s.first[h]] = p
            s.first[h] = p
            s.count[h] += 1
            s.present[<size_t>h * s.words + (g >> 6)] |= <uint64_t>1 << (g & 63)
            if s.in_domain[g * s.domains + s.domain[h]] == 0:
                s.domains_of[g] += 1
            s.in_domain[g * s.domains + s.domain[h]] += 1
            s.in_zone[g * s.zones + s.zone[h]] += 1
        for h in range(s.hosts):
            reweigh(s, h)
        s.best_total = s.total

    def change_by_shift(self, int load, int host):
        if self.s.at[load] == host:
            return 0.0
        cdef annealing how
        how.shortage = how.broken = 0.0
        return shift_change(&self.s, &how, load, host, INFINITY)

    def change_by_exchange(self, int load, int other):
        if self.s.at[load] == self.s.at[other]:
            return 0.0
        cdef annealing how
        how.shortage = how.broken = 0.0
        return exchange_change(&self.s, &how, load, other, INFINITY)

    def shift(self, int load, int host):
        if self.s.at[load] != host:
            move(&self.s, load, host)

    def exchange(self, int load, int other):
        if self.s.at[load] != self.s.at[other]:
            exchange(&self.s, load, other)

    @property
    def total(self):
        return self.s.total

    @property
    def best_total(self):
        return self.s.best_total

    @property
    def rules(self):
        return self.s.short_hosts, self.s.broken

    @property
    def assignment(self):
        return np.asarray(<int[:self.s.loads]>self.s.at).copy()

    @property
    def best(self):
        return np.asarray(<int[:self.s.loads]>self.s.best).copy()

    def restart(self):
        go_back(&self.s)

    def anneal(self, double temperature, double shortage, double broken, long steps):
        cdef reassignment* s = &self.s
        self.how.temperature = temperature
        self.how.shortage = shortage
        self.how.broken = broken
        self.how.tried = self.how.accepted = 0
        with nogil:
            steelyard_anneal(s, &self.how, steps)
        return self.how.accepted
