# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Search for a packing onto fewer hosts. The contract is in ejection.pyi.

A rule of its own has a reference; this is a search, and tests hold it to what it promises.
"""

from libc.math cimport INFINITY, exp
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport free as release, malloc

cdef enum:
    #: Resources that the arrays on the stack have room for.
    WIDEST = 64
    #: Most loads ejected for one.
    CREW = 3

cdef struct Search:
    Py_ssize_t loads, hosts, wide
    Py_ssize_t opened, pooled, swaps
    double heat
    uint64_t state
    const int64_t* sizes
    const double* weights
    int64_t* left  # what is free, hosts x wide
    int64_t* rows  # where each load is, -1 in the pool
    int64_t* first  # a host's loads, as a list in both directions
    int64_t* after
    int64_t* before
    int64_t* pool
    int64_t* crew
    int64_t* open_hosts
    int64_t* tried
    double* prices
    double* slack  # minus the weights held, a host


cdef inline uint64_t drawn(Search* s) noexcept nogil:
    """The next of a sequence that the seed fixes (splitmix64)."""
    cdef uint64_t word
    s.state += 0x9E3779B97F4A7C15ULL
    word = s.state
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9ULL
    word = (word ^ (word >> 27)) * 0x94D049BB133111EBULL
    return word ^ (word >> 31)


cdef inline Py_ssize_t below(Search* s, Py_ssize_t count) noexcept nogil:
    return <Py_ssize_t>(((drawn(s) >> 32) * <uint64_t>count) >> 32)


cdef inline bint fits(const int64_t* size, const int64_t* left, Py_ssize_t wide) noexcept nogil:
    cdef Py_ssize_t r
    for r in range(wide):
        if size[r] > left[r]:
            return False
    return True


cdef inline void settle(Search* s, int64_t load, int64_t host) noexcept nogil:
    cdef Py_ssize_t r
    cdef int64_t head = s.first[host]
    for r in range(s.wide):
        s.left[host * s.wide + r] -= s.sizes[load * s.wide + r]
    s.slack[host] -= s.weights[load]
    s.rows[load] = host
    s.before[load] = -1
    s.after[load] = head
    if head >= 0:
        s.before[head] = load
    s.first[host] = load


cdef inline void lift(Search* s, int64_t load) noexcept nogil:
    cdef Py_ssize_t r
    cdef int64_t host = s.rows[load]
    for r in range(s.wide):
        s.left[host * s.wide + r] += s.sizes[load * s.wide + r]
    s.slack[host] += s.weights[load]
    if s.before[load] >= 0:
        s.after[s.before[load]] = s.after[load]
    else:
        s.first[host] = s.after[load]
    if s.after[load] >= 0:
        s.before[s.after[load]] = s.before[load]
    s.rows[load] = -1


cdef inline void eject(Search* s, int64_t load) noexcept nogil:
    lift(s, load)
    s.pool[s.pooled] = load
    s.pooled += 1


cdef void exchange(Search* s) noexcept nogil:
    """Random swaps of two loads that fit. What gathers free room on fewer hosts is taken, the rest by chance."""
    cdef Py_ssize_t turn, r, wide = s.wide
    cdef int64_t one, two, here, there
    cdef const int64_t* a
    cdef const int64_t* b
    cdef const int64_t* room_a
    cdef const int64_t* room_b
    cdef double gain
    for turn in range(s.swaps):
        one = below(s, s.loads)
        two = below(s, s.loads)
        here = s.rows[one]
        there = s.rows[two]
        if here == there or here < 0 or there < 0:
            continue
        a = s.sizes + one * wide
        b = s.sizes + two * wide
        room_a = s.left + here * wide
        room_b = s.left + there * wide
        for r in range(wide):
            if b[r] - a[r] > room_a[r] or a[r] - b[r] > room_b[r]:
                break
        else:
            # Half the change of the sum of squared slacks.
            gain = s.weights[one] - s.weights[two]
            gain *= s.slack[here] - s.slack[there] + gain
            if gain < 0.0 and <double>(drawn(s) >> 11) * (1.0 / 9007199254740992.0) > exp(gain / s.heat):
                continue
            lift(s, one)
            lift(s, two)
            settle(s, one, there)
            settle(s, two, here)


cdef bint insert(Search* s, int64_t load) noexcept nogil:
    """Put the load on a host with room, the first from a random one on; whether there was one."""
    cdef Py_ssize_t turn, at = below(s, s.opened)
    cdef int64_t host
    for turn in range(s.opened):
        host = s.open_hosts[at]
        if fits(s.sizes + load * s.wide, s.left + host * s.wide, s.wide):
            settle(s, load, host)
            return True
        at += 1
        if at == s.opened:
            at = 0
    return False


cdef inline bint relieves(
    const int64_t* one, const int64_t* two, const int64_t* three, const int64_t* lacking, const Py_ssize_t* places,
    Py_ssize_t count,
) noexcept nogil:
    """Whether what these loads give back is enough; NULL for less than three."""
    cdef Py_ssize_t k, r
    cdef int64_t given
    for k in range(count):
        r = places[k]
        given = one[r]
        if two != NULL:
            given += two[r]
        if three != NULL:
            given += three[r]
        if given < lacking[k]:
            return False
    return True


cdef int64_t cheapest(Search* s, int64_t load, int64_t* out) noexcept nogil:
    """The host where the load's coming ejects the loads of the least price together, into out; -1 if none will do."""
    cdef Py_ssize_t wide = s.wide, turn, r, count, crew, x, y, z, at = below(s, s.opened)
    cdef int64_t host, member, found = -1
    cdef int64_t lacking[WIDEST]
    cdef Py_ssize_t places[WIDEST]
    cdef const int64_t* size = s.sizes + load * wide
    cdef const int64_t* left
    cdef const int64_t* one
    cdef const int64_t* two
    cdef double best = INFINITY, price, pair
    for turn in range(s.opened):
        host = s.open_hosts[at]
        at += 1
        if at == s.opened:
            at = 0
        left = s.left + host * wide
        count = 0
        for r in range(wide):
            if size[r] > left[r]:
                lacking[count] = size[r] - left[r]
                places[count] = r
                count += 1
        crew = 0
        member = s.first[host]
        while member >= 0:
            if s.prices[member] < best:
                s.crew[crew] = member
                crew += 1
            member = s.after[member]
        for x in range(crew):
            price = s.prices[s.crew[x]]
            if price >= best:
                continue
            one = s.sizes + s.crew[x] * wide
            if relieves(one, NULL, NULL, lacking, places, count):
                best = price
                found = host
                out[0] = s.crew[x]
                out[1] = out[2] = -1
                continue
            for y in range(x):
                pair = price + s.prices[s.crew[y]]
                if pair >= best:
                    continue
                two = s.sizes + s.crew[y] * wide
                if relieves(one, two, NULL, lacking, places, count):
                    best = pair
                    found = host
                    out[0] = s.crew[x]
                    out[1] = s.crew[y]
                    out[2] = -1
                    continue
                for z in range(y):
                    if pair + s.prices[s.crew[z]] < best and relieves(
                        one, two, s.sizes + s.crew[z] * wide, lacking, places, count
                    ):
                        best = pair + s.prices[s.crew[z]]
                        found = host
                        out[0] = s.crew[x]
                        out[1] = s.crew[y]
                        out[2] = s.crew[z]
    return found


