/* Simulated annealing over shifts and exchanges (reassign.pyx). */
#ifndef STEELYARD_REASSIGN_SEARCH_H
#define STEELYARD_REASSIGN_SEARCH_H

#include "reassign_state.h"

#include <math.h>

/* Prices of broken rules, in units of cost. */
typedef struct {
    double shortage, broken;
    double temperature;
    long tried, accepted;
} annealing;

#define DEPTHS 4096
static double depth_of[DEPTHS];

static void fill_depths(void)
{
    for (int i = 0; i < DEPTHS; i++)
        depth_of[i] = -log((i + 0.5) / DEPTHS);
}

/* The change in priced cost if load p goes to host b, or more than `limit`. */
INLINE double shift_change(const reassignment *s, const annealing *how, int p, int b, double limit)
{
    int a = s->at[p], g = s->group[p];
    if (s->size[g] > 1 && holds_group(s, b, g))
        return INFINITY;
    weight without = weigh_without(s, a, p), with = weigh_with(s, b, p);
    double change = without.cost + with.cost - s->host[a].cost - s->host[b].cost +
                    how->shortage * (without.shortage + with.shortage - s->host[a].shortage - s->host[b].shortage);
    int rules = broken_by(s, g, a, b);
    change += how->broken * rules;
    if (change > limit + s->leave[p] + 1e6)
        return change;
    change += journey(s, p, b) - journey(s, p, a);
    int stray = strays(s, p, a, b);
    if (stray)
        change += s->group_weight * (most_moved_after(s, g, stray, g, 0) - s->most_moved);
    return change;
}

/* The rules broken more by an exchange; the second load is judged with the first one moved. */
static int broken_by_exchange(reassignment *s, int p, int q)
{
    int a = s->at[p], b = s->at[q], g = s->group[p], k = s->group[q];
    if (g == k || (s->domain[a] == s->domain[b] && s->zone[a] == s->zone[b]))
        return 0;
    int change = broken_by(s, g, a, b);
    count_in(s, g, a, -1);
    count_in(s, g, b, 1);
    change += broken_by(s, k, b, a);
    count_in(s, g, b, -1);
    count_in(s, g, a, 1);
    return change;
}

INLINE double exchange_change(reassignment *s, const annealing *how, int p, int q, double limit)
{
    int a = s->at[p], b = s->at[q], g = s->group[p], k = s->group[q];
    if (g != k && ((s->size[g] > 1 && holds_group(s, b, g)) || (s->size[k] > 1 && holds_group(s, a, k))))
        return INFINITY;
    weight here = weigh_exchanged(s, a, q, p), there = weigh_exchanged(s, b, p, q);
    double change = here.cost + there.cost - s->host[a].cost - s->host[b].cost +
                    how->shortage * (here.shortage + there.shortage - s->host[a].shortage - s->host[b].shortage);
    if (s->broken == 0 && change > limit + 1e6)
        return change;
    change += how->broken * broken_by_exchange(s, p, q);
    change += journey(s, p, b) - journey(s, p, a) + journey(s, q, a) - journey(s, q, b);
    change += s->group_weight *
              (most_moved_after(s, g, strays(s, p, a, b), k, strays(s, q, b, a)) - s->most_moved);
    return change;
}

INLINE void keep_if_best(reassignment *s)
{
    if (s->total < s->best_total && allowed(s))
        keep(s);
}

STEELYARD_CHOSEN void steelyard_anneal(reassignment *s, annealing *how, long steps)
{
    for (long step = 0; step < steps; step++) {
        uint64_t dice = chance(s), more = chance(s);
        double limit = how->temperature * depth_of[more & (DEPTHS - 1)];
        int p = below((uint32_t)dice, s->loads);
        how->tried++;
        if (more >> 20 & 1) {
            int b = (more >> 21 & 7) == 0 ? s->origin[p] : below((uint32_t)(dice >> 32), s->hosts);
            if (b == s->at[p])
                continue;
            if (shift_change(s, how, p, b, limit) <= limit) {
                move(s, p, b);
                how->accepted++;
                keep_if_best(s);
            }
        } else {
            int q = below((uint32_t)(dice >> 32), s->loads);
            if (s->at[q] == s->at[p])
                continue;
            if (exchange_change(s, how, p, q, limit) <= limit) {
                exchange(s, p, q);
                how->accepted++;
                keep_if_best(s);
            }
        }
    }
}

#endif
