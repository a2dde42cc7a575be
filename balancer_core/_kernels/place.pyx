# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""One pass over the hosts: filter, score, and the best few. The contract is in place.pyi, the meaning in reference.py.

The order of every operation is the reference's, so that the bits are the same; hence also no fused multiply-add
(-ffp-contract=off). Constants are read from the Python modules that own them.
"""

from libc.math cimport isfinite
from libc.stdint cimport int64_t, uint8_t

from balancer_core import resources
from balancer_core.cost import curves
from balancer_core.scores import marginal, stranded

cdef enum:
    PLACES = 16
    RESOURCES = 32

MAX_TOP = PLACES

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


cdef bint admits(
    const double* capacity, const double* reserved, const double* used, const double* demand, const uint8_t* kinds,
    Py_ssize_t width,
) noexcept nogil:
    cdef Py_ssize_t r
    cdef double holds
    for r in range(width):
        if demand[r] > 0.0:
            holds = reserved[r]
            if kinds[r] == CAPACITY and used[r] > holds:
                holds = used[r]
            if capacity[r] <= 0.0 or holds + demand[r] > capacity[r]:
                return False
    return True


cdef inline double marginal_total(
    const double* capacity, const double* reserved, const double* used, const double* demand, const double* weights,
    const uint8_t* kinds, Py_ssize_t width, double doubtful,
) noexcept nogil:
    cdef Py_ssize_t r
    cdef double total = 0.0
    cdef double holds, before, after
    for r in range(width):
        if demand[r] > 0.0:
            holds = used[r] if used[r] > reserved[r] else reserved[r]
            before = price(kinds[r], free_share(holds, capacity[r], doubtful))
            after = price(kinds[r], free_share(holds + demand[r], capacity[r], doubtful))
            total += weights[r] * (after - before)
    return total


cdef inline double stranded_total(
    const double* capacity, const double* reserved, const double* used, const double* demand, const double* weights,
    Py_ssize_t width, double doubtful,
) noexcept nogil:
    cdef Py_ssize_t r
    cdef double before[RESOURCES]
    cdef double after[RESOURCES]
    cdef double over[RESOURCES]
    cdef double scarcest_before = 1.0
    cdef double scarcest_after = 1.0
    cdef double total_weight = 0.0
    cdef double total = 0.0
    cdef double holds, free
    for r in range(width):
        if capacity[r] > 0.0:
            holds = used[r] if used[r] > reserved[r] else reserved[r]
            free = free_share(holds, capacity[r], doubtful)
            before[r] = free if free > 0.0 else 0.0
            free = free_share(holds + demand[r], capacity[r], doubtful)
            after[r] = free if free > 0.0 else 0.0
            over[r] = 0.0 if free > 0.0 else -free
            if before[r] < scarcest_before:
                scarcest_before = before[r]
            if after[r] < scarcest_after:
                scarcest_after = after[r]
            total_weight += weights[r]
    if total_weight <= 0.0:
        return 0.0
    for r in range(width):
        if capacity[r] > 0.0:
            total += (
                weights[r] * ((after[r] - scarcest_after) - (before[r] - scarcest_before) + OVERLOAD * over[r])
                + FILL * weights[r] / total_weight * after[r]
            )
    return total


cdef bint known_mode(int mode) noexcept nogil:
    return mode == MARGINAL or mode == STRANDED


cdef bint is_marginal(int mode) noexcept nogil:
    return mode == MARGINAL


cdef double total_of(
    int mode, const double* capacity, const double* reserved, const double* used, const double* demand,
    const double* weights, const uint8_t* kinds, Py_ssize_t width, double doubtful,
) noexcept nogil:
    """The total of one host by the score of this mode."""
    if mode == MARGINAL:
        return marginal_total(capacity, reserved, used, demand, weights, kinds, width, doubtful)
    return stranded_total(capacity, reserved, used, demand, weights, width, doubtful)


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


def scan(
    const double[:, ::1] capacity not None, const double[:, ::1] reserved not None, const double[:, ::1] used not None,
    const double[::1] reported_at not None, const uint8_t[::1] flags not None, const uint8_t[::1] admissible not None,
    uint8_t blocked, const double[::1] demand not None, const double[::1] weights not None,
    const uint8_t[::1] kinds not None, int mode, double now,
    int64_t[::1] top_rows not None, double[::1] top_totals not None,
):
    """See place.pyi."""
    cdef Py_ssize_t hosts = capacity.shape[0]
    cdef Py_ssize_t width = capacity.shape[1]
    cdef Py_ssize_t places = top_rows.shape[0]
    cdef Py_ssize_t row
    cdef Py_ssize_t held = 0
    cdef Py_ssize_t found = 0
    cdef double total, doubtful
    if not 1 <= width <= RESOURCES or not 1 <= places <= PLACES or top_totals.shape[0] != places:
        raise ValueError("resources or places out of range")
    if (
        reserved.shape[0] != hosts or reserved.shape[1] != width or used.shape[0] != hosts or used.shape[1] != width
        or reported_at.shape[0] != hosts or flags.shape[0] != hosts or admissible.shape[0] != hosts
        or demand.shape[0] != width or weights.shape[0] != width or kinds.shape[0] != width
    ):
        raise ValueError("the columns' shapes disagree")
    if not known_mode(mode):
        raise ValueError(f"no score has mode {mode}")
    with nogil:
        for row in range(hosts):
            if not admissible[row] or flags[row] & blocked:
                continue
            if not admits(&capacity[row, 0], &reserved[row, 0], &used[row, 0], &demand[0], &kinds[0], width):
                continue
            doubtful = doubt(now - reported_at[row])
            total = total_of(
                mode, &capacity[row, 0], &reserved[row, 0], &used[row, 0], &demand[0], &weights[0], &kinds[0], width,
                doubtful,
            )
            if isfinite(total):
                found += 1
                held = insert(&top_rows[0], &top_totals[0], held, places, row, total)
    return found