cdef void press(Search* s) noexcept nogil:
    """One step: place a load of the pool, at the price of others if it must be."""
    cdef int64_t out[CREW]
    cdef Py_ssize_t k, at = below(s, s.pooled)
    cdef int64_t load = s.pool[at], host
    s.pooled -= 1
    s.pool[at] = s.pool[s.pooled]
    if not insert(s, load):
        # Whoever was hard to place becomes dear, so that others are ejected for it, and not the other way round.
        s.prices[load] += s.weights[load]
        host = cheapest(s, load, out)
        if host < 0:
            s.pool[s.pooled] = load
            s.pooled += 1
        else:
            for k in range(CREW):
                if out[k] >= 0:
                    eject(s, out[k])
            settle(s, load, host)
            k = 0
            while k < s.pooled:
                load = s.pool[k]
                if fits(s.sizes + load * s.wide, s.left + host * s.wide, s.wide):
                    settle(s, load, host)
                    s.pooled -= 1
                    s.pool[k] = s.pool[s.pooled]
                else:
                    k += 1
    exchange(s)


cdef void restore(Search* s, const int64_t* kept) noexcept nogil:
    """Every load where it was kept; those without a host are nobody's business."""
    cdef Py_ssize_t load
    for load in range(s.loads):
        if s.rows[load] >= 0:
            lift(s, load)
    s.pooled = 0
    for load in range(s.loads):
        if kept[load] >= 0:
            settle(s, load, kept[load])


