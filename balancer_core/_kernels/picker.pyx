# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""picker.h for Python. The contract is in picker.pyi, the meaning in picker.h and picker_reference.py."""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free

cdef extern from "<stdbool.h>":
    ctypedef bint c_bool "bool"

cdef extern from "picker.h":
    ctypedef struct Endpoint "steelyard_endpoint":
        double cost
        double capacity
        double successes
        double errors

    ctypedef struct Window "steelyard_window":
        double period_s
        double begins_s
        double doubt
        double used
        double begun

    ctypedef struct Arranged "steelyard_pool":
        Endpoint* endpoints
        Window* windows
        double* ends
        int64_t* guide
        int64_t count
        int64_t near
        double load
        double margin
        double slow_start_s
        double ramp_power
        double least_ramp
        double spill

    ctypedef struct Questions "steelyard_questions":
        double (*in_flight)(void* context, int64_t row) noexcept nogil
        void (*counters)(void* context, int64_t row, uint64_t* successes, uint64_t* errors) noexcept nogil
        c_bool (*tried)(void* context, int64_t row) noexcept nogil

    int64_t steelyard_pick(
        Arranged* pool, const Questions* ask, void* context, double now_s, uint64_t* random
    ) noexcept nogil
    double steelyard_random(uint64_t* state) noexcept nogil
    double steelyard_load(double pickers) noexcept nogil
    void steelyard_join(
        const Arranged* pool, Endpoint* endpoint, double capacity, double joined_s, double now_s, uint64_t successes,
        uint64_t errors,
    ) noexcept nogil
    void steelyard_arrange(Arranged* pool) noexcept nogil
    void steelyard_set_window(
        Window* window, double period_s, double cores, double requests, double now_s, uint64_t answered
    ) noexcept nogil
    c_bool steelyard_is_trusted(const Window* window) noexcept nogil

def own_load(double pickers):
    """See picker.pyi."""
    return steelyard_load(pickers)


# Sums of capacities stay finite, and so do scores.
cdef double LEAST = 1e-100
cdef double MOST = 1e100

cdef struct Known:
    const int64_t* in_flight
    const uint64_t* successes
    const uint64_t* errors
    const unsigned char* tried


cdef double read_in_flight(void* context, int64_t row) noexcept nogil:
    return <double>(<Known*>context).in_flight[row]


cdef void read_counters(void* context, int64_t row, uint64_t* successes, uint64_t* errors) noexcept nogil:
    cdef Known* known = <Known*>context
    if known.successes != NULL:
        successes[0] = known.successes[row]
        errors[0] = known.errors[row]


cdef c_bool read_tried(void* context, int64_t row) noexcept nogil:
    cdef const unsigned char* tried = (<Known*>context).tried
    return tried != NULL and tried[row] != 0


cdef Questions QUESTIONS
QUESTIONS.in_flight = read_in_flight
QUESTIONS.counters = read_counters
QUESTIONS.tried = read_tried


cdef int check_capacity(double capacity) except -1:
    if not LEAST <= capacity <= MOST:
        raise ValueError("capacity: a number from 1e-100 to 1e100")
    return 0


def uniform(state):
    """The next number of a state, and the state after it."""
    cdef uint64_t word = state
    drawn = steelyard_random(&word)
    return drawn, word


