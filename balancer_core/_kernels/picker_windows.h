/* Hosts that the kernel makes slow in windows: what is known of each, and when a request would end there. For picker.h.
 *
 * A control group with a quota of cpu below a core runs at full speed at the start of each period (100 ms where nobody
 * says else) until the quota is used, and stands still for the rest. Who knows how much of it is left can put a request
 * where it ends in 5 ms instead of 80. Told are the period, the quota and how many requests a whole window serves; seen
 * is what is in flight and how many were answered, look by look.
 *
 * - When windows begin is learnt from ends of standstill: something was in flight and nothing answered for longer than a
 *   request takes, then there are answers, so that a window began between the two looks. The kernel's timer keeps its
 *   phase, so the estimates narrow each other down (a Kalman filter of one number, on a circle); what lies far off
 *   widens the doubt instead.
 * - In between, the window is followed as one server at full speed: begun (of the oldest request in flight) and used (of
 *   the window) rise while there is work and quota, and what was answered corrects both.
 * - It is trusted where it foretells the answers better than a host that is slow evenly would. So a service that waits for
 *   a database, or a host of several threads, is picked as if there were no windows.
 * - A request fits if the window has room for all in flight, for itself and for a margin that grows with the root of
 *   their number. Each pick that fits is a promise that it ends in time: a broken one widens the margin, kept ones narrow
 *   it, so that one in two hundred breaks. A margin that does not help against broken promises is given up, and windows
 *   with it, until it has shrunk: where requests are so unequal, or come through so many pickers, the even rule is
 *   the shorter tail.
 *
 * Simulated before six hosts of 0.25 to 0.025 core (bench/traffic/quota_windows.py).
 */
#ifndef STEELYARD_PICKER_WINDOWS_H
#define STEELYARD_PICKER_WINDOWS_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

/* Looks a window, at most. */
#define STEELYARD_LOOKS 256.0
/* Once the standard deviation of its begin is below this share of the period, a window is followed. */
#define STEELYARD_FOUND 0.17
/* So many services long without an answer is a standstill. */
#define STEELYARD_STILL 1.5
/* A begin is no more exact than this, and drifts: variances in s^2, and s^2 a second. */
#define STEELYARD_LEAST_DOUBT 2.5e-7
#define STEELYARD_DRIFT 1e-7
/* Further off than three standard deviations contradicts. */
#define STEELYARD_FAR 9.0
/* The window has to be wrong less often than the even rule by this factor; errors count half after so long. */
#define STEELYARD_BETTER 0.8
#define STEELYARD_WRONG_HALF_S 5.0
/* This share of promises may break; how far one moves the margin; where it is given up, and where it ends. */
#define STEELYARD_BREAKING 0.005
#define STEELYARD_MARGIN_STEP 0.1
#define STEELYARD_MARGIN_GIVEN_UP 2.5
#define STEELYARD_MARGIN_MOST 3.0

/* period_s: 0 for a host without windows. requests: that a whole window serves. service_s: of one at full speed.
 * begins_s: when some window began, doubt: the variance of that. used, begun: in requests; begun_even: as an even host
 * would have it. looked_s, stirred_s: when it was last looked at; when it last answered or had nothing to do. in_flight,
 * answered: as looked at. due: the count of answers that the last promise is kept with, by due_s; 0: none. */
typedef struct {
    double period_s;
    double requests;
    double service_s;
    double begins_s;
    double doubt;
    double used;
    double begun;
    double begun_even;
    double wrong;
    double wrong_even;
    double looked_s;
    double stirred_s;
    double in_flight;
    double due_s;
    uint64_t answered;
    uint64_t due;
} steelyard_window;

/* What is told of a host; what was learnt of its windows stays if they are as long as before. */
static inline void steelyard_set_window(steelyard_window *window, double period_s, double cores, double requests,
                                        double now_s, uint64_t answered)
{
    if (period_s != window->period_s) {
        *window = (steelyard_window){0};
        window->period_s = period_s;
        window->doubt = period_s * period_s / 12.0;
        window->looked_s = window->stirred_s = now_s;
        window->answered = answered;
    }
    window->requests = requests;
    window->service_s = cores * period_s / requests;
}

static inline double steelyard_into_window(const steelyard_window *window, double now_s)
{
    double periods = (now_s - window->begins_s) / window->period_s;
    return (periods - floor(periods)) * window->period_s;
}

static inline bool steelyard_is_found(const steelyard_window *window)
{
    double most = STEELYARD_FOUND * window->period_s;
    return window->doubt < most * most;
}

static inline bool steelyard_is_trusted(const steelyard_window *window)
{
    return steelyard_is_found(window)
           && window->wrong + STEELYARD_BETTER < window->wrong_even * STEELYARD_BETTER;
}

/* A window began between the last look, less the request that was under way, and the first of these answers. */
static inline void steelyard_find_window(steelyard_window *window, double answered, double now_s)
{
    double least_s = window->looked_s - window->service_s;
    double most_s = fmax(least_s, now_s - (answered - 1.0) * window->service_s);
    double wide_s = most_s - least_s;
    if (wide_s > 0.8 * window->period_s)
        return;
    double error = wide_s * wide_s / 12.0 + STEELYARD_LEAST_DOUBT;
    window->doubt += STEELYARD_DRIFT * (now_s - window->looked_s);
    double off = ((least_s + most_s) * 0.5 - window->begins_s) / window->period_s;
    double off_s = (off - floor(off + 0.5)) * window->period_s;
    if (off_s * off_s > STEELYARD_FAR * (window->doubt + error)) {
        window->doubt = fmin(window->period_s * window->period_s / 12.0, 4.0 * (window->doubt + 1e-6));
    } else {
        double gain = window->doubt / (window->doubt + error);
        window->begins_s += gain * off_s;
        window->doubt *= 1.0 - gain;
    }
}

