# cython: language_level=3
from libc.stdint cimport int32_t, int64_t, uint8_t

from balancer_core._kernels.place cimport Host

cdef enum:
    LOG = 8192


cdef class Hosts:
    cdef object kept
    cdef Py_ssize_t count, width
    cdef const double* capacity
    cdef double* reserved
    cdef const double* used
    cdef const float* expected
    cdef const double* reported_at
    cdef const uint8_t* flags
    cdef const uint8_t* kinds
    cdef uint8_t blocked
    cdef double now, oldest_fresh
    cdef double* doubtful
    cdef int32_t* ageing
    cdef uint8_t* is_ageing
    cdef Py_ssize_t ageing_count
    cdef int64_t logged
    cdef int32_t log[LOG]

    cdef double total(self, int mode, Py_ssize_t row, const double* demand, const double* weights) noexcept nogil
    cdef Host host(self, Py_ssize_t row) noexcept nogil
    cdef bint same(self, Py_ssize_t one, Py_ssize_t other) noexcept nogil
    cdef void note(self, Py_ssize_t row) noexcept nogil
    cdef void reread(self, Py_ssize_t row) noexcept nogil
    cdef void take(self, Py_ssize_t row, const double* demand) noexcept nogil
    cdef void advance(self, double now) noexcept nogil
    cdef void _age(self, Py_ssize_t row, bint log) noexcept nogil
