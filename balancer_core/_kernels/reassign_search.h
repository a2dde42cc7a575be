/* Simulated annealing over shifts and exchanges (reassign.pyx): what a step tries, and whether it is taken. */
#ifndef STEELYARD_REASSIGN_SEARCH_H
#define STEELYARD_REASSIGN_SEARCH_H

#include "reassign_state.h"

#include <math.h>

/* More than any cost: what is priced so is never taken. */
#define FORBIDDEN 1e18

/* Depths of a random step uphill, in temperatures: the exponential distribution at this many points. */
#define DEPTHS 4096
static double depth_of[DEPTHS];

/* Prices of a unit short, of a rule broken, and of a unit held on two hosts. Firm: no more rules are broken than are, at any gain; and no host
 * is short again once none is. */
typedef struct {
    double temperature, shortage, broken, doubled;
    int firm_capacity, firm_rules;
} conditions;

static void fill_depths(void)
{
    for (int i = 0; i < DEPTHS; i++)
        depth_of[i] = -log((i + 0.5) / DEPTHS);
}

/* The change in cost by the ways loads took, and by how many of a group moved. */
INLINE double journey_change(const reassignment *s, int p, int from, int to)
{
    int stray = strays(s, p, from, to), g = s->group[p];
    double change = journey(s, p, to) - s->away[p];
    if (stray)
        change += s->group_weight * (most_moved_after(s, g, stray, g, 0) - s->most_moved);
    return change;
}

/* The change in priced cost if load p goes to host b; somewhere above `limit` if it is above. */
INLINE double shift_change(const reassignment *s, const conditions *how, int p, int b, double limit)
{
    int a = s->at[p];
    weight without = weigh_without(s, a, p), with = weigh_with(s, b, p);
    double change = without.cost + with.cost - s->host[a].cost - s->host[b].cost +
                    how->shortage * (without.shortage + with.shortage - s->host[a].shortage - s->host[b].shortage) +
                    how->doubled * s->doubled[p] * strays(s, p, a, b);
    /* The rest can't take away more than this, while no rule is broken. */
    if (s->broken == 0 && change - s->away[p] - s->group_weight > limit)
        return INFINITY;
    return change + how->broken * broken_by(s, s->group[p], a, b) + journey_change(s, p, a, b);
}

/* The rules broken more by an exchange; the second load is judged with the first one moved. */
INLINE int broken_by_exchange(reassignment *s, int p, int q)
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

/* As shift_change, if loads p and q change places. */
INLINE double exchange_change(reassignment *s, const conditions *how, int p, int q, double limit)
{
    int a = s->at[p], b = s->at[q];
    weight here = weigh_exchanged(s, a, q, p), there = weigh_exchanged(s, b, p, q);
    double change = here.cost + there.cost - s->host[a].cost - s->host[b].cost +
                    how->shortage * (here.shortage + there.shortage - s->host[a].shortage - s->host[b].shortage) +
                    how->doubled * (s->doubled[p] * strays(s, p, a, b) + s->doubled[q] * strays(s, q, b, a));
    if (s->broken == 0 && change - s->away[p] - s->away[q] - 2.0 * s->group_weight > limit)
        return INFINITY;
    change += how->broken * broken_by_exchange(s, p, q);
    change += journey(s, p, b) - s->away[p] + journey(s, q, a) - s->away[q];
    int most = most_moved_after(s, s->group[p], strays(s, p, a, b), s->group[q], strays(s, q, b, a));
    return change + s->group_weight * (most - s->most_moved);
}

/* Whether group g may have a load on host h, another one of it aside. */
INLINE int may_join(const reassignment *s, int g, int h) { return s->size[g] == 1 || !holds_group(s, h, g); }

INLINE int may_exchange(const reassignment *s, int p, int q)
{
    int g = s->group[p], k = s->group[q];
    return g == k || (may_join(s, g, s->at[q]) && may_join(s, k, s->at[p]));
}

INLINE void firm_up(const reassignment *s, conditions *how)
{
    if (how->firm_capacity && s->short_hosts == 0)
        how->shortage = FORBIDDEN;
    if (how->firm_rules)
        how->broken = FORBIDDEN;
}

/* Try so many steps: half of them shifts, one in eight of those home, and half exchanges. Returns those taken. */
STEELYARD_CHOSEN long steelyard_anneal(reassignment *s, conditions how, long steps)
{
    long taken = 0;
    firm_up(s, &how);
    for (long step = 0; step < steps; step++) {
        uint64_t dice = chance(s), more = chance(s);
        double limit = how.temperature * depth_of[more & (DEPTHS - 1)];
        int p = below((uint32_t)dice, s->loads), a = s->at[p];
        if (more >> 20 & 1) {
            int b = (more >> 21 & 7) == 0 ? s->origin[p] : below((uint32_t)(dice >> 32), s->hosts);
            if (b == a || !may_join(s, s->group[p], b) || !(shift_change(s, &how, p, b, limit) <= limit))
                continue;
            move(s, p, b);
        } else {
            int q = below((uint32_t)(dice >> 32), s->loads);
            if (s->at[q] == a || !may_exchange(s, p, q) || !(exchange_change(s, &how, p, q, limit) <= limit))
                continue;
            exchange(s, p, q);
        }
        taken++;
        firm_up(s, &how);
        if (s->total < s->best_total && allowed(s))
            keep(s);
    }
    return taken;
}

#endif
