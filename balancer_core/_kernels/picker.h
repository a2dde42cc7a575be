/* Which endpoint takes a request: the one with the shortest expected delay. Plain C, for picker.pyx and for Envoy.
 *
 * score = (in flight from here x OWN x sqrt(pickers) + 1) / (capacity x success rate^2 x ramp), and the least wins.
 *
 * - Small ranges are looked through, in large ones CANDIDATES are drawn in proportion to capacity (O(1) each). Equals
 *   are drawn from at random, and what is idle and nearly as fast as the fastest idle one counts as its equal: capacities
 *   are estimates, and servers of one size shall share the little load that there is, and be learnt from. After Banawan, Zahorjan: Load sharing in heterogeneous queueing systems, INFOCOM 1989,
 *   and Mitzenmacher: The power of two choices in randomized load balancing, IEEE TPDS 2001.
 * - The success rate is of decaying counts. An endpoint that fails at once has nothing in flight, which alone would
 *   draw all load to it; squared, its rate makes it the worst in a few tens of requests. As the counts decay, it is
 *   tried again: first after some ten seconds, then about once a second, however many requests there are.
 * - A newcomer's capacity ramps up in slow_start_s: (age / slow_start_s) ^ ramp_power of it, at least least_ramp.
 * - The first `near` endpoints share the picker's zone: they are used while the best of them is idle, or while the
 *   delay there is at most `spill` times what it would be elsewhere.
 * - A request in flight counts a quarter more than one that would be new: it makes the difference where both would end
 *   about the same time, and there the rule that is greedy for each request loads the fast endpoints too much.
 *   Simulated before six hosts of 10 : 1, with 1.25 the p99 of equal work falls by 4 to 7 % at 60 to 92 % load, of
 *   exponential work it stays; 2 has a longer tail at low load.
 * - Other pickers share the pool unseen. That they have in flight what this one has, endpoint by endpoint, is right on the
 *   mean, but one request says little of them: the root lies between. With four pickers at 60 to 92 % load, p99 is
 *   15 to 30 % below that of counting each once, and below that of counting each four times where work varies.
 * - A host whose cpu is limited by a quota works in windows and stands still between them: picker_windows.h says when a
 *   request would end there, and that stands in the place of (in flight x OWN x sqrt(pickers) + 1) / capacity.
 *
 * Nothing here allocates, waits, reads a clock or keeps a global. A pool belongs to one thread. Seconds are any
 * monotonic clock's. The order of every operation is picker_reference.py's, so that both pick the same.
 */
#ifndef STEELYARD_PICKER_H
#define STEELYARD_PICKER_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "picker_windows.h"

/* A range up to this long is looked through. */
#define STEELYARD_SCANNED 64
/* So many are drawn from a longer one. */
#define STEELYARD_CANDIDATES 16
/* How often an endpoint's counters are read. */
#define STEELYARD_LEARN_S 0.02
/* After so long without requests, successes and errors weigh half. */
#define STEELYARD_HALF_LIFE_S 3.0
/* So many latest outcomes count, however many there are a second. */
#define STEELYARD_MEMORY 32.0
/* Less of an error than this is none: equals shall be equal again. */
#define STEELYARD_FORGOTTEN 0.05
/* What one's own request in flight counts. */
#define STEELYARD_OWN 1.25
/* Idle endpoints are equals up to this ratio of their scores. */
#define STEELYARD_SLACK 1.25
#define STEELYARD_INLINE static inline __attribute__((always_inline))

/* One cache line. cost: 1 / (capacity x success rate^2 x ramp). counted_*: the caller's counters as last read. */
typedef struct {
    double cost;
    double learnt_s;
    double capacity;
    double joined_s;
    double successes;
    double errors;
    uint64_t counted_successes;
    uint64_t counted_errors;
} steelyard_endpoint;

/* The arrays have room for count. ends[i]: the sum of the capacities up to and with endpoint i. guide: by bucket, the
 * first endpoint that may hold a point in it; buckets_each: how many to a unit of capacity. load: what one request in
 * flight from here stands for, steelyard_load(). windows: by row, NULL where no host has any; margin: of them. */
typedef struct {
    steelyard_endpoint *endpoints;
    steelyard_window *windows;
    double *ends;
    int64_t *guide;
    int64_t count;
    int64_t near;
    double buckets_each;
    double load;
    double margin;
    double slow_start_s;
    double ramp_power;
    double least_ramp;
    double spill;
} steelyard_pool;

/* What the pool's owner knows of an endpoint at this moment; context: whatever it needs to know that. A constant, so that
 * the compiler can put the answers in the place of the questions. */
