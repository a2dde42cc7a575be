# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Requests on hosts that queue, event by event. The contract is in queues.pyi."""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc, realloc

import numpy as np

cdef extern from *:
    """
    typedef struct {
        double key;    /* first come, first served: its number; shared: the virtual second of its end */
        double work;
        int64_t request;
    } steelyard_held;
    """
    ctypedef struct steelyard_held:
        double key
        double work
        int64_t request

POLICIES = (
    "round_robin", "two_choices", "least_request", "weighted_round_robin", "shortest_delay", "clairvoyant",
)

cdef enum:
    ROUND_ROBIN = 0
    TWO_CHOICES = 1
    LEAST_REQUEST = 2
    WEIGHTED_ROUND_ROBIN = 3
    SHORTEST_DELAY = 4
    CLAIRVOYANT = 5

ctypedef struct Server:
    steelyard_held* heap
    Py_ssize_t size
    Py_ssize_t room
    double virtual     # shared: work that a request has had which was there from the start
    double remaining   # first come, first served: work left of the one in service
    double ends_at     # the second of the next end, if nothing changes


cdef inline uint64_t mixed(uint64_t word) noexcept nogil:
    word = (word ^ (word >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    word = (word ^ (word >> 27)) * <uint64_t>0x94D049BB133111EB
    return word ^ (word >> 31)


cdef class Queues:
    cdef readonly object ended_in_s, taken_by, failed
    cdef readonly object speed, weight, fails, others, busy_s, asked, ended, errors, latency_s, in_flight, own
    cdef const double[::1] _at, _work
    cdef const int32_t[::1] _picker
    cdef double[::1] _ended_in, _speed, _weight, _fails, _busy, _latency
    cdef int32_t[::1] _taken
    cdef uint8_t[::1] _failed
    cdef int64_t[::1] _asked, _ended, _errors, _flight
    cdef int64_t[:, ::1] _own
    cdef double[:, ::1] _others, _due
    cdef double[::1] _due_now, _backlog
    cdef int64_t[::1] _turn
    cdef int64_t[::1] _forth, _back
    cdef double[::1] _back_at
    cdef Server* _servers
    cdef Py_ssize_t _hosts, _count, _next, _forth_read, _forth_write, _back_read, _back_write
    cdef bint _shared
    cdef int _policy, _choices
    cdef double _most, _way, _scale, _now
    cdef uint64_t _state

    def __cinit__(self):
        self._servers = NULL

    def __init__(self, at_s, work, picker, speed, *, policy, seed, pickers=1, shared=False, most_speed=INFINITY,
                 way_s=0.0, choices=0, scale=1.0):
        cdef Py_ssize_t host
        self._at = np.ascontiguousarray(at_s, np.float64)
        self._work = np.ascontiguousarray(work, np.float64)
        self._picker = np.ascontiguousarray(picker, np.int32)
        self._count, self._hosts = len(at_s), len(speed)
        if not len(work) == len(picker) == self._count or self._hosts < 1 or pickers < 1 or choices < 0:
            raise ValueError("requests need a second, work and a picker each, and at least one host and picker")
        if self._count and not (0 <= min(picker) and max(picker) < pickers):
            raise ValueError(f"pickers are 0 to {pickers - 1}")
        self._policy = POLICIES.index(policy)
        self._state, self._choices, self._scale = seed, choices, scale
        self._shared, self._most, self._way = shared, most_speed, way_s
        self.speed = np.array(speed, np.float64)
        self.weight = np.ones(self._hosts)
        self.fails = np.zeros(self._hosts)
        self.others = np.zeros((pickers, self._hosts))
        self.busy_s, self.latency_s = np.zeros(self._hosts), np.zeros(self._hosts)
        self.asked, self.ended, self.errors, self.in_flight = np.zeros((4, self._hosts), np.int64)
        self.own = np.zeros((pickers, self._hosts), np.int64)
        self.ended_in_s = np.full(self._count, np.nan)
        self.taken_by = np.full(self._count, -1, np.int32)
        self.failed = np.zeros(self._count, np.uint8)
        self._ended_in, self._taken, self._failed = self.ended_in_s, self.taken_by, self.failed
        self._speed, self._weight, self._fails, self._others = self.speed, self.weight, self.fails, self.others
        self._busy, self._latency = self.busy_s, self.latency_s
        self._asked, self._ended, self._errors, self._flight = self.asked, self.ended, self.errors, self.in_flight
        self._own = self.own
        self._due, self._due_now = np.zeros((pickers, self._hosts)), np.zeros(pickers)
        self._turn, self._backlog = np.zeros(pickers, np.int64), np.zeros(self._hosts)
        self._forth, self._back = np.zeros(self._count, np.int64), np.zeros(self._count, np.int64)
        self._back_at = np.zeros(self._count)
        self._next = self._forth_read = self._forth_write = self._back_read = self._back_write = 0
        self._now = 0.0
        free(self._servers)
        self._servers = <Server*>malloc(self._hosts * sizeof(Server))
        if self._servers == NULL:
            raise MemoryError
        for host in range(self._hosts):
            self._servers[host] = Server(NULL, 0, 0, 0.0, 0.0, INFINITY)
        # Every picker begins its rounds at a place of its own, as real ones do.
        for host in range(pickers):
            self._turn[host] = self._below(self._hosts)

    def __dealloc__(self):
        cdef Py_ssize_t host
        if self._servers != NULL:
            for host in range(self._hosts):
                free(self._servers[host].heap)
            free(self._servers)

    @property
    def now(self):
        return self._now

    def advance(self, double until_s):
        cdef Py_ssize_t host, first
        cdef double arrives, reaches, returns, ends, at
        if not np.any(self.weight > 0.0):
            raise ValueError("no host has a weight above 0")
        for host in range(self._hosts):
            self._schedule(host)  # its speed may be another one
        while True:
            arrives = self._at[self._next] if self._next < self._count else INFINITY
            reaches = returns = ends = INFINITY
            if self._forth_read < self._forth_write:
                reaches = self._at[self._forth[self._forth_read]] + self._way
            if self._back_read < self._back_write:
                returns = self._back_at[self._back_read]
            first = 0
            for host in range(self._hosts):
                if self._servers[host].ends_at < ends:
                    ends, first = self._servers[host].ends_at, host
            at = min(arrives, reaches, returns, ends)
            if at > until_s or at == INFINITY:
                break
            self._pass_until(at)
            # What frees comes first: a response of this instant is known to a request of the same one.
            if ends == at:
                self._end(first)
            elif returns == at:
                self._return()
            elif reaches == at:
                self._reach(self._forth[self._forth_read])
                self._forth_read += 1
            else:
                self._arrive()
        if until_s < INFINITY:
            self._pass_until(until_s)

    cdef inline double _draw(self) noexcept nogil:
        self._state += <uint64_t>0x9E3779B97F4A7C15
        return <double>(mixed(self._state) >> 11) * (1.0 / 9007199254740992.0)

    cdef inline Py_ssize_t _below(self, Py_ssize_t count) noexcept nogil:
        return min(<Py_ssize_t>(self._draw() * count), count - 1)

    cdef inline double _rate(self, Py_ssize_t host) noexcept nogil:
        """Work a second that each request in service gets."""
        cdef Py_ssize_t size = self._servers[host].size
        return min(self._most, self._speed[host] / size if self._shared and size else self._speed[host])

    cdef void _pass_until(self, double at) noexcept nogil:
        cdef Py_ssize_t host
        cdef double since = at - self._now, rate, worked
        cdef Server* server
        if since > 0.0:
            for host in range(self._hosts):
                server = &self._servers[host]
                if not server.size:
                    continue
                rate = self._rate(host)
                worked = since * rate
                if self._shared:
                    server.virtual += worked
                    worked *= server.size
                else:
                    server.remaining -= worked
                self._backlog[host] -= worked
                if self._speed[host] > 0.0:
                    self._busy[host] += worked / self._speed[host]
            self._now = at

    cdef void _schedule(self, Py_ssize_t host) noexcept nogil:
        cdef Server* server = &self._servers[host]
        cdef double rate, left
        server.ends_at = INFINITY
        if server.size:
            rate = self._rate(host)
            left = server.heap[0].key - server.virtual if self._shared else server.remaining
            if rate > 0.0:
                server.ends_at = self._now + max(left, 0.0) / rate

    cdef int _arrive(self) except -1:
        cdef Py_ssize_t request = self._next
        cdef Py_ssize_t picker = self._picker[request]
        cdef Py_ssize_t host = self._pick(picker, self._work[request])
        self._next += 1
        self._taken[request] = <int32_t>host
        self._asked[host] += 1
        self._flight[host] += 1
        self._own[picker, host] += 1
        self._backlog[host] += self._work[request]
        if self._way > 0.0:
            self._forth[self._forth_write] = request
            self._forth_write += 1
        else:
            self._reach(request)
        return 0

    cdef int _reach(self, Py_ssize_t request) except -1:
        cdef Py_ssize_t host = self._taken[request]
        cdef Server* server = &self._servers[host]
        cdef Py_ssize_t place, above
        cdef steelyard_held held
        cdef steelyard_held* grown
        if self._fails[host] > 0.0 and self._draw() < self._fails[host]:
            self._failed[request] = 1
            self._backlog[host] -= self._work[request]
            self._leave(request)
            return 0
        if server.size == server.room:
            server.room = 2 * server.room + 16
            grown = <steelyard_held*>realloc(server.heap, server.room * sizeof(steelyard_held))
            if grown == NULL:
                raise MemoryError
            server.heap = grown
        held.work, held.request = self._work[request], request
        held.key = server.virtual + held.work if self._shared else <double>self._asked[host]
        if not self._shared and not server.size:
            server.remaining = held.work
        place = server.size
        server.size += 1
        while place and held.key < server.heap[(place - 1) // 2].key:
            above = (place - 1) // 2
            server.heap[place] = server.heap[above]
            place = above
        server.heap[place] = held
        self._schedule(host)
        return 0

    cdef void _end(self, Py_ssize_t host) noexcept:
        cdef Server* server = &self._servers[host]
        cdef Py_ssize_t request = server.heap[0].request
        cdef Py_ssize_t place = 0, below
        cdef steelyard_held last
        if not self._shared:
            self._backlog[host] -= server.remaining
        server.size -= 1
        last = server.heap[server.size]
        while 2 * place + 1 < server.size:
            below = 2 * place + 1
            if below + 1 < server.size and server.heap[below + 1].key < server.heap[below].key:
                below += 1
            if last.key <= server.heap[below].key:
                break
            server.heap[place] = server.heap[below]
            place = below
        server.heap[place] = last
        if not server.size:
            server.virtual, self._backlog[host] = 0.0, max(self._backlog[host], 0.0)
        elif not self._shared:
            server.remaining = server.heap[0].work
        self._schedule(host)
        self._leave(request)

    cdef void _leave(self, Py_ssize_t request) noexcept:
        """Its response sets out for its picker."""
        self._back[self._back_write] = request
        self._back_at[self._back_write] = self._now + self._way
        self._back_write += 1
        if self._way == 0.0:
            self._return()

    cdef void _return(self) noexcept:
        cdef Py_ssize_t request = self._back[self._back_read]
        cdef Py_ssize_t host = self._taken[request]
        self._back_read += 1
        self._ended_in[request] = self._now - self._at[request]
        self._ended[host] += 1
        self._errors[host] += self._failed[request]
        self._latency[host] += self._ended_in[request]
        self._flight[host] -= 1
        self._own[self._picker[request], host] -= 1

    cdef Py_ssize_t _pick(self, Py_ssize_t picker, double work) noexcept nogil:
        cdef Py_ssize_t first, second
        if self._policy == ROUND_ROBIN:
            while True:
                self._turn[picker] = (self._turn[picker] + 1) % self._hosts
                if self._weight[self._turn[picker]] > 0.0:
                    return self._turn[picker]
        if self._policy == TWO_CHOICES:
            first, second = self._below(self._hosts), self._below(self._hosts)
            while not self._weight[first] > 0.0:
                first = self._below(self._hosts)
            while not self._weight[second] > 0.0:
                second = self._below(self._hosts)
            return first if self._own[picker, first] <= self._own[picker, second] else second
        if self._policy == LEAST_REQUEST or self._policy == WEIGHTED_ROUND_ROBIN:
            return self._earliest_due(picker)
        if self._policy == CLAIRVOYANT:
            return self._earliest_end(work)
        return self._shortest_delay(picker)

    cdef Py_ssize_t _earliest_due(self, Py_ssize_t picker) noexcept nogil:
        """Earliest deadline first, as Envoy's scheduler: a host comes again 1 / weight later."""
        cdef Py_ssize_t host, best = -1
        cdef double weight
        for host in range(self._hosts):
            if self._weight[host] > 0.0 and (best < 0 or self._due[picker, host] < self._due[picker, best]):
                best = host
        self._due_now[picker] = max(self._due_now[picker], self._due[picker, best])
        weight = self._weight[best]
        if self._policy == LEAST_REQUEST:
            weight /= self._own[picker, best] + 1
        self._due[picker, best] = self._due_now[picker] + 1.0 / weight
        return best

    cdef Py_ssize_t _shortest_delay(self, Py_ssize_t picker) noexcept nogil:
        cdef Py_ssize_t host, best = -1, draw, equal = 1
        cdef double delay, least = INFINITY, total = 0.0, point
        if self._choices:
            for host in range(self._hosts):
                total += self._weight[host]
        for draw in range(self._choices if self._choices else self._hosts):
            host = draw
            if not self._choices and not self._weight[host] > 0.0:
                continue
            if self._choices:
                point, host = self._draw() * total, 0
                while host < self._hosts - 1 and point >= self._weight[host]:
                    point -= self._weight[host]
                    host += 1
            delay = (self._own[picker, host] * self._scale + self._others[picker, host] + 1.0) / self._weight[host]
            if delay < least:
                least, best, equal = delay, host, 1
            elif delay == least and host != best:
                equal += 1
                if self._draw() * equal < 1.0:
                    best = host
        if best < 0:  # a draw past the last weight, or weights that no delay can be told from
            best = 0
            while best < self._hosts - 1 and not self._weight[best] > 0.0:
                best += 1
        return best

    cdef Py_ssize_t _earliest_end(self, double work) noexcept nogil:
        """Where it would end first if nothing came after it; all work and speeds are known."""
        cdef Py_ssize_t host, place, best = 0
        cdef double before, end, least = INFINITY, left
        cdef Server* server
        for host in range(self._hosts):
            if not self._weight[host] > 0.0:
                continue
            server = &self._servers[host]
            before = self._backlog[host]
            if self._shared:
                before = 0.0
                for place in range(server.size):
                    left = server.heap[place].key - server.virtual
                    before += min(left, work)
            end = max((before + work) / self._speed[host], work / self._most) if self._speed[host] > 0.0 else INFINITY
            if end < least:
                least, best = end, host
        return best
