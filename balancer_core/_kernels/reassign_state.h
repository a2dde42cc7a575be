/* Where loads are, what that costs, and what a move would change: the state of a reassignment (reassign.pyx).
 *
 * All amounts are whole numbers below 2^53 kept as doubles, so that sums are exact in any order and vector
 * instructions have a maximum. Rows of resources are padded with zeros to a multiple of LANES.
 * A host's cost (above safety, out of balance) and its shortage (above capacity) are kept; a move weighs two
 * hosts anew, in O(R). Spread and needs are counted per group and domain or zone, in O(needs) where a zone is
 * entered first or left last, else O(1).
 */
#ifndef STEELYARD_REASSIGN_STATE_H
#define STEELYARD_REASSIGN_STATE_H

#include <stdint.h>
#include <string.h>

#define LANES 4

/* Choosing at load time needs glibc's indirect functions, which sanitizers start too late for. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__GLIBC__) && !defined(STEELYARD_PLAIN)
#define STEELYARD_CHOSEN __attribute__((target_clones("arch=haswell", "default"), visibility("hidden")))
#else
#define STEELYARD_CHOSEN static
#endif
#define INLINE static inline __attribute__((always_inline))

typedef double lanes __attribute__((vector_size(LANES * sizeof(double)), aligned(sizeof(double)), may_alias));
typedef long long signs __attribute__((vector_size(LANES * sizeof(double)), aligned(sizeof(double)), may_alias));

/* What a host comes to: cost of load and balance, and how short of capacity it is. */
typedef struct {
    double cost, shortage;
} weight;

typedef struct {
    int hosts, loads, groups, domains, zones, width, balances, words;
    /* The problem. Rows of `width` doubles: a weight a unit above safety and above capacity, what each load asks
     * for, and what of it a host gives back or takes where the load comes from there (not the transient part). */
    const double *weights, *scarcity, *demand, *lasting, *slack, *nothing;
    const int *group, *origin, *domain, *zone, *least_domains;
    const int *needs_from, *needs, *needed_from, *needed_by; /* groups a group needs in its zones, and the reverse */
    const int *size;                                         /* loads of a group */
    const int *balance_of, *balance_against;
    const double *balance_target, *balance_weight;
    const double *leave, *route; /* a load's own move; host x host */
    const double *doubled;       /* what a load away from where it was holds on both hosts, weighted */
    double group_weight;
    /* The state. over: used - safety; room: capacity - held. present: a bit a group and host. */
    int *at;
    double *over, *room, *strain, *away; /* strain: what a host's shortage counts; away: a load's journey so far */
    weight *host;
    int *in_domain, *in_zone, *domains_of, *moved, *moved_histogram;
    uint64_t *present;
    int most_moved, short_hosts, broken;
    double total;
    /* The best allowed so far, brought up to date from the loads that moved since. */
    int *best, *touched;
    unsigned char *is_touched;
    int touched_count;
    double best_total;
    uint64_t random[4];
} reassignment;

/* ---- chance: xoshiro256++ (Blackman and Vigna) ---- */

