# cython: language_level=3
from libc.stdint cimport int32_t, int64_t, uint8_t

from balancer_core._kernels.hosts cimport Hosts

cdef enum:
    LEVELS = 8


cdef class Bounds:
    cdef Hosts hosts
    cdef Py_ssize_t features, slots
    cdef int levels
    cdef Py_ssize_t[LEVELS] groups
    cdef float* level[LEVELS]
    cdef uint8_t* alike[LEVELS]
    cdef int32_t* order
    cdef int32_t* place
    cdef double[32] scale
    cdef int64_t seen, searches
    cdef double calm, excess
    cdef bint built
    # The search that is going on.
    cdef int[64] asked
    cdef float[64] query
    cdef int asked_count, mode
    cdef const double* demand
    cdef const double* weights
    cdef const uint8_t* admissible
    cdef int64_t* rows
    cdef double* totals
    cdef Py_ssize_t places, held, looked_at, visited
    cdef double margin
    cdef float cut

    cdef Py_ssize_t search(
        self, int mode, const double* demand, const double* weights, const uint8_t* admissible, int64_t* rows,
        double* totals, Py_ssize_t places,
    ) noexcept nogil
    cdef void _ready(self) noexcept nogil
    cdef void _build(self) noexcept nogil
    cdef void _describe(self, Py_ssize_t row, float* into, Py_ssize_t stride) noexcept nogil
    cdef void _renew(self, Py_ssize_t row) noexcept nogil
    cdef void _weigh(self) noexcept nogil
    cdef void _ask(self, int mode, const double* demand, const double* weights) noexcept nogil
    cdef void _descend(self, int level, Py_ssize_t group) noexcept nogil
    cdef void _look(self, Py_ssize_t row) noexcept nogil
    cdef void _sort(self, const float* keys, Py_ssize_t low, Py_ssize_t high) noexcept nogil