cdef class Pool:
    cdef Arranged arranged
    cdef uint64_t random

    def __cinit__(
        self, const double[::1] capacities, *, Py_ssize_t near=0, double pickers=1.0, double slow_start_s=0.0,
        double ramp_power=1.0, double least_ramp=0.1, double spill=1.0, seed=0,
    ):
        cdef Py_ssize_t row, count = capacities.shape[0]
        if not 1.0 <= pickers < INFINITY:
            raise ValueError("pickers: a finite number of at least 1")
        if not 0.0 <= slow_start_s < INFINITY:
            raise ValueError("slow_start_s: a finite number of at least 0")
        if not 0.0 < ramp_power < INFINITY:
            raise ValueError("ramp_power: a finite number above 0")
        if not 1e-6 <= least_ramp <= 1.0:
            raise ValueError("least_ramp: a share from 1e-6 to 1")
        if not spill >= 1.0:
            raise ValueError("spill: a number of at least 1")
        if not 0 <= near <= count:
            raise ValueError("near: more than there are endpoints")
        for row in range(count):
            check_capacity(capacities[row])
        self.random = seed
        self.arranged.endpoints = <Endpoint*>calloc(max(count, 1), sizeof(Endpoint))
        self.arranged.ends = <double*>calloc(max(count, 1), sizeof(double))
        self.arranged.guide = <int64_t*>calloc(max(count, 1), sizeof(int64_t))
        if self.arranged.endpoints == NULL or self.arranged.ends == NULL or self.arranged.guide == NULL:
            raise MemoryError
        self.arranged.count = count
        self.arranged.near = near
        self.arranged.load = steelyard_load(pickers)
        self.arranged.slow_start_s = slow_start_s
        self.arranged.ramp_power = ramp_power
        self.arranged.least_ramp = least_ramp
        self.arranged.spill = spill
        for row in range(count):
            steelyard_join(&self.arranged, &self.arranged.endpoints[row], capacities[row], -INFINITY, -INFINITY, 0, 0)
        if count:
            steelyard_arrange(&self.arranged)

    def __dealloc__(self):
        free(self.arranged.endpoints)
        free(self.arranged.windows)
        free(self.arranged.ends)
        free(self.arranged.guide)

    def __len__(self):
        return self.arranged.count

    def join(self, Py_ssize_t row, double capacity, double joined_s, double now_s, successes=0, errors=0):
        if not 0 <= row < self.arranged.count:
            raise IndexError("row")
        check_capacity(capacity)
        steelyard_join(&self.arranged, &self.arranged.endpoints[row], capacity, joined_s, now_s, successes, errors)
        if self.arranged.windows != NULL:
            self.arranged.windows[row].period_s = 0.0
        steelyard_arrange(&self.arranged)

    def set_capacity(self, Py_ssize_t row, double capacity):
        if not 0 <= row < self.arranged.count:
            raise IndexError("row")
        check_capacity(capacity)
        cdef Endpoint* endpoint = &self.arranged.endpoints[row]
        endpoint.cost *= endpoint.capacity / capacity
        endpoint.capacity = capacity
        steelyard_arrange(&self.arranged)

    def set_window(
        self, Py_ssize_t row, double period_s, double cores, double requests, double now_s, successes=0, errors=0
    ):
        if not 0 <= row < self.arranged.count:
            raise IndexError("row")
        if not (LEAST <= period_s <= MOST and LEAST <= cores <= MOST and LEAST <= requests <= MOST):
            raise ValueError("window: numbers from 1e-100 to 1e100")
        if self.arranged.windows == NULL:
            self.arranged.windows = <Window*>calloc(self.arranged.count, sizeof(Window))
            if self.arranged.windows == NULL:
                raise MemoryError
        cdef Window* window = &self.arranged.windows[row]
        steelyard_set_window(window, period_s, cores, requests, now_s, successes + errors)

    def window(self, Py_ssize_t row):
        if not 0 <= row < self.arranged.count:
            raise IndexError("row")
        if self.arranged.windows == NULL or self.arranged.windows[row].period_s == 0.0:
            return None
        cdef Window* window = &self.arranged.windows[row]
        return steelyard_is_trusted(window), window.begins_s, window.doubt, window.used, window.begun

    def costs(self):
        return [self.arranged.endpoints[row].cost for row in range(self.arranged.count)]

    def pick(
        self, const int64_t[::1] in_flight, double now_s, const uint64_t[::1] successes=None,
        const uint64_t[::1] errors=None, const unsigned char[::1] tried=None,
    ):
        cdef Known known
        cdef Py_ssize_t count = self.arranged.count
        if in_flight.shape[0] != count:
            raise ValueError("in_flight: one number an endpoint")
        if (successes is None) != (errors is None):
            raise ValueError("successes and errors come together")
        if successes is not None and (successes.shape[0] != count or errors.shape[0] != count):
            raise ValueError("successes, errors: one number an endpoint")
        if tried is not None and tried.shape[0] != count:
            raise ValueError("tried: one flag an endpoint")
        if count == 0:
            return -1
        known.in_flight = &in_flight[0]
        known.successes = &successes[0] if successes is not None else NULL
        known.errors = &errors[0] if errors is not None else NULL
        known.tried = &tried[0] if tried is not None else NULL
        return steelyard_pick(&self.arranged, &QUESTIONS, &known, now_s, &self.random)