typedef struct {
    double (*in_flight)(void *context, int64_t row);
    void (*counters)(void *context, int64_t row, uint64_t *successes, uint64_t *errors);
    bool (*tried)(void *context, int64_t row);
} steelyard_questions;

/* score: the least so far. in_flight, row: of the one that was drawn among its equals. */
typedef struct {
    double score;
    double in_flight;
    int64_t row;
    int64_t equals;
} steelyard_best;

/* Uniform in [0, 1), 53 bits: splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). */
STEELYARD_INLINE double steelyard_random(uint64_t *state)
{
    uint64_t word = *state += 0x9E3779B97F4A7C15u;
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9u;
    word = (word ^ (word >> 27)) * 0x94D049BB133111EBu;
    return (double)((word ^ (word >> 31)) >> 11) * 0x1p-53;
}

/* What a request in flight from here stands for, if so many pickers share the pool. */
STEELYARD_INLINE double steelyard_load(double pickers) { return STEELYARD_OWN * sqrt(pickers); }

STEELYARD_INLINE void steelyard_set_cost(const steelyard_pool *pool, steelyard_endpoint *endpoint, double now_s)
{
    double rate = (endpoint->successes + 1.0) / (endpoint->successes + endpoint->errors + 1.0);
    double ramp = 1.0;
    double age_s = now_s - endpoint->joined_s;
    if (age_s < pool->slow_start_s) {
        ramp = age_s > 0.0 ? pow(age_s / pool->slow_start_s, pool->ramp_power) : 0.0;
        ramp = ramp > pool->least_ramp ? ramp : pool->least_ramp;
    }
    endpoint->cost = 1.0 / (endpoint->capacity * rate * rate * ramp);
    endpoint->learnt_s = now_s;
}

/* A newcomer: no outcomes yet. joined_s: -INFINITY for one that is warm. */
STEELYARD_INLINE void steelyard_join(const steelyard_pool *pool, steelyard_endpoint *endpoint, double capacity,
                                     double joined_s, double now_s, uint64_t successes, uint64_t errors)
{
    endpoint->capacity = capacity;
    endpoint->joined_s = joined_s;
    endpoint->successes = endpoint->errors = 0.0;
    endpoint->counted_successes = successes;
    endpoint->counted_errors = errors;
    steelyard_set_cost(pool, endpoint, now_s);
}

/* Which of count equal stretches of all capacity a point lies in; never falls where the point rises. */
STEELYARD_INLINE int64_t steelyard_bucket(const steelyard_pool *pool, double point)
{
    int64_t bucket = (int64_t)(point * pool->buckets_each);
    return bucket < pool->count ? bucket : pool->count - 1;
}

/* After any change of who is in the pool or of a capacity: O(count). */
STEELYARD_INLINE void steelyard_arrange(steelyard_pool *pool)
{
    double end = 0.0;
    for (int64_t row = 0; row < pool->count; row++)
        pool->ends[row] = end += pool->endpoints[row].capacity;
    pool->buckets_each = (double)pool->count / end;
    int64_t bucket = 0;
    for (int64_t row = 0; row < pool->count; row++)
        while (bucket < pool->count && bucket <= steelyard_bucket(pool, pool->ends[row]))
            pool->guide[bucket++] = row;
}

/* Counters that went backwards began anew, and say nothing this time. */
STEELYARD_INLINE void steelyard_learn(const steelyard_pool *pool, steelyard_endpoint *endpoint, double now_s,
                                      uint64_t successes, uint64_t errors)
{
    double fade = exp2((endpoint->learnt_s - now_s) / STEELYARD_HALF_LIFE_S);
    if (successes > endpoint->counted_successes)
        endpoint->successes += (double)(successes - endpoint->counted_successes);
    if (errors > endpoint->counted_errors)
        endpoint->errors += (double)(errors - endpoint->counted_errors);
    endpoint->counted_successes = successes;
    endpoint->counted_errors = errors;
    double total = endpoint->successes + endpoint->errors;
    if (total > STEELYARD_MEMORY)
        fade *= STEELYARD_MEMORY / total;
    endpoint->successes *= fade;
    endpoint->errors *= fade;
    if (endpoint->errors < STEELYARD_FORGOTTEN)
        endpoint->errors = 0.0;
    steelyard_set_cost(pool, endpoint, now_s);
}

STEELYARD_INLINE steelyard_window *steelyard_window_of(const steelyard_pool *pool, int64_t row)
{
    return pool->windows != NULL && pool->windows[row].period_s > 0.0 ? &pool->windows[row] : NULL;
}

