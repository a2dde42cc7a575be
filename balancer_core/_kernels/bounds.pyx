# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Mixed shapes: the exact best hosts for any demand, by bounds that skip most of them.

Theory of operation
- Every price is convex in what is used, so a host's rise in cost for d of a resource is at least slope * d + bend * d^2,
  with slope and bend from the host's present state alone. The total is at least the scalar product of these 2R
  features with (weight * d, weight * d^2), whatever the demand: an admissible bound.
- Sixteen hosts are a group; the least of each feature over a group is a host that never was and that none of them
  beats. Sixteen groups are a group again, up to one root: a tree of bounds, a few vector instructions a group.
- A search goes down the best bound first, computes the exact total (place.pyx) of the hosts it comes to, and leaves
  out every group whose bound is above the last place held. Equal bounds are looked at, so ties go to the lower row.
- Hosts are grouped by halving along the feature that differs most (a k-d order). A change renews the host's features
  and the least ones above it. Groups blur; once searches have visited so many groups more than after the last ordering
  that a new one would have cost no more, it is made.
- Hosts that are alike in everything are looked at once a group: a new cluster of equal hosts has nothing to tell apart.

Rounding: features are made a little smaller (SHRINK) than rounding in float32 could make them larger, and MARGIN times
the weights covers the rounding of the exact total. Shares used beyond WILD have no bound (0) and are always looked at.
Only the marginal score has these bounds; for another every host is looked at, group by group.
Cost: O(groups looked at), in practice some per cent of H; worst, where all hosts nearly tie, O(H) like a scan.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

from balancer_core._kernels.hosts cimport LOG, Hosts
from balancer_core._kernels.place cimport insert, is_marginal
from balancer_core import resources
from balancer_core.cost import curves

cdef extern from "bound.h":
    enum: GROUP
    unsigned int steelyard_bounds(const float*, const int*, const float*, int, float, float*) nogil
    void steelyard_least(const float*, int, float*) nogil

cdef extern from *:
    int lowest_bit "__builtin_ctz"(unsigned int) nogil

cdef uint8_t CAPACITY = resources.CAPACITY
cdef double RATE_KNEE = curves.RATE_KNEE
cdef double CAPACITY_SLOPE = curves.CAPACITY_SLOPE
cdef double CAPACITY_KNEE = curves.CAPACITY_KNEE
cdef double CAPACITY_CUBE = curves.CAPACITY_BARRIER / CAPACITY_KNEE**3

#: Rounding of 2R products and sums in float32 is below 4e-6 of the sum.
cdef double SHRINK = 1.0 - 1e-5
cdef double MARGIN = 1e-10
cdef double WILD = 128.0
cdef float OUT = 1e30
cdef float TINY = 1e-30
#: Hosts of which it is judged in what a part of the order differs most.
cdef Py_ssize_t SAMPLE = 256
#: Making the order anew costs about as much as visiting this many groups a host.
cdef double BLUR = 8.0
#: Searches after which it is known how many groups a fresh order makes them visit.
cdef int64_t CALM = 64


