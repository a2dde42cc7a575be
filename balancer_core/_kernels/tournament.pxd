# cython: language_level=3
from libc.stdint cimport int32_t, int64_t

from balancer_core._kernels.hosts cimport Hosts


cdef class Tournament:
    cdef Hosts hosts
    cdef int mode
    cdef Py_ssize_t leaves
    cdef double* totals
    cdef int32_t* winners
    cdef double[32] demand
    cdef double[32] weights
    cdef double spent
    cdef int64_t seen
    cdef bint built

    cdef bint asks(self, int mode, const double* demand, const double* weights) noexcept nogil
    cdef void ask(self, int mode, const double* demand, const double* weights) noexcept nogil
    cdef bint ready(self) noexcept nogil
    cdef Py_ssize_t best(self, double* total) noexcept nogil
    cdef void _build(self) noexcept nogil
    cdef void _play(self, Py_ssize_t row) noexcept nogil
    cdef int32_t _winner(self, int32_t left, int32_t right) noexcept nogil