INLINE uint64_t rotated(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

INLINE uint64_t chance(reassignment *s)
{
    uint64_t *r = s->random, result = rotated(r[0] + r[3], 23) + r[0], t = r[1] << 17;
    r[2] ^= r[0];
    r[3] ^= r[1];
    r[1] ^= r[2];
    r[0] ^= r[3];
    r[2] ^= t;
    r[3] = rotated(r[3], 45);
    return result;
}

/* 0 .. count - 1, from 32 random bits. */
INLINE int below(uint32_t bits, int count) { return (int)(((uint64_t)bits * (uint64_t)count) >> 32); }

/* ---- costs ---- */

INLINE lanes positive(lanes x) { return (lanes)((signs)x & (x > (lanes){0})); }

INLINE double total_of(lanes x) { return (x[0] + x[1]) + (x[2] + x[3]); }

/* What load p takes of host h's capacity, or gives back when it goes. */
INLINE const double *hold(const reassignment *s, int p, int h)
{
    return (s->origin[p] == h ? s->lasting : s->demand) + (size_t)p * s->width;
}

/* What host h would come to with some amounts more and others less. */
INLINE weight weigh(const reassignment *s, int h, const double *more, const double *more_held, const double *less,
                    const double *less_held)
{
    const double *over = s->over + (size_t)h * s->width, *room = s->room + (size_t)h * s->width;
    lanes cost = {0}, shortage = {0};
    weight result;
    for (int i = 0; i < s->width; i += LANES) {
        lanes above = *(const lanes *)(over + i) + *(const lanes *)(more + i) - *(const lanes *)(less + i);
        lanes lack = *(const lanes *)(more_held + i) - *(const lanes *)(less_held + i) - *(const lanes *)(room + i);
        cost += positive(above) * *(const lanes *)(s->weights + i);
        shortage += positive(lack) * *(const lanes *)(s->scarcity + i);
    }
    result.cost = total_of(cost);
    result.shortage = total_of(shortage) * s->strain[h];
    for (int b = 0; b < s->balances; b++) {
        int one = s->balance_of[b], other = s->balance_against[b];
        const double *slack = s->slack + (size_t)h * s->width;
        double free_one = slack[one] - over[one] - more[one] + less[one];
        double free_other = slack[other] - over[other] - more[other] + less[other];
        double out = s->balance_target[b] * free_one - free_other;
        if (out > 0.0)
            result.cost += s->balance_weight[b] * out;
    }
    return result;
}

INLINE const double *demand_of(const reassignment *s, int p) { return s->demand + (size_t)p * s->width; }

INLINE weight weigh_with(const reassignment *s, int h, int p)
{
    return weigh(s, h, demand_of(s, p), hold(s, p, h), s->nothing, s->nothing);
}

INLINE weight weigh_without(const reassignment *s, int h, int p)
{
    return weigh(s, h, s->nothing, s->nothing, demand_of(s, p), hold(s, p, h));
}

INLINE weight weigh_exchanged(const reassignment *s, int h, int in, int out)
{
    return weigh(s, h, demand_of(s, in), hold(s, in, h), demand_of(s, out), hold(s, out, h));
}

/* What it costs that load p is on host h and not where it was. */
INLINE double journey(const reassignment *s, int p, int h)
{
    int from = s->origin[p];
    return from == h ? 0.0 : s->leave[p] + s->route[(size_t)from * s->hosts + h];
}

/* ---- rules ---- */

INLINE int holds_group(const reassignment *s, int h, int g)
{
    return (int)(s->present[(size_t)h * s->words + (g >> 6)] >> (g & 63) & 1);
}

INLINE int domains_missing(const reassignment *s, int g, int has)
{
    return s->least_domains[g] > has ? s->least_domains[g] - has : 0;
}

/* How many more rules of spread and needs are broken if a load of group g goes from host a to host b. */
INLINE int broken_by(const reassignment *s, int g, int a, int b)
{
    int change = 0;
    const int *in_domain = s->in_domain + (size_t)g * s->domains, *in_zone = s->in_zone + (size_t)g * s->zones;
    int from = s->domain[a], to = s->domain[b];
    if (from != to && s->least_domains[g] > 1) {
        int has = s->domains_of[g];
        change += domains_missing(s, g, has - (in_domain[from] == 1) + (in_domain[to] == 0));
        change -= domains_missing(s, g, has);
    }
    from = s->zone[a], to = s->zone[b];
    if (from == to)
        return change;
    if (in_zone[from] == 1) {
        for (int i = s->needed_from[g]; i < s->needed_from[g + 1]; i++)
            change += s->in_zone[(size_t)s->needed_by[i] * s->zones + from] > 0;
        for (int i = s->needs_from[g]; i < s->needs_from[g + 1]; i++)
            change -= s->in_zone[(size_t)s->needs[i] * s->zones + from] == 0;
    }
    if (in_zone[to] == 0) {
        for (int i = s->needed_from[g]; i < s->needed_from[g + 1]; i++)
            change -= s->in_zone[(size_t)s->needed_by[i] * s->zones + to] > 0;
        for (int i = s->needs_from[g]; i < s->needs_from[g + 1]; i++)
            change += s->in_zone[(size_t)s->needs[i] * s->zones + to] == 0;
    }
    return change;
}

/* +1 where the move takes load p away from where it came from, -1 where it brings it back. */
INLINE int strays(const reassignment *s, int p, int from, int to)
{
    return (to != s->origin[p]) - (from != s->origin[p]);
}

/* The most loads moved of one group, if the counts of groups g and k change (g == k: both changes are its own). */
INLINE int most_moved_after(const reassignment *s, int g, int change_g, int k, int change_k)
{
    int most = s->most_moved, remaining;
    if (g == k) {
        change_g += change_k;
        change_k = 0;
    }
    int now_g = s->moved[g] + change_g, now_k = g == k ? 0 : s->moved[k] + change_k;
    int largest = now_g > now_k ? now_g : now_k;
    if (largest >= most)
        return largest;
    remaining = s->moved_histogram[most] - (s->moved[g] == most && change_g) - (g != k && s->moved[k] == most && change_k);
    while (most > largest && remaining <= 0) {
        most--;
        remaining = s->moved_histogram[most] - (s->moved[g] == most) - (g != k && s->moved[k] == most);
    }
    return most;
}

/* ---- changing the state ---- */

static void count_in(reassignment *s, int g, int h, int by)
{
    int *in_domain = s->in_domain + (size_t)g * s->domains + s->domain[h];
    int *in_zone = s->in_zone + (size_t)g * s->zones + s->zone[h];
    s->domains_of[g] += by > 0 ? *in_domain == 0 : -(*in_domain == 1);
    *in_domain += by;
    *in_zone += by;
}

static void reweigh(reassignment *s, int h)
{
    weight now = weigh(s, h, s->nothing, s->nothing, s->nothing, s->nothing);
    s->total += now.cost - s->host[h].cost;
    s->short_hosts += (now.shortage > 0.0) - (s->host[h].shortage > 0.0);
    s->host[h] = now;
}

static void hold_more(reassignment *s, int h, int p, double sign)
{
    const double *demand = demand_of(s, p), *held = hold(s, p, h);
    double *over = s->over + (size_t)h * s->width, *room = s->room + (size_t)h * s->width;
    for (int i = 0; i < s->width; i++) {
        over[i] += sign * demand[i];
        room[i] -= sign * held[i];
    }
}

static void count_moved(reassignment *s, int g, int change)
{
    s->moved_histogram[s->moved[g]]--;
    s->moved[g] += change;
    s->moved_histogram[s->moved[g]]++;
    int most = s->most_moved;
    if (s->moved[g] > most)
        most = s->moved[g];
    while (most > 0 && s->moved_histogram[most] == 0)
        most--;
    s->total += s->group_weight * (most - s->most_moved);
    s->most_moved = most;
}

/* Put load p on host b. The caller knows that no load of its group is there. */
static void move(reassignment *s, int p, int b)
{
    int a = s->at[p], g = s->group[p], change = strays(s, p, a, b);
    double away = journey(s, p, b);
    s->total += away - s->away[p];
    s->away[p] = away;
    s->broken += broken_by(s, g, a, b);
    s->at[p] = b;
    count_in(s, g, a, -1);
    count_in(s, g, b, 1);
    s->present[(size_t)a * s->words + (g >> 6)] &= ~(1ULL << (g & 63));
    s->present[(size_t)b * s->words + (g >> 6)] |= 1ULL << (g & 63);
    hold_more(s, a, p, -1.0);
    hold_more(s, b, p, 1.0);
    reweigh(s, a);
    reweigh(s, b);
    if (change)
        count_moved(s, g, change);
    if (!s->is_touched[p]) {
        s->is_touched[p] = 1;
        s->touched[s->touched_count++] = p;
    }
}

/* Exchange the hosts of two loads. */
static void exchange(reassignment *s, int p, int q)
{
    int a = s->at[p], b = s->at[q], g = s->group[p];
    move(s, p, b);
    move(s, q, a);
    if (g == s->group[q]) /* the second move cleared what the first had set */
        s->present[(size_t)b * s->words + (g >> 6)] |= 1ULL << (g & 63);
}

INLINE int allowed(const reassignment *s) { return s->short_hosts == 0 && s->broken == 0; }

/* Keep the state as the best. O(loads moved since the last time). */
static void keep(reassignment *s)
{
    for (int i = 0; i < s->touched_count; i++) {
        int p = s->touched[i];
        s->best[p] = s->at[p];
        s->is_touched[p] = 0;
    }
    s->touched_count = 0;
    s->best_total = s->total;
}

/* Set the bits of presence anew: a load that left a host after another of its group came has cleared the bit. */
static void show_groups(reassignment *s)
{
    for (int p = 0; p < s->loads; p++)
        s->present[(size_t)s->at[p] * s->words + (s->group[p] >> 6)] |= 1ULL << (s->group[p] & 63);
}

/* Go back to the best. */
static void go_back(reassignment *s)
{
    int count = s->touched_count;
    for (int i = 0; i < count; i++) {
        int p = s->touched[i];
        if (s->at[p] != s->best[p])
            move(s, p, s->best[p]);
        s->is_touched[p] = 0;
    }
    s->touched_count = 0;
    show_groups(s);
}

#endif