cdef class Bounds:
    def __cinit__(self, Hosts hosts):
        cdef Py_ssize_t groups = (hosts.count + GROUP - 1) // GROUP
        self.hosts = hosts
        self.features = 2 * hosts.width
        self.slots = groups * GROUP
        self.order = <int32_t*>malloc(self.slots * sizeof(int32_t))
        self.place = <int32_t*>malloc(hosts.count * sizeof(int32_t))
        if not self.order or not self.place:
            raise MemoryError
        while True:
            self.groups[self.levels] = groups
            self.level[self.levels] = <float*>malloc(groups * GROUP * self.features * sizeof(float))
            self.alike[self.levels] = <uint8_t*>calloc(groups, 1)
            if not self.level[self.levels] or not self.alike[self.levels]:
                raise MemoryError
            self.levels += 1
            if groups == 1:
                break
            groups = (groups + GROUP - 1) // GROUP

    def __dealloc__(self):
        cdef int level
        for level in range(LEVELS):
            free(self.level[level])
            free(self.alike[level])
        free(self.order)
        free(self.place)

    cdef Py_ssize_t search(
        self, int mode, const double* demand, const double* weights, const uint8_t* admissible, int64_t* rows,
        double* totals, Py_ssize_t places,
    ) noexcept nogil:
        """Fill rows and totals with the best, best first; how many were found."""
        self._ready()
        self.mode, self.demand, self.weights, self.admissible = mode, demand, weights, admissible
        self.rows, self.totals, self.places, self.held, self.looked_at = rows, totals, places, 0, 0
        self.visited = 0
        self.cut = INFINITY
        self._ask(mode, demand, weights)
        self._descend(self.levels - 1, 0)
        self._weigh()
        return self.held

    cdef void _weigh(self) noexcept nogil:
        """Keep account of what this search cost beyond what it would on a fresh order."""
        self.searches += 1
        if self.searches <= CALM:
            self.calm += <double>self.visited / CALM
        elif self.visited > self.calm:
            self.excess += self.visited - self.calm

    cdef void _ask(self, int mode, const double* demand, const double* weights) noexcept nogil:
        """Put the question in the features' terms."""
        cdef Py_ssize_t r
        cdef double share, value
        self.asked_count = 0
        self.margin = 0.0
        if not is_marginal(mode):
            return
        for r in range(self.hosts.width):
            if demand[r] > 0.0:
                self.margin += MARGIN * weights[r]
                share = demand[r] / self.scale[r]
                value = weights[r] * share
                # Beyond these float32 has no relative precision; a smaller bound is still a bound.
                if TINY < value < OUT:
                    self.asked[self.asked_count], self.query[self.asked_count] = <int>r, <float>value
                    self.asked_count += 1
                value *= share
                if TINY < value < OUT:
                    self.asked[self.asked_count], self.query[self.asked_count] = <int>(r + self.hosts.width), <float>value
                    self.asked_count += 1

    cdef void _descend(self, int level, Py_ssize_t group) noexcept nogil:
        cdef float[GROUP] bounds
        cdef int[GROUP] children
        cdef int child, count = 0, i
        cdef Py_ssize_t below = GROUP if level == 0 else self.groups[level - 1] - group * GROUP
        cdef float bound
        cdef unsigned int open_
        self.visited += 1
        open_ = steelyard_bounds(
            self.level[level] + group * GROUP * self.features, self.asked, self.query, self.asked_count, self.cut, bounds
        )
        if below < GROUP:
            open_ &= (1 << below) - 1
        while open_:
            child = lowest_bit(open_)
            open_ &= open_ - 1
            bound = bounds[child]
            i = count
            while i > 0 and bound < bounds[children[i - 1]]:
                children[i] = children[i - 1]
                i -= 1
            children[i] = child
            count += 1
        for i in range(count):
            if not bounds[children[i]] <= self.cut:
                return
            child = children[i]
            if level == 0:
                self._look(self.order[group * GROUP + child])
            elif self.alike[level - 1][group * GROUP + child] and self.places == 1 and self.admissible == NULL:
                self._look(self.order[(group * GROUP + child) << (4 * level)])
            else:
                self._descend(level - 1, group * GROUP + child)

    cdef void _look(self, Py_ssize_t row) noexcept nogil:
        cdef double total
        if row < 0 or (self.admissible != NULL and not self.admissible[row]):
            return
        self.looked_at += 1
        total = self.hosts.total(self.mode, row, self.demand, self.weights)
        if total < INFINITY:
            self.held = insert(self.rows, self.totals, self.held, self.places, row, total)
            if self.held == self.places and self.asked_count:
                self.cut = <float>((self.totals[self.held - 1] + self.margin) * (1.0 + 1e-6))

    cdef void _ready(self) noexcept nogil:
        cdef int64_t behind = self.hosts.logged - self.seen
        if not self.built or behind > LOG or 2 * behind > self.hosts.count + 64 or self.excess > BLUR * self.hosts.count:
            self._build()
            return
        while self.seen < self.hosts.logged:
            self._renew(self.hosts.log[self.seen % LOG])
            self.seen += 1

    cdef void _describe(self, Py_ssize_t row, float* into, Py_ssize_t stride) noexcept nogil:
        """The host's features: R slopes, then R bends, each for a share of scale."""
        cdef Py_ssize_t r, at = row * self.hosts.width, width = self.hosts.width
        cdef double has, holds, fits, share, free_, doubtless, unit, slope, bend, level
        cdef bint blocked = (self.hosts.flags[row] & self.hosts.blocked) != 0
        doubtless = 1.0 - self.hosts.doubtful[row]
        for r in range(width):
            has = self.hosts.capacity[at + r]
            holds = self.hosts.used[at + r]
            fits = self.hosts.reserved[at + r]
            if fits > holds:
                holds = fits
            if self.hosts.kinds[r] == CAPACITY:
                fits = holds
            if self.hosts.expected[at + r] > holds:
                holds = self.hosts.expected[at + r]
            slope, bend = 0.0, 0.0
            if blocked or has <= 0.0 or fits > has:
                slope = OUT
            elif holds <= WILD * has:
                free_ = 1.0 - holds / has
                unit = self.scale[r] / has
                if free_ > 0.0:
                    free_ *= doubtless
                    unit *= doubtless
                if self.hosts.kinds[r] == CAPACITY:
                    slope = CAPACITY_SLOPE
                    if free_ < CAPACITY_KNEE:
                        level = CAPACITY_KNEE - free_
                        slope += 3.0 * CAPACITY_CUBE * level * level
                        bend = 3.0 * CAPACITY_CUBE * level
                elif free_ < RATE_KNEE:
                    slope = 1.0 / (RATE_KNEE * RATE_KNEE)
                else:
                    slope = 1.0 / (free_ * free_)
                    if free_ >= 2.0 * RATE_KNEE:
                        # The cost of all of it, on the tangent by then, must not be below the parabola either.
                        bend = (
                            1.0 / RATE_KNEE - 1.0 / free_ + (1.0 - free_ + RATE_KNEE) / (RATE_KNEE * RATE_KNEE) - slope
                        )
                        level = slope / free_
                        if level < bend:
                            bend = level
                slope *= unit * SHRINK
                bend *= unit * unit * SHRINK
            into[r * stride] = _storable(slope)
            into[(width + r) * stride] = _storable(bend)

    cdef void _renew(self, Py_ssize_t row) noexcept nogil:
        """Describe a changed host anew, and what stands above it as far as that changes anything."""
        cdef float[64] least
        cdef Py_ssize_t at = self.place[row], f
        cdef int level
        cdef float* into
        cdef bint changed
        self._describe(row, self.level[0] + (at // GROUP) * GROUP * self.features + at % GROUP, GROUP)
        at //= GROUP
        self.alike[0][at] = 0
        for level in range(1, self.levels):
            steelyard_least(self.level[level - 1] + at * GROUP * self.features, <int>self.features, least)
            into = self.level[level] + (at // GROUP) * GROUP * self.features + at % GROUP
            changed = False
            for f in range(self.features):
                if into[f * GROUP] != least[f]:
                    into[f * GROUP] = least[f]
                    changed = True
            at //= GROUP
            if not changed and not self.alike[level][at]:
                return
            self.alike[level][at] = 0

    cdef void _build(self) noexcept nogil:
        cdef Py_ssize_t row, r, slot, group, f, first, last, child
        cdef int level
        cdef float[64] least
        cdef float* into
        # The hosts' features by row, in the place of the lowest level, and their sums for the spread.
        cdef float* described = <float*>malloc(self.hosts.count * self.features * sizeof(float))
        if described == NULL:
            # Without an order there are still bounds; they skip less.
            for slot in range(self.slots):
                self.order[slot] = <int32_t>slot if slot < self.hosts.count else -1
        for r in range(self.hosts.width):
            self.scale[r] = 0.0
        for row in range(self.hosts.count):
            for r in range(self.hosts.width):
                if self.hosts.capacity[row * self.hosts.width + r] > self.scale[r]:
                    self.scale[r] = self.hosts.capacity[row * self.hosts.width + r]
        for r in range(self.hosts.width):
            if self.scale[r] <= 0.0:
                self.scale[r] = 1.0
        if described != NULL:
            for row in range(self.hosts.count):
                self._describe(row, described + row * self.features, 1)
            for slot in range(self.slots):
                self.order[slot] = <int32_t>slot if slot < self.hosts.count else -1
            self._sort(described, 0, self.hosts.count)
        for slot in range(self.slots):
            into = self.level[0] + (slot // GROUP) * GROUP * self.features + slot % GROUP
            row = self.order[slot]
            if row >= 0:
                self.place[row] = <int32_t>slot
                if described != NULL:
                    for f in range(self.features):
                        into[f * GROUP] = described[row * self.features + f]
                else:
                    self._describe(row, into, GROUP)
            else:
                for f in range(self.features):
                    into[f * GROUP] = OUT
        free(described)
        for level in range(1, self.levels):
            for slot in range(self.groups[level] * GROUP):
                into = self.level[level] + (slot // GROUP) * GROUP * self.features + slot % GROUP
                if slot < self.groups[level - 1]:
                    steelyard_least(self.level[level - 1] + slot * GROUP * self.features, <int>self.features, least)
                    for f in range(self.features):
                        into[f * GROUP] = least[f]
                else:
                    for f in range(self.features):
                        into[f * GROUP] = OUT
        for level in range(self.levels):
            for group in range(self.groups[level]):
                first = group << (4 * (level + 1))
                last = (group + 1) << (4 * (level + 1))
                self.alike[level][group] = last <= self.hosts.count
                if level == 0:
                    for slot in range(first + 1, last if self.alike[0][group] else first):
                        if not self.hosts.same(self.order[slot - 1], self.order[slot]):
                            self.alike[0][group] = 0
                            break
                elif self.alike[level][group]:
                    for child in range(group * GROUP, (group + 1) * GROUP):
                        if not self.alike[level - 1][child] or not self.hosts.same(
                            self.order[first], self.order[child << (4 * level)]
                        ):
                            self.alike[level][group] = 0
                            break
        self.seen, self.searches, self.built = self.hosts.logged, 0, True
        self.calm, self.excess = 0.0, 0.0

    cdef void _sort(self, const float* keys, Py_ssize_t low, Py_ssize_t high) noexcept nogil:
        """Order the slots low..high by halving along the slope that differs most; ties by row."""
        cdef Py_ssize_t count = high - low, left = GROUP, width = self.hosts.width, features = self.features
        cdef Py_ssize_t r, step, widest = 0, a, b, i, j, middle
        cdef double spread, most = -1.0, mean, value, squares
        cdef float pivot, key
        cdef int32_t pivot_row, swap
        if count <= GROUP:
            # Insertion by row: among hosts that are alike the first in the group is the lowest.
            for i in range(low + 1, high):
                swap = self.order[i]
                j = i
                while j > low and self.order[j - 1] > swap:
                    self.order[j] = self.order[j - 1]
                    j -= 1
                self.order[j] = swap
            return
        while 2 * left < count:
            left *= 2
        step = count // SAMPLE + 1
        for r in range(width):
            mean, squares = 0.0, 0.0
            for i in range(count // step):
                value = keys[self.order[low + i * step] * features + r]
                # What is hardly ever the best needs no fine order.
                value = value if value < 64.0 else 64.0
                mean += value
                squares += value * value
            mean /= count // step
            spread = squares / (count // step) - mean * mean
            if spread > most:
                most, widest = spread, r
        middle = low + left
        a, b = low, high - 1
        while a < b:
            # The row decides among equal keys, so that no input makes this slow or unstable.
            swap = self.order[(a + b) // 2]
            pivot, pivot_row = keys[swap * features + widest], swap
            i, j = a, b
            while i <= j:
                while True:
                    key = keys[self.order[i] * features + widest]
                    if not (key < pivot or (key == pivot and self.order[i] < pivot_row)):
                        break
                    i += 1
                while True:
                    key = keys[self.order[j] * features + widest]
                    if not (key > pivot or (key == pivot and self.order[j] > pivot_row)):
                        break
                    j -= 1
                if i <= j:
                    swap = self.order[i]
                    self.order[i] = self.order[j]
                    self.order[j] = swap
                    i += 1
                    j -= 1
            if middle <= j:
                b = j
            elif middle >= i:
                a = i
            else:
                break
        self._sort(keys, low, middle)
        self._sort(keys, middle, high)


cdef inline float _storable(double feature) noexcept nogil:
    """As float32 without losing relative precision at either end; smaller is always allowed."""
    if feature >= OUT:
        return OUT
    return <float>feature if feature > TINY else 0.0
