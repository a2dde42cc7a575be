# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Search for a better assignment of loads to hosts: simulated annealing. The contract is in reassign.pyi.

The state and what a move changes are in reassign_state.h, the search in reassign_search.h. Here: who owns the
memory, and that nothing points beyond it.
"""

import numpy as np

from libc.math cimport INFINITY
from libc.stdint cimport uint64_t

from balancer_core._kernels.reassign cimport (
    LANES, conditions, exchange, exchange_change, fill_depths, go_back, may_exchange, may_join, move, reassignment,
    reweigh, shift_change, show_groups, steelyard_anneal, weight,
)

fill_depths()

WIDTH = LANES


cdef class Search:
    """See reassign.pyi."""

    cdef reassignment s
    cdef list owned

    def __cinit__(self, columns, double group_weight, uint64_t seed):
        cdef reassignment* s = &self.s
        self.owned = []
        _check(columns)
        s.hosts, s.width = columns.capacity.shape
        s.loads, s.groups, s.balances = len(columns.demand), len(columns.spread), len(columns.balance_of)
        s.domains, s.zones = int(columns.domain.max()) + 1, int(columns.zone.max()) + 1
        s.words = (s.groups + 63) // 64
        s.group_weight = group_weight
        s.weights, s.scarcity = self._doubles(columns.weights), self._doubles(columns.scarcity)
        s.demand, s.lasting = self._doubles(columns.demand), self._doubles(columns.lasting)
        s.slack, s.nothing = self._doubles(columns.capacity - columns.safety), self._doubles(np.zeros(s.width))
        s.group, s.origin = self._ints(columns.group), self._ints(columns.current)
        s.domain, s.zone = self._ints(columns.domain), self._ints(columns.zone)
        s.least_domains = self._ints(columns.spread)
        s.needs_from, s.needs = self._ints(columns.needs_from), self._ints(columns.needs)
        s.needed_from, s.needed_by = self._ints(columns.needed_from), self._ints(columns.needed_by)
        s.size = self._ints(np.bincount(columns.group, minlength=s.groups))
        s.balance_of, s.balance_against = self._ints(columns.balance_of), self._ints(columns.balance_against)
        s.balance_target, s.balance_weight = self._doubles(columns.balance_target), self._doubles(columns.balance_weight)
        s.leave, s.route = self._doubles(columns.leave), self._doubles(columns.route)
        s.doubled = self._doubles(columns.doubled)
        used = np.zeros((s.hosts, s.width))
        np.add.at(used, columns.current, columns.demand)
        s.over, s.room = self._doubles(used - columns.safety), self._doubles(columns.capacity - used)
        s.strain, s.away = self._doubles(np.ones(s.hosts)), self._doubles(np.zeros(s.loads))
        s.host = <weight*>self._doubles(np.zeros(2 * s.hosts))
        s.at, s.best, s.touched = self._ints(columns.current), self._ints(columns.current), self._ints(np.zeros(s.loads))
        s.in_domain = self._ints(np.zeros(s.groups * s.domains, dtype=np.int32))
        s.in_zone = self._ints(np.zeros(s.groups * s.zones, dtype=np.int32))
        s.domains_of, s.moved = self._ints(np.zeros(s.groups)), self._ints(np.zeros(s.groups))
        s.moved_histogram = self._ints(np.zeros(s.loads + 1))
        s.present = <uint64_t*>self._doubles(np.zeros(s.hosts * s.words))
        s.is_touched = <unsigned char*>self._ints(np.zeros(s.loads // 4 + 1))
        self._begin()
        self._sow(seed)

    cdef double* _doubles(self, values) except NULL:
        # One more than there are, so that there is a first even of none.
        kept = np.append(np.asarray(values, dtype=np.float64).ravel(), 0.0)
        self.owned.append(kept)
        cdef double[::1] view = kept
        return &view[0]

    cdef int* _ints(self, values) except NULL:
        kept = np.append(np.asarray(values, dtype=np.intc).ravel(), np.intc(0))
        self.owned.append(kept)
        cdef int[::1] view = kept
        return &view[0]

    cdef void _begin(self) noexcept:
        cdef reassignment* s = &self.s
        cdef size_t p, h, g, place
        for p in range(<size_t>s.loads):
            h, g = s.origin[p], s.group[p]
            s.present[h * s.words + (g >> 6)] |= <uint64_t>1 << (g & 63)
            place = g * s.domains + s.domain[h]
            s.domains_of[g] += s.in_domain[place] == 0
            s.in_domain[place] += 1
            s.in_zone[g * s.zones + s.zone[h]] += 1
        for h in range(<size_t>s.hosts):
            reweigh(s, <int>h)
        s.moved_histogram[0] = s.groups
        s.best_total = s.total

    cdef void _sow(self, uint64_t seed) noexcept:
        """Spread the seed over the generator's state: splitmix64, as its authors advise."""
        cdef uint64_t mixed
        cdef int i
        for i in range(4):
            seed += <uint64_t>0x9E3779B97F4A7C15ULL
            mixed = (seed ^ (seed >> 30)) * <uint64_t>0xBF58476D1CE4E5B9ULL
            mixed = (mixed ^ (mixed >> 27)) * <uint64_t>0x94D049BB133111EBULL
            self.s.random[i] = mixed ^ (mixed >> 31)

    @property
    def total(self):
        """See reassign.pyi."""
        return self.s.total

    @property
    def best_total(self):
        """See reassign.pyi."""
        return self.s.best_total

    @property
    def short_hosts(self):
        """See reassign.pyi."""
        return self.s.short_hosts

    @property
    def broken(self):
        """See reassign.pyi."""
        return self.s.broken

    @property
    def assignment(self):
        """See reassign.pyi."""
        return self._copied(self.s.at)

    @property
    def best(self):
        """See reassign.pyi."""
        return self._copied(self.s.best)

    cdef object _copied(self, const int* places):
        cdef Py_ssize_t p
        result = np.empty(self.s.loads, dtype=np.int64)
        cdef long[::1] view = result
        for p in range(self.s.loads):
            view[p] = places[p]
        return result

    def anneal(
        self, double temperature, double shortage, double broken, double doubled, bint firm_capacity, bint firm_rules,
        long steps,
    ):
        """See reassign.pyi."""
        cdef conditions how
        cdef long taken = 0
        how.temperature, how.shortage, how.broken, how.doubled = temperature, shortage, broken, doubled
        how.firm_capacity, how.firm_rules = firm_capacity, firm_rules
        if not (temperature >= 0.0 and shortage >= 0.0 and broken >= 0.0 and doubled >= 0.0):
            raise ValueError("temperature and prices are not negative")
        if self.s.loads > 0:
            with nogil:
                taken = steelyard_anneal(&self.s, how, steps)
        return taken

    def press(self, double factor, double most):
        """See reassign.pyi."""
        cdef reassignment* s = &self.s
        cdef int h
        if not 1.0 <= factor <= most < INFINITY:
            raise ValueError("strain only grows, up to a bound")
        for h in range(s.hosts):
            if s.host[h].shortage > 0.0:
                s.strain[h] = min(s.strain[h] * factor, most)
            else:
                s.strain[h] = max(s.strain[h] / factor, 1.0)
            reweigh(s, h)

    def go_back(self):
        """See reassign.pyi."""
        go_back(&self.s)

    def place(self, const long[::1] assignment not None):
        """See reassign.pyi."""
        cdef Py_ssize_t p
        if assignment.shape[0] != self.s.loads:
            raise ValueError("the columns' shapes disagree")
        for p in range(self.s.loads):
            if not 0 <= assignment[p] < self.s.hosts:
                raise ValueError("no such host")
        for p in range(self.s.loads):
            if self.s.at[p] != assignment[p]:
                move(&self.s, <int>p, <int>assignment[p])
        show_groups(&self.s)

    def change_by_shift(self, int load, int host):
        """See reassign.pyi."""
        self._check_row(load, host)
        cdef conditions how
        how.shortage = how.broken = how.doubled = 0.0
        return 0.0 if self.s.at[load] == host else shift_change(&self.s, &how, load, host, INFINITY)

    def change_by_exchange(self, int load, int other):
        """See reassign.pyi."""
        self._check_row(load, 0)
        self._check_row(other, 0)
        cdef conditions how
        how.shortage = how.broken = how.doubled = 0.0
        return 0.0 if self.s.at[load] == self.s.at[other] else exchange_change(&self.s, &how, load, other, INFINITY)

    def shift(self, int load, int host):
        """See reassign.pyi."""
        self._check_row(load, host)
        if self.s.at[load] == host:
            return True
        if not may_join(&self.s, self.s.group[load], host):
            return False
        move(&self.s, load, host)
        return True

    def exchange(self, int load, int other):
        """See reassign.pyi."""
        self._check_row(load, 0)
        self._check_row(other, 0)
        if self.s.at[load] == self.s.at[other]:
            return True
        if not may_exchange(&self.s, load, other):
            return False
        exchange(&self.s, load, other)
        return True

    def _check_row(self, int load, int host):
        if not (0 <= load < self.s.loads and 0 <= host < self.s.hosts):
            raise ValueError("no such load or host")


