# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""One pass over the hosts: filter, score, the best few, and why the others not. The contract is in place.pyi, the
meaning in reference.py.

The order of every operation is the reference's, so that the bits are the same; hence also no fused multiply-add
(-ffp-contract=off). Constants are read from the Python modules that own them.
"""

from libc.math cimport NAN, isfinite, sqrt
from libc.stdint cimport int64_t, uint8_t

from balancer_core import resources
from balancer_core.cost import curves
from balancer_core.scores import angle, marginal, stranded

cdef enum:
    PLACES = 16
    PARTS = 4
    RESOURCES = 32

MAX_TOP = PLACES

#: In `refused`: the host is not part of this pass, and nothing is noted of it.
ELSEWHERE = 255

# Grades of what is short, as filters.fits numbers them.
cdef enum:
    FITS = 0
    NO_ROOM = 1
    TOO_SMALL = 2
    UNDECLARED = 3

assert RESOURCES == resources.MAX_RESOURCES

cdef double RATE_KNEE = curves.RATE_KNEE
cdef double RATE_KNEE_COST = (1.0 - RATE_KNEE) / RATE_KNEE
cdef double RATE_KNEE_SQUARE = RATE_KNEE * RATE_KNEE
cdef double CAPACITY_SLOPE = curves.CAPACITY_SLOPE
cdef double CAPACITY_KNEE = curves.CAPACITY_KNEE
cdef double CAPACITY_BARRIER = curves.CAPACITY_BARRIER
cdef double DOUBT_GRACE_S = curves.DOUBT_GRACE_S
cdef double DOUBT_PER_S = curves.DOUBT_PER_S
cdef double DOUBT_CAP = curves.DOUBT_CAP
cdef double FILL = stranded.FILL
cdef double OVERLOAD = stranded.OVERLOAD
cdef uint8_t CAPACITY = resources.CAPACITY
cdef int MARGINAL = marginal.MODE
cdef int STRANDED = stranded.MODE
cdef int ANGLE = angle.MODE
cdef double EVEN = angle.EVEN


cdef double doubt(double age_s) noexcept nogil:
    if age_s <= DOUBT_GRACE_S:
        return 0.0
    cdef double share = (age_s - DOUBT_GRACE_S) * DOUBT_PER_S
    return share if share < DOUBT_CAP else DOUBT_CAP


cdef double free_share(double occupied, double capacity, double doubtful) noexcept nogil:
    cdef double free = 1.0 - occupied / capacity
    return free * (1.0 - doubtful) if free > 0.0 else free


cdef inline double price(uint8_t kind, double free) noexcept nogil:
    cdef double cost, over
    if kind == CAPACITY:
        cost = CAPACITY_SLOPE * (1.0 - free)
        if free < CAPACITY_KNEE:
            over = (CAPACITY_KNEE - free) / CAPACITY_KNEE
            cost += CAPACITY_BARRIER * over * over * over
        return cost
    if free < RATE_KNEE:
        return RATE_KNEE_COST + (RATE_KNEE - free) / RATE_KNEE_SQUARE
    return (1.0 - free) / free


cdef int shortage(Host host, const double* demand, const uint8_t* kinds, Py_ssize_t width) noexcept nogil:
    """The gravest grade of what is short on the host, FITS where nothing is."""
    cdef Py_ssize_t r
    cdef double holds
    cdef int grade, gravest = FITS
    for r in range(width):
        if demand[r] > 0.0:
            holds = host.reserved[r]
            if kinds[r] == CAPACITY and host.used[r] > holds:
                holds = host.used[r]
            if host.capacity[r] <= 0.0 or holds + demand[r] > host.capacity[r]:
                grade = NO_ROOM
                if host.capacity[r] <= 0.0:
                    grade = UNDECLARED
                elif demand[r] > host.capacity[r]:
                    grade = TOO_SMALL
                if grade > gravest:
                    gravest = grade
    return gravest


cdef bint admits(Host host, const double* demand, const uint8_t* kinds, Py_ssize_t width) noexcept nogil:
    cdef Py_ssize_t r
    cdef double holds
    for r in range(width):
        if demand[r] > 0.0:
            holds = host.reserved[r]
            if kinds[r] == CAPACITY and host.used[r] > holds:
                holds = host.used[r]
            if host.capacity[r] <= 0.0 or holds + demand[r] > host.capacity[r]:
                return False
    return True


cdef inline double occupied(Host host, Py_ssize_t r) noexcept nogil:
    """What counts as in use: the largest of what is reserved, measured and expected."""
    cdef double holds = host.used[r] if host.used[r] > host.reserved[r] else host.reserved[r]
    return host.expected[r] if host.expected[r] > holds else holds


cdef inline double marginal_total(
    Host host, const double* demand, const double* weights, const uint8_t* kinds, Py_ssize_t width, double doubtful,
    double* terms,
) noexcept nogil:
    cdef Py_ssize_t r
    cdef double total = 0.0
    cdef double holds, before, after, term
    for r in range(width):
        term = 0.0
        if demand[r] > 0.0:
            holds = occupied(host, r)
            before = price(kinds[r], free_share(holds, host.capacity[r], doubtful))
            after = price(kinds[r], free_share(holds + demand[r], host.capacity[r], doubtful))
            term = weights[r] * (after - before)
            total += term
        if terms != NULL:
            terms[r] = term
    return total


cdef inline double stranded_total(
    Host host, const double* demand, const double* weights, Py_ssize_t width, double doubtful, double* terms,
) noexcept nogil:
    cdef Py_ssize_t r
    cdef double before[RESOURCES]
    cdef double after[RESOURCES]
    cdef double over[RESOURCES]
    cdef double scarcest_before = 1.0
    cdef double scarcest_after = 1.0
    cdef double total_weight = 0.0
    cdef double total = 0.0
    cdef double holds, free, term
    for r in range(width):
        if host.capacity[r] > 0.0:
            holds = occupied(host, r)
            free = free_share(holds, host.capacity[r], doubtful)
            before[r] = free if free > 0.0 else 0.0
            free = free_share(holds + demand[r], host.capacity[r], doubtful)
            after[r] = free if free > 0.0 else 0.0
            over[r] = 0.0 if free > 0.0 else -free
            if before[r] < scarcest_before:
                scarcest_before = before[r]
            if after[r] < scarcest_after:
                scarcest_after = after[r]
            total_weight += weights[r]
    for r in range(width):
        term = 0.0
        if host.capacity[r] > 0.0 and not total_weight <= 0.0:
            term = (
                weights[r] * ((after[r] - scarcest_after) - (before[r] - scarcest_before) + OVERLOAD * over[r])
                + FILL * weights[r] / total_weight * after[r]
            )
            total += term
        if terms != NULL:
            terms[r] = term
    return total


cdef inline double angle_total(
    Host host, const double* demand, const double* weights, Py_ssize_t width, double doubtful, double* terms,
) noexcept nogil:
    cdef Py_ssize_t r
    cdef double asks[RESOURCES]
    cdef double left[RESOURCES]
    cdef double asked = 0.0
    cdef double free = 0.0
    cdef double total_weight = 0.0
    cdef double total = 0.0
    cdef double share, direction, term
    for r in range(width):
        if host.capacity[r] > 0.0:
            share = free_share(occupied(host, r), host.capacity[r], doubtful)
            left[r] = weights[r] * (share if share > 0.0 else 0.0)
            asks[r] = weights[r] * (demand[r] / host.capacity[r])
            asked += asks[r] * asks[r]
            free += left[r] * left[r]
            total_weight += weights[r]
    asked, free = sqrt(asked), sqrt(free)
    for r in range(width):
        term = 0.0
        if host.capacity[r] > 0.0 and asked > 0.0 and total_weight > 0.0:
            direction = asks[r] / asked
            term = direction * (direction - left[r] / free) if free > 0.0 else direction * direction
            term += EVEN * (weights[r] - left[r] + asks[r]) / total_weight
            total += term
        if terms != NULL:
            terms[r] = term
    return total


cdef bint known_mode(int mode) noexcept nogil:
    return mode == MARGINAL or mode == STRANDED or mode == ANGLE


cdef bint is_marginal(int mode) noexcept nogil:
    return mode == MARGINAL


cdef inline double weighed(
    int mode, Host host, const double* demand, const double* weights, const uint8_t* kinds, Py_ssize_t width,
    double doubtful, double* terms,
) noexcept nogil:
    if mode == MARGINAL:
        return marginal_total(host, demand, weights, kinds, width, doubtful, terms)
    if mode == STRANDED:
        return stranded_total(host, demand, weights, width, doubtful, terms)
    return angle_total(host, demand, weights, width, doubtful, terms)


cdef double total_of(
    int mode, Host host, const double* demand, const double* weights, const uint8_t* kinds, Py_ssize_t width,
    double doubtful,
) noexcept nogil:
    """The total of one host by the score of this mode."""
    return weighed(mode, host, demand, weights, kinds, width, doubtful, NULL)


cdef inline bint before(double total, int64_t row, double than, int64_t other) noexcept nogil:
    return total < than or (total == than and row < other)


cdef Py_ssize_t insert(
    int64_t* rows, double* totals, Py_ssize_t held, Py_ssize_t places, int64_t row, double total,
) noexcept nogil:
    """Keep the places sorted by total, then by row. Returns how many are held now."""
    cdef Py_ssize_t place
    if held == places:
        if not before(total, row, totals[held - 1], rows[held - 1]):
            return held
        held -= 1
    place = held
    while place > 0 and before(total, row, totals[place - 1], rows[place - 1]):
        totals[place] = totals[place - 1]
        rows[place] = rows[place - 1]
        place -= 1
    totals[place] = total
    rows[place] = row
    return held + 1


cdef class Columns:
    """See place.pyi."""

    cdef const double[:, ::1] capacity, reserved, used
    cdef const float[:, ::1] expected
    cdef const double[::1] reported_at
    cdef const uint8_t[::1] flags, kinds
    cdef readonly Py_ssize_t hosts, width

    def __cinit__(
        self, const double[:, ::1] capacity not None, const double[:, ::1] reserved not None,
        const double[:, ::1] used not None, const float[:, ::1] expected not None,
        const double[::1] reported_at not None, const uint8_t[::1] flags not None, const uint8_t[::1] kinds not None,
    ):
        self.hosts, self.width = capacity.shape[0], capacity.shape[1]
        if not 1 <= self.width <= RESOURCES:
            raise ValueError("resources out of range")
        if (
            reserved.shape[0] != self.hosts or reserved.shape[1] != self.width
            or used.shape[0] != self.hosts or used.shape[1] != self.width
            or expected.shape[0] != self.hosts or expected.shape[1] != self.width
            or reported_at.shape[0] != self.hosts or flags.shape[0] != self.hosts or kinds.shape[0] != self.width
        ):
            raise ValueError("the columns' shapes disagree")
        self.capacity, self.reserved, self.used, self.expected = capacity, reserved, used, expected
        self.reported_at, self.flags, self.kinds = reported_at, flags, kinds

    cdef inline Host host(self, Py_ssize_t row) noexcept nogil:
        cdef Host host
        host.capacity, host.reserved = &self.capacity[row, 0], &self.reserved[row, 0]
        host.used, host.expected = &self.used[row, 0], &self.expected[row, 0]
        return host

    def scan(
        self, const uint8_t[::1] refused not None, const uint8_t[::1] flag_codes not None, uint8_t fits_code,
        const double[::1] demand not None, const double[::1] weights not None, int mode, double now,
        uint8_t[::1] verdicts, int64_t[::1] counts, int64_t[::1] top_rows not None, double[::1] top_totals not None,
    ):
        """See place.pyi."""
        cdef Py_ssize_t places = top_rows.shape[0]
        cdef Py_ssize_t row
        cdef Py_ssize_t held = 0
        cdef Py_ssize_t found = 0
        cdef Host host
        cdef double total, doubtful
        cdef uint8_t code
        cdef bint noted = verdicts is not None
        self._check(demand, weights, mode)
        if not 1 <= places <= PLACES or top_totals.shape[0] != places:
            raise ValueError("places out of range")
        if noted != (counts is not None) or (
            noted and (verdicts.shape[0] != self.hosts or counts.shape[0] != 256)
        ):
            raise ValueError("the columns' shapes disagree")
        if refused.shape[0] != self.hosts or flag_codes.shape[0] != 256 or fits_code > 248:
            raise ValueError("the columns' shapes disagree")
        with nogil:
            for row in range(self.hosts):
                code = refused[row]
                if code == 255:
                    continue
                if flag_codes[self.flags[row]]:
                    code = flag_codes[self.flags[row]]
                if code == 0:
                    host = self.host(row)
                    if not admits(host, &demand[0], &self.kinds[0], self.width):
                        code = fits_code
                        if noted:
                            code += <uint8_t>shortage(host, &demand[0], &self.kinds[0], self.width)
                if code:
                    if noted:
                        verdicts[row] = code
                        counts[code] += 1
                    continue
                doubtful = doubt(now - self.reported_at[row])
                total = total_of(
                    mode, host, &demand[0], &weights[0], &self.kinds[0], self.width, doubtful
                )
                if isfinite(total):
                    found += 1
                    held = insert(&top_rows[0], &top_totals[0], held, places, row, total)
        return found

    def terms(
        self, const int64_t[::1] rows not None, const double[::1] demand not None, const double[::1] weights not None,
        int mode, double now, double[:, :, ::1] into not None,
    ):
        """See place.pyi."""
        cdef double[RESOURCES] costs
        cdef Py_ssize_t i, r, row
        cdef Host host
        cdef double holds, seen, has
        cdef double* part
        self._check(demand, weights, mode)
        if into.shape[0] != rows.shape[0] or into.shape[1] != self.width or into.shape[2] != PARTS:
            raise ValueError("the columns' shapes disagree")
        for i in range(rows.shape[0]):
            row = rows[i]
            if not 0 <= row < self.hosts:
                raise ValueError("a row out of range")
            host = self.host(row)
            weighed(
                mode, host, &demand[0], &weights[0], &self.kinds[0], self.width, doubt(now - self.reported_at[row]), costs
            )
            for r in range(self.width):
                has = host.capacity[r]
                part = &into[i, r, 0]
                part[0], part[1], part[2], part[3] = NAN, NAN, NAN, NAN
                if has > 0.0 and (costs[r] != 0.0 or demand[r] > 0.0):
                    seen = host.used[r] if host.used[r] > host.reserved[r] else host.reserved[r]
                    holds = occupied(host, r)
                    part[0], part[1] = holds / has, (holds + demand[r]) / has
                    part[2], part[3] = costs[r], (holds - seen) / has

    cdef _check(self, const double[::1] demand, const double[::1] weights, int mode):
        if demand.shape[0] != self.width or weights.shape[0] != self.width:
            raise ValueError("the columns' shapes disagree")
        if not known_mode(mode):
            raise ValueError(f"no score has mode {mode}")