cdef Py_ssize_t admit(Search* s, int64_t* kept, Py_ssize_t steps) noexcept nogil:
    """Place as many as will go on all hosts; kept is the best seen. The steps that it took."""
    cdef Py_ssize_t used = 0, load, host, fewest
    s.opened = s.hosts
    for host in range(s.hosts):
        s.open_hosts[host] = host
    for load in range(s.loads):
        s.prices[load] = s.weights[load]
        if kept[load] < 0:
            for host in range(s.hosts):
                # Nothing has been placed yet: a load for which no host is large enough would wait for ever.
                if fits(s.sizes + load * s.wide, s.left + host * s.wide, s.wide):
                    s.pool[s.pooled] = load
                    s.pooled += 1
                    break
    for load in range(s.loads):
        if kept[load] >= 0:
            settle(s, load, kept[load])
    fewest = s.pooled
    while s.pooled and used < steps:
        press(s)
        used += 1
        if s.pooled < fewest:
            fewest = s.pooled
            for load in range(s.loads):
                kept[load] = s.rows[load]
    return used


cdef Py_ssize_t emptiest(Search* s) noexcept nogil:
    """List the hosts in use; where in the list the one is that holds least and was not tried, -1 for none."""
    cdef Py_ssize_t host, found = -1
    cdef double most = -INFINITY
    s.opened = 0
    for host in range(s.hosts):
        if s.first[host] >= 0:
            if not s.tried[host] and s.slack[host] > most:
                most = s.slack[host]
                found = s.opened
            s.open_hosts[s.opened] = host
            s.opened += 1
    return found


cdef Py_ssize_t concentrate(Search* s, int64_t* kept, Py_ssize_t bound, Py_ssize_t steps, Py_ssize_t turn) noexcept nogil:
    """Empty one host in use after the other, `turn` steps for each; kept is the best seen. The steps that it took."""
    cdef Py_ssize_t used = 0, load, at, began
    cdef int64_t host
    for host in range(s.hosts):
        s.tried[host] = 0
    while used < steps:
        at = emptiest(s)
        if at < 0 or s.opened <= bound or s.opened < 2:
            break
        host = s.open_hosts[at]
        s.opened -= 1
        s.open_hosts[at] = s.open_hosts[s.opened]
        for load in range(s.loads):
            s.prices[load] = s.weights[load]
        while s.first[host] >= 0:
            eject(s, s.first[host])
        began = used
        while s.pooled and used < steps and used - began < turn:
            press(s)
            used += 1
        if s.pooled:
            s.tried[host] = 1
            restore(s, kept)
        else:
            for load in range(s.loads):
                kept[load] = s.rows[load]
            for host in range(s.hosts):
                s.tried[host] = 0
    return used


def improve(
    const int64_t[:, ::1] free not None, const int64_t[:, ::1] sizes not None, const double[::1] weights not None,
    Py_ssize_t bound, Py_ssize_t steps, Py_ssize_t turn, Py_ssize_t swaps, double heat, uint64_t seed,
    int64_t[::1] rows not None,
):
    """See ejection.pyi."""
    cdef Py_ssize_t loads = sizes.shape[0], hosts = free.shape[0], wide = sizes.shape[1], host, load, r, used = 0
    cdef bint whole = True
    cdef int64_t* words
    cdef double* reals
    cdef Search s
    if free.shape[1] != wide or weights.shape[0] != loads or rows.shape[0] != loads:
        raise ValueError("the columns' shapes disagree")
    if wide > WIDEST:
        raise ValueError("resources: too many")
    if not heat > 0.0 or turn < 1 or swaps < 0:
        raise ValueError("heat and turn: more than nothing; swaps: no less than nothing")
    for load in range(loads):
        if not -1 <= rows[load] < hosts:
            raise ValueError("rows: names a host that there is not")
    if not loads or not hosts or not wide:
        return 0
    words = <int64_t*>malloc((hosts * wide + 5 * loads + 3 * hosts) * sizeof(int64_t))
    reals = <double*>malloc((loads + hosts) * sizeof(double))
    if words == NULL or reals == NULL:
        release(words)
        release(reals)
        raise MemoryError
    s.loads, s.hosts, s.wide = loads, hosts, wide
    s.swaps, s.heat, s.state, s.pooled, s.opened = swaps, heat, seed, 0, 0
    s.sizes, s.weights = &sizes[0, 0], &weights[0]
    s.left = words
    s.rows = s.left + hosts * wide
    s.after = s.rows + loads
    s.before = s.after + loads
    s.pool = s.before + loads
    s.crew = s.pool + loads
    s.first = s.crew + loads
    s.open_hosts = s.first + hosts
    s.tried = s.open_hosts + hosts
    s.prices = reals
    s.slack = reals + loads
    with nogil:
        for host in range(hosts):
            s.first[host] = -1
            s.slack[host] = 0.0
            for r in range(wide):
                s.left[host * wide + r] = free[host, r]
        for load in range(loads):
            s.rows[load] = -1
        used = admit(&s, &rows[0], steps)
        whole = s.pooled == 0
        if whole:
            used += concentrate(&s, &rows[0], bound, steps - used, turn)
    release(words)
    release(reals)
    return used