/* How much was worked since the last look, in requests; used follows. */
static inline double steelyard_work(steelyard_window *window, double now_s)
{
    double passed_s = now_s - window->looked_s, since_s = steelyard_into_window(window, now_s);
    double there = fmax(0.0, window->in_flight - window->begun);
    double left = fmax(0.0, window->requests - window->used);
    if (passed_s <= since_s) {
        double work = fmin(fmin(passed_s / window->service_s, left), there);
        window->used += work;
        return work;
    }
    double rest_s = window->period_s - steelyard_into_window(window, window->looked_s);
    double first = fmin(fmin(rest_s / window->service_s, left), there);
    double whole = fmax(0.0, floor((passed_s - since_s - rest_s) / window->period_s + 0.5));
    double between = fmin(whole * window->requests, there - first);
    window->used = fmin(fmin(since_s / window->service_s, window->requests), there - first - between);
    return first + between + window->used;
}

/* Holds what is begun against the answers; by how much it was too far. */
static inline double steelyard_corrected(double *begun, double answered, double in_flight)
{
    double held = *begun - answered;
    *begun = in_flight > 0.0 ? fmin(fmax(held, 0.0), 1.0) : 0.0;
    return held - *begun;
}

static inline void steelyard_follow_window(steelyard_window *window, double in_flight, double answered, double now_s)
{
    double even = (now_s - window->looked_s) * (window->requests / window->period_s);
    window->begun_even += fmin(even, fmax(0.0, window->in_flight - window->begun_even));
    window->begun += steelyard_work(window, now_s);
    double off = steelyard_corrected(&window->begun, answered, in_flight);
    double off_even = steelyard_corrected(&window->begun_even, answered, in_flight);
    window->used = fmin(fmax(window->used - off, 0.0), window->requests);
    double fade = exp2((window->looked_s - now_s) / STEELYARD_WRONG_HALF_S);
    window->wrong = window->wrong * fade + fabs(off);
    window->wrong_even = window->wrong_even * fade + fabs(off_even);
}

/* Whoever looks often enough sees all of this. count: of all answers, which only grows. margin: the pool's, changed. */
static inline void steelyard_look(steelyard_window *window, double *margin, double in_flight, uint64_t count, double now_s)
{
    double answered = count > window->answered ? (double)(count - window->answered) : 0.0;
    bool still = window->looked_s - window->stirred_s > STEELYARD_STILL * window->service_s;
    if (answered > 0.0 && window->in_flight > 0.0 && still)
        steelyard_find_window(window, answered, now_s);
    if (steelyard_is_found(window))
        steelyard_follow_window(window, in_flight, answered, now_s);
    else
        window->used = window->begun = window->begun_even = 0.0;
    if (window->due > 0 && count >= window->due) {
        *margin = fmax(0.0, *margin - STEELYARD_MARGIN_STEP * STEELYARD_BREAKING);
        window->due = 0;
    } else if (window->due > 0 && now_s > window->due_s) {
        *margin = fmin(STEELYARD_MARGIN_MOST, *margin + STEELYARD_MARGIN_STEP * (1.0 - STEELYARD_BREAKING));
        window->due = 0;
    }
    if (answered > 0.0 || window->in_flight == 0.0)
        window->stirred_s = now_s;
    window->looked_s = now_s;
    window->answered = count;
    window->in_flight = in_flight;
}

/* ahead: requests, less what is begun of them. */
static inline bool steelyard_fits(const steelyard_window *window, double margin, double ahead)
{
    return ahead + margin * sqrt(window->used + ahead) <= window->requests - window->used;
}

/* What a new request has before its end, in the host's own mean services. ahead: in requests, itself included. */
static inline double steelyard_delay(const steelyard_window *window, double margin, double ahead, double now_s)
{
    if (margin > STEELYARD_MARGIN_GIVEN_UP || !steelyard_is_trusted(window))
        return ahead;
    double left = ahead - window->begun, per_s = window->requests / window->period_s;
    if (steelyard_fits(window, margin, left))
        return left * window->service_s * per_s;
    /* The next window, and as many as the excess fills on the mean. */
    double over = fmax(0.0, left - (window->requests - window->used));
    return (window->period_s - steelyard_into_window(window, now_s)) * per_s + over;
}

/* A request goes there, where so many are in flight. */
static inline void steelyard_promise(steelyard_window *window, double margin, double in_flight, double now_s)
{
    double ahead = in_flight + 1.0 - window->begun;
    if (steelyard_is_trusted(window) && steelyard_fits(window, margin, ahead)) {
        window->due = window->answered + (uint64_t)in_flight + 1;
        window->due_s = now_s + (ahead + 1.0) * window->service_s;
    }
    if (in_flight == 0.0)
        window->stirred_s = now_s;
    window->in_flight = in_flight + 1.0;
}

#endif
