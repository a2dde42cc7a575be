/* libsteelyard.so: the request picker as a load-balancing policy of Envoy.
 *
 * One balancer a worker and cluster; it never shares anything with another thread. What is in flight, succeeded and
 * failed is asked of Envoy, host by host, when a pick needs it; capacities, zones and health when Envoy says that
 * something changed. Whatever is missing (memory, endpoints, a context) leads to "no host" or to a pick that knows less,
 * never to a crash: it would be Envoy's.
 */
#define _GNU_SOURCE
#include <time.h>

#include "levels.h"

#define MOST_PRIORITIES 129
#define MOST_HOSTS (1u << 24)

typedef struct {
    picker_options options;
    picker_level *levels;
    size_t count;
    uint64_t random;
    bool stale;
    bool begun;
    bool exact;
} balancer;

/* exact: some host works in windows, and where in its window it is counts by the millisecond. */
static double clock_s(bool exact)
{
    struct timespec now;
    /* A tick of 4 ms is enough for what is learnt ten times a second, and takes 5 ns. */
    clock_gettime(exact ? CLOCK_MONOTONIC : CLOCK_MONOTONIC_COARSE, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Reads the whole cluster anew: O(hosts). Where there is no memory for that, it stays stale. */
static void look(balancer *self, void *lb)
{
    double now_s = clock_s(self->exact);
    size_t count = envoy_dynamic_module_callback_lb_get_priority_set_size(lb);
    count = count < MOST_PRIORITIES ? count : MOST_PRIORITIES;
    picker_level *levels = calloc(count ? count : 1, sizeof *levels);
    self->stale = levels == NULL;
    if (levels == NULL)
        return;
    picker_memory memory = {0};
    remember(&memory, self->levels, self->count);
    bool any = false, exact = false;
    for (size_t i = 0; i < count; i++) {
        levels[i].priority = (uint32_t)i;
        levels[i].all = envoy_dynamic_module_callback_lb_get_hosts_count(lb, (uint32_t)i);
        levels[i].healthy = envoy_dynamic_module_callback_lb_get_healthy_hosts_count(lb, (uint32_t)i);
        any = any || levels[i].all > 0;
        levels[i].pool.margin = i < self->count ? self->levels[i].pool.margin : 0.0;
        if (levels[i].healthy > 0 && levels[i].healthy < MOST_HOSTS)
            fill(&self->options, lb, &levels[i], &memory, now_s, !self->begun);
        exact = exact || levels[i].pool.windows != NULL;
    }
    share_out(levels, count, self->options.overprovision);
    free(memory.known);
    for (size_t i = 0; i < self->count; i++)
        forget(&self->levels[i]);
    free(self->levels);
    self->levels = levels;
    self->count = count;
    self->exact = exact;
    self->begun = self->begun || any;
}

/* The priority that takes a request; NULL if none can. */
static picker_level *drawn_level(balancer *self)
{
    picker_level *last = NULL;
    double point = -1.0;
    for (size_t i = 0; i < self->count; i++) {
        picker_level *level = &self->levels[i];
        double start = i > 0 ? self->levels[i - 1].share_end : 0.0;
        if (level->pool.count == 0 || level->share_end <= start)
            continue;
        if (level->share_end >= 1.0 - 1e-9 && last == NULL)
            return level;
        if (point < 0.0)
            point = steelyard_random(&self->random);
        last = level;
        if (point < level->share_end)
            return level;
    }
    return last;
}

/* Did the lists change without a word? Then indices of before would name other hosts. */
static bool is_stale(const balancer *self, void *lb)
{
    if (self->stale || envoy_dynamic_module_callback_lb_get_priority_set_size(lb) != self->count)
        return true;
    for (size_t i = 0; i < self->count; i++)
        if (envoy_dynamic_module_callback_lb_get_healthy_hosts_count(lb, (uint32_t)i) != self->levels[i].healthy
            || envoy_dynamic_module_callback_lb_get_hosts_count(lb, (uint32_t)i) != self->levels[i].all)
            return true;
    return false;
}

bool envoy_dynamic_module_on_lb_choose_host(void *lb, const void *module, void *context, uint32_t *priority,
                                            uint32_t *healthy)
{
    balancer *self = (balancer *)module;
    if (self == NULL || lb == NULL || priority == NULL || healthy == NULL)
        return false;
    if (is_stale(self, lb))
        look(self, lb);
    if (self->stale)
        return false;
    picker_level *level = drawn_level(self);
    if (level == NULL)
        return false;
    question asked = {.lb = lb, .request = context, .level = level, .traffic = self->options.traffic,
                      .now_s = clock_s(self->exact)};
    int64_t row = steelyard_pick(&level->pool, &questions, &asked, asked.now_s, &self->random);
    if (row < 0 && context != NULL) {
        /* All were tried: the best of them once more, as Envoy's own policies do. */
        asked.request = NULL;
        row = steelyard_pick(&level->pool, &questions, &asked, asked.now_s, &self->random);
    }
    if (row < 0)
        return false;
    picker_slot *slot = &level->slots[row];
    count_pick(&asked, slot);
    *priority = level->priority;
    *healthy = slot->healthy;
    return true;
}

void envoy_dynamic_module_on_lb_on_host_membership_update(void *lb, const void *module, size_t added, size_t removed)
{
    (void)lb, (void)added, (void)removed;
    /* Several come in a row when several priorities change; the next pick looks once. */
    if (module != NULL)
        ((balancer *)module)->stale = true;
}

const void *envoy_dynamic_module_on_lb_new(const void *config, void *lb)
{
    balancer *self = config && lb ? calloc(1, sizeof *self) : NULL;
    if (self == NULL)
        return NULL;
    self->options = *(const picker_options *)config;
    self->stale = true;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    /* Workers must not draw alike. */
    self->random = (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 30 ^ (uint64_t)(uintptr_t)self << 20;
    return self;
}

void envoy_dynamic_module_on_lb_destroy(const void *module)
{
    balancer *self = (balancer *)module;
    if (self == NULL)
        return;
    for (size_t i = 0; i < self->count; i++)
        forget(&self->levels[i]);
    free(self->levels);
    free(self);
}

const void *envoy_dynamic_module_on_lb_config_new(void *envoy_config, envoy_text name, envoy_text text)
{
    static const char ours[] = "shortest_delay";
    (void)envoy_config;
    if (name.length != sizeof ours - 1 || memcmp(name.bytes, ours, name.length) != 0)
        return NULL;
    picker_options options = {.traffic = HTTP, .ramp_power = 1.0, .least_ramp = 0.1, .spill = 2.0,
                              .overprovision = 1.4, .prefers_zone = true};
    if (!read_options(&options, text.bytes, text.length))
        return NULL;
    const char *zone = getenv("STEELYARD_ZONE");
    if (options.prefers_zone && zone != NULL && strlen(zone) < sizeof options.zone)
        strcpy(options.zone, zone);
    picker_options *kept = malloc(sizeof *kept);
    if (kept != NULL)
        *kept = options;
    return kept;
}

void envoy_dynamic_module_on_lb_config_destroy(const void *config) { free((void *)config); }

/* NULL refuses to be loaded, and Envoy says so; a call of what is not there would end the process. */
const char *envoy_dynamic_module_on_program_init(void)
{
    bool whole = envoy_dynamic_module_callback_lb_get_priority_set_size
                 && envoy_dynamic_module_callback_lb_get_hosts_count
                 && envoy_dynamic_module_callback_lb_get_healthy_hosts_count
                 && envoy_dynamic_module_callback_lb_get_healthy_host_address
                 && envoy_dynamic_module_callback_lb_get_host_address
                 && envoy_dynamic_module_callback_lb_get_host_weight
                 && envoy_dynamic_module_callback_lb_get_host_locality
                 && envoy_dynamic_module_callback_lb_get_host_metadata_number
                 && envoy_dynamic_module_callback_lb_get_host_stat
                 && envoy_dynamic_module_callback_lb_context_should_select_another_host;
    return whole ? ENVOY_ABI : NULL;
}