STEELYARD_INLINE void steelyard_consider(steelyard_pool *pool, const steelyard_questions *ask, void *context,
                                         int64_t row, double now_s, uint64_t *random, steelyard_best *best)
{
    steelyard_endpoint *endpoint = &pool->endpoints[row];
    steelyard_window *window = steelyard_window_of(pool, row);
    bool looks = now_s - endpoint->learnt_s >= (window ? window->period_s / STEELYARD_LOOKS : STEELYARD_LEARN_S);
    uint64_t successes = 0, errors = 0;
    if (looks) {
        ask->counters(context, row, &successes, &errors);
        steelyard_learn(pool, endpoint, now_s, successes, errors);
    }
    double in_flight = ask->in_flight(context, row);
    if (looks && window)
        steelyard_look(window, &pool->margin, in_flight, successes + errors, now_s);
    double ahead = in_flight * pool->load + 1.0;
    double score = (window ? steelyard_delay(window, pool->margin, ahead, now_s) : ahead) * endpoint->cost;
    double slack = in_flight == 0.0 && best->in_flight == 0.0 ? STEELYARD_SLACK : 1.0;
    if (best->row >= 0 && !(score <= best->score * slack))
        return;
    if (ask->tried(context, row))
        return;
    bool equal = best->row >= 0 && best->score <= score * slack;
    if (!(best->row >= 0 && best->score <= score))
        best->score = score;
    best->equals = equal ? best->equals + 1 : 1;
    if (equal && steelyard_random(random) * (double)best->equals >= 1.0)
        return;
    best->in_flight = in_flight;
    best->row = row;
}

/* The first row before past whose end is above a point; the last one if none is. Expected O(1): the buckets are as many
 * as the endpoints, and a long one is met as rarely as it is long. */
STEELYARD_INLINE int64_t steelyard_drawn(const steelyard_pool *pool, int64_t past, double point)
{
    int64_t row = pool->guide[steelyard_bucket(pool, point)];
    while (row < past - 1 && pool->ends[row] <= point)
        row++;
    return row < past ? row : past - 1;
}

STEELYARD_INLINE steelyard_best steelyard_best_of(steelyard_pool *pool, const steelyard_questions *ask,
                                                  void *context, int64_t first, int64_t past, double now_s,
                                                  uint64_t *random)
{
    steelyard_best best = {0.0, 0.0, -1, 0};
    bool all = past - first <= STEELYARD_SCANNED;
    do {
        int64_t rows[STEELYARD_CANDIDATES];
        int64_t count = all ? past - first : STEELYARD_CANDIDATES;
        if (!all) {
            double start = first > 0 ? pool->ends[first - 1] : 0.0;
            double length = pool->ends[past - 1] - start;
            for (int draw = 0; draw < STEELYARD_CANDIDATES; draw++) {
                rows[draw] = steelyard_drawn(pool, past, start + steelyard_random(random) * length);
                __builtin_prefetch(&pool->endpoints[rows[draw]]);
                if (pool->windows != NULL)
                    __builtin_prefetch(&pool->windows[rows[draw]]);
            }
        }
        for (int64_t i = 0; i < count; i++)
            steelyard_consider(pool, ask, context, all ? first + i : rows[i], now_s, random, &best);
        /* All that were drawn had been tried: whoever is left is found. */
        all = !all;
    } while (all && best.row < 0);
    return best;
}

STEELYARD_INLINE steelyard_best steelyard_choose(steelyard_pool *pool, const steelyard_questions *ask, void *context,
                                                 double now_s, uint64_t *random)
{
    bool zoned = pool->near > 0 && pool->near < pool->count;
    steelyard_best here = {0.0, 0.0, -1, 0};
    if (zoned) {
        here = steelyard_best_of(pool, ask, context, 0, pool->near, now_s, random);
        if (here.row >= 0 && here.in_flight == 0.0)
            return here;
    }
    steelyard_best there
        = steelyard_best_of(pool, ask, context, zoned ? pool->near : 0, pool->count, now_s, random);
    if (there.row < 0 || (here.row >= 0 && here.score <= there.score * pool->spill))
        return here;
    return there;
}

/* The row that takes the request; -1 if there is none that was not tried. random: any state, changed. */
STEELYARD_INLINE int64_t steelyard_pick(steelyard_pool *pool, const steelyard_questions *ask, void *context,
                                        double now_s, uint64_t *random)
{
    steelyard_best best = steelyard_choose(pool, ask, context, now_s, random);
    steelyard_window *window = best.row >= 0 ? steelyard_window_of(pool, best.row) : NULL;
    if (window)
        steelyard_promise(window, pool->margin, best.in_flight, now_s);
    return best.row;
}

#endif
