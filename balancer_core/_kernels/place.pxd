# cython: language_level=3
"""The arithmetic of one host, for the other kernels: the same functions, hence the same bits."""

from libc.stdint cimport int64_t, uint8_t


cdef struct Host:
    # One host's part of the columns, R values each.
    const double* capacity
    const double* reserved
    const double* used
    const float* expected


cdef double doubt(double age_s) noexcept nogil
cdef double free_share(double occupied, double capacity, double doubtful) noexcept nogil
cdef bint admits(Host host, const double* demand, const uint8_t* kinds, Py_ssize_t width) noexcept nogil
cdef bint known_mode(int mode) noexcept nogil
cdef bint is_marginal(int mode) noexcept nogil
cdef double total_of(
    int mode, Host host, const double* demand, const double* weights, const uint8_t* kinds, Py_ssize_t width,
    double doubtful,
) noexcept nogil
cdef Py_ssize_t insert(
    int64_t* rows, double* totals, Py_ssize_t held, Py_ssize_t places, int64_t row, double total,
) noexcept nogil