def _check(columns):
    """ValueError unless all shapes agree and every number that is a row is one."""
    hosts, width = columns.capacity.shape
    loads, groups, balances = len(columns.demand), len(columns.spread), len(columns.balance_of)
    shapes = {
        "safety": (hosts, width), "weights": (width,), "scarcity": (width,), "demand": (loads, width),
        "lasting": (loads, width), "domain": (hosts,), "zone": (hosts,), "group": (loads,), "current": (loads,),
        "spread": (groups,), "needs_from": (groups + 1,), "needed_from": (groups + 1,),
        "needed_by": columns.needs.shape, "leave": (loads,), "doubled": (loads,), "route": (hosts, hosts), "balance_against": (balances,),
        "balance_target": (balances,), "balance_weight": (balances,),
    }
    if hosts < 1 or width < 1 or width % WIDTH or any(getattr(columns, name).shape != shape for name, shape in shapes.items()):
        raise ValueError("the columns' shapes disagree")
    limits = {
        "domain": hosts, "zone": hosts, "group": groups, "current": hosts, "needs": groups, "needed_by": groups,
        "balance_of": width, "balance_against": width, "needs_from": len(columns.needs) + 1,
        "needed_from": len(columns.needs) + 1,
    }
    for name, limit in limits.items():
        column = getattr(columns, name)
        if len(column) and not 0 <= column.min() <= column.max() < limit:
            raise ValueError(f"{name}: a number out of range")
    if (np.diff(columns.needs_from) < 0).any() or (np.diff(columns.needed_from) < 0).any():
        raise ValueError("the rows of needs are not in order")
