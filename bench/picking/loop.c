/* The picker's module in a loop: what Envoy calls for every request, before lists of hosts that only count.
 *
 * Arguments: endpoints, picks, and "windows" where every host has a quota of cpu. A twentieth of the endpoints' number of requests is always in flight, at least 20; the oldest
 * ends when a new one is picked. Hosts lie apart as Envoy's do, and each question about one is a call that is not inlined.
 * Prints nanoseconds a pick.
 */
#include <stdio.h>

#include "module.c"

#define CALLED __attribute__((noinline))

typedef struct {
    uint64_t stats[8];
    uint32_t weight;
    char address[32];
    char apart[400];
} host;

static host **hosts;
static size_t count;
static bool windows;

CALLED size_t envoy_dynamic_module_callback_lb_get_priority_set_size(void *lb) { return lb ? 1 : 0; }

CALLED size_t envoy_dynamic_module_callback_lb_get_hosts_count(void *lb, uint32_t priority)
{
    return lb && priority == 0 ? count : 0;
}

CALLED size_t envoy_dynamic_module_callback_lb_get_healthy_hosts_count(void *lb, uint32_t priority)
{
    return lb && priority == 0 ? count : 0;
}

CALLED bool envoy_dynamic_module_callback_lb_get_host_address(void *lb, uint32_t priority, size_t row,
                                                              envoy_text *address)
{
    if (!lb || priority > 0 || row >= count)
        return false;
    *address = (envoy_text){hosts[row]->address, strlen(hosts[row]->address)};
    return true;
}

CALLED bool envoy_dynamic_module_callback_lb_get_healthy_host_address(void *lb, uint32_t priority, size_t row,
                                                                      envoy_text *address)
{
    return envoy_dynamic_module_callback_lb_get_host_address(lb, priority, row, address);
}

CALLED uint32_t envoy_dynamic_module_callback_lb_get_host_weight(void *lb, uint32_t priority, size_t row)
{
    return lb && priority == 0 && row < count ? hosts[row]->weight : 0;
}

CALLED bool envoy_dynamic_module_callback_lb_get_host_locality(void *lb, uint32_t priority, size_t row,
                                                               envoy_text *region, envoy_text *zone,
                                                               envoy_text *sub_zone)
{
    (void)lb, (void)priority, (void)row, (void)region, (void)zone, (void)sub_zone;
    return false;
}

CALLED bool envoy_dynamic_module_callback_lb_get_host_metadata_number(void *lb, uint32_t priority, size_t row,
                                                                      envoy_text space, envoy_text key, double *number)
{
    (void)lb, (void)priority, (void)row, (void)space;
    static const struct {
        const char *key;
        double number;
    } told[] = {{"window_s", 0.1}, {"window_cores", 0.25}, {"window_requests", 5.0}};
    for (size_t i = 0; windows && i < sizeof told / sizeof *told; i++) {
        if (key.length == strlen(told[i].key) && memcmp(key.bytes, told[i].key, key.length) == 0) {
            *number = told[i].number;
            return true;
        }
    }
    return false;
}

CALLED uint64_t envoy_dynamic_module_callback_lb_get_host_stat(void *lb, uint32_t priority, size_t row, int stat)
{
    return lb && priority == 0 && row < count ? __atomic_load_n(&hosts[row]->stats[stat], __ATOMIC_RELAXED) : 0;
}

CALLED bool envoy_dynamic_module_callback_lb_context_should_select_another_host(void *lb, void *context,
                                                                                uint32_t priority, size_t row)
{
    (void)lb, (void)context, (void)priority, (void)row;
    return false;
}

int main(int arguments, char **given)
{
    if (arguments != 3 && arguments != 4)
        return 2;
    windows = arguments == 4 && strcmp(given[3], "windows") == 0;
    count = (size_t)atol(given[1]);
    size_t picks = (size_t)atol(given[2]), flying = count / 20 > 20 ? count / 20 : 20, place = 0;
    hosts = calloc(count, sizeof *hosts);
    host **held = calloc(flying, sizeof *held);
    for (size_t row = 0; row < count; row++) {
        hosts[row] = calloc(1, sizeof **hosts);
        hosts[row]->weight = 1 + (uint32_t)(row * 7 % 10);
        snprintf(hosts[row]->address, sizeof hosts[row]->address, "10.%zu.%zu.1:80", row / 250, row % 250);
    }
    int envoy = 0, request = 0;
    envoy_text name = {"shortest_delay", 14}, text = {"traffic=http", 12};
    const void *config = envoy_dynamic_module_on_lb_config_new(NULL, name, text);
    const void *balancer = envoy_dynamic_module_on_lb_new(config, &envoy);
    struct timespec began, ended;
    uint32_t priority, row;
    /* The first pick reads the lists. */
    if (!envoy_dynamic_module_on_lb_choose_host(&envoy, balancer, &request, &priority, &row))
        return 1;
    clock_gettime(CLOCK_MONOTONIC, &began);
    for (size_t pick = 0; pick < picks; pick++) {
        if (!envoy_dynamic_module_on_lb_choose_host(&envoy, balancer, &request, &priority, &row))
            return 1;
        if (held[place] != NULL) {
            held[place]->stats[ENVOY_RQ_ACTIVE]--;
            held[place]->stats[ENVOY_RQ_SUCCESS]++;
        }
        held[place] = hosts[row];
        held[place]->stats[ENVOY_RQ_ACTIVE]++;
        held[place]->stats[ENVOY_RQ_TOTAL]++;
        place = place + 1 < flying ? place + 1 : 0;
    }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    double spent_ns = (double)(ended.tv_sec - began.tv_sec) * 1e9 + (double)(ended.tv_nsec - began.tv_nsec);
    printf("%.2f\n", spent_ns / (double)picks);
    return 0;
}
