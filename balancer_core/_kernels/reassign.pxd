# cython: language_level=3
"""What reassign.pyx sees of reassign_state.h and reassign_search.h."""

from libc.stdint cimport uint64_t

cdef extern from "reassign_state.h":
    enum: LANES
    ctypedef struct weight:
        double cost, shortage
    ctypedef struct reassignment:
        int hosts, loads, groups, domains, zones, width, balances, words
        const double *weights
        const double *scarcity
        const double *demand
        const double *lasting
        const double *slack
        const double *nothing
        const int *group
        const int *origin
        const int *domain
        const int *zone
        const int *least_domains
        const int *needs_from
        const int *needs
        const int *needed_from
        const int *needed_by
        const int *size
        const int *balance_of
        const int *balance_against
        const double *balance_target
        const double *balance_weight
        const double *leave
        const double *route
        const double *doubled
        double group_weight
        int *at
        double *over
        double *room
        double *strain
        double *away
        weight *host
        int *in_domain
        int *in_zone
        int *domains_of
        int *moved
        int *moved_histogram
        uint64_t *present
        int most_moved, short_hosts, broken
        double total
        int *best
        int *touched
        unsigned char *is_touched
        int touched_count
        double best_total
        uint64_t random[4]
    void move(reassignment*, int, int) noexcept nogil
    void exchange(reassignment*, int, int) noexcept nogil
    void reweigh(reassignment*, int) noexcept nogil
    void show_groups(reassignment*) noexcept nogil
    void go_back(reassignment*) noexcept nogil

cdef extern from "reassign_search.h":
    ctypedef struct conditions:
        double temperature, shortage, broken, doubled
        int firm_capacity, firm_rules
    void fill_depths() noexcept nogil
    double shift_change(const reassignment*, const conditions*, int, int, double) noexcept nogil
    double exchange_change(reassignment*, const conditions*, int, int, double) noexcept nogil
    bint may_join(const reassignment*, int, int) noexcept nogil
    bint may_exchange(const reassignment*, int, int) noexcept nogil
    long steelyard_anneal(reassignment*, conditions, long) noexcept nogil
