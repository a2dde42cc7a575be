/* An Envoy that lies: the picker's module is asked and told what makes no sense, built with sanitizers.
 *
 * The first half of the rounds is honest, and every answer is checked; in the second half lists change between two
 * questions, hosts have no address, weights are 0, counters run backwards and metadata is no number.
 */
#include <assert.h>
#include <stdio.h>

#include "module.c"

#define HOSTS 400
#define PRIORITIES 132

static uint64_t chance = 1;
static bool honest;
static size_t priorities, hosts[PRIORITIES], healthy_from[PRIORITIES];
static char addresses[HOSTS][24];

static uint64_t below(uint64_t count) { return (uint64_t)(steelyard_random(&chance) * (double)count); }

static bool lies(void) { return !honest && below(8) == 0; }

size_t envoy_dynamic_module_callback_lb_get_priority_set_size(void *lb)
{
    assert(lb);
    return lies() ? below(200) : priorities;
}

size_t envoy_dynamic_module_callback_lb_get_hosts_count(void *lb, uint32_t priority)
{
    assert(lb && (priority < priorities || !honest));
    return lies() ? below(HOSTS) : hosts[priority % PRIORITIES];
}

size_t envoy_dynamic_module_callback_lb_get_healthy_hosts_count(void *lb, uint32_t priority)
{
    assert(lb);
    return lies() ? below(HOSTS) : hosts[priority % PRIORITIES] - healthy_from[priority % PRIORITIES];
}

static bool give_address(size_t row, size_t count, envoy_text *address)
{
    *address = (envoy_text){NULL, 0};
    if (lies() || row >= count)
        return lies();
    *address = (envoy_text){addresses[row], strlen(addresses[row])};
    return true;
}

bool envoy_dynamic_module_callback_lb_get_healthy_host_address(void *lb, uint32_t priority, size_t healthy,
                                                               envoy_text *address)
{
    assert(lb);
    return give_address(healthy + healthy_from[priority % PRIORITIES], hosts[priority % PRIORITIES], address);
}

bool envoy_dynamic_module_callback_lb_get_host_address(void *lb, uint32_t priority, size_t row, envoy_text *address)
{
    assert(lb);
    return give_address(row, hosts[priority % PRIORITIES], address);
}

uint32_t envoy_dynamic_module_callback_lb_get_host_weight(void *lb, uint32_t priority, size_t row)
{
    assert(lb && priority < 200 && row < HOSTS);
    return lies() ? (below(2) ? 0 : UINT32_MAX) : 1 + (uint32_t)below(100);
}

bool envoy_dynamic_module_callback_lb_get_host_locality(void *lb, uint32_t priority, size_t row, envoy_text *region,
                                                        envoy_text *zone, envoy_text *sub_zone)
{
    assert(lb && priority < 200 && row < HOSTS && !region && !sub_zone);
    if (lies())
        return below(2);
    *zone = (envoy_text){"ab", row % 3};
    return true;
}

bool envoy_dynamic_module_callback_lb_get_host_metadata_number(void *lb, uint32_t priority, size_t row,
                                                               envoy_text space, envoy_text key, double *number)
{
    static const double odd[] = {NAN, INFINITY, -INFINITY, -1.0, 0.0, 5e-324, 1e308};
    assert(lb && priority < 200 && row < HOSTS && space.length == 9 && key.length > 0);
    *number = lies() ? odd[below(7)] : 1.0 + (double)below(4);
    if (key.length > 7 && memcmp(key.bytes, "window_", 7) == 0)
        *number *= 0.1;
    return below(2);
}

uint64_t envoy_dynamic_module_callback_lb_get_host_stat(void *lb, uint32_t priority, size_t row, int stat)
{
    assert(lb && priority < 200 && row < HOSTS && stat >= 0 && stat <= 7);
    return lies() ? UINT64_MAX - below(2) : below(50);
}

bool envoy_dynamic_module_callback_lb_context_should_select_another_host(void *lb, void *context, uint32_t priority,
                                                                         size_t row)
{
    assert(lb && context && priority < 200 && row < HOSTS);
    return below(3) == 0;
}

static void change(void)
{
    priorities = below(6) ? 1 + below(3) : below(PRIORITIES);
    for (size_t i = 0; i < PRIORITIES; i++) {
        hosts[i] = below(4) ? below(12) : below(HOSTS);
        healthy_from[i] = hosts[i] ? below(hosts[i] + 1) : 0;
    }
}

static const void *configured(const char *text)
{
    envoy_text name = {"shortest_delay", 14}, told = {text, strlen(text)};
    return envoy_dynamic_module_on_lb_config_new(NULL, name, told);
}

static void refuse(void)
{
    static const char *const wrong[] = {
        "spill", "=", "spill=", "spill=0.5", "spill=nan", "spill=2 ", " spill=2", "traffic=quic", "slow_start_s=-1",
        "slow_start_s=1e999", "zones=", "ramp_power=0", "least_ramp=2", "unknown=1", "spill=2=2", "spill=2  zones=prefer",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert(!configured(wrong[i]));
    char longest[LONGEST_OPTIONS + 1];
    memset(longest, 'a', LONGEST_OPTIONS);
    longest[LONGEST_OPTIONS] = '\0';
    assert(!configured(longest));
    envoy_text other = {"another", 7}, none = {NULL, 0}, zero = {"spill=2\0", 8}, name = {"shortest_delay", 14};
    assert(!envoy_dynamic_module_on_lb_config_new(NULL, other, none));
    assert(!envoy_dynamic_module_on_lb_config_new(NULL, name, zero));
    const void *empty = envoy_dynamic_module_on_lb_config_new(NULL, name, none);
    assert(empty);
    envoy_dynamic_module_on_lb_config_destroy(empty);
}

int main(int count, char **arguments)
{
    static const char *const told[] = {"", "traffic=udp", "traffic=tcp zones=ignore",
                                       "traffic=http slow_start_s=3 ramp_power=0.5 least_ramp=0.1 zones=prefer spill=3"};
    int rounds = count > 1 ? atoi(arguments[1]) : 100, envoy = 0, request = 0;
    uint32_t priority, healthy;
    for (size_t row = 0; row < HOSTS; row++) /* some addresses twice */
        snprintf(addresses[row], sizeof addresses[row], "10.0.0.%zu:80", row % (HOSTS - 9));
    assert(strcmp(envoy_dynamic_module_on_program_init(), "v0.2.0") == 0);
    refuse();
    assert(!envoy_dynamic_module_on_lb_new(NULL, &envoy));
    assert(!envoy_dynamic_module_on_lb_choose_host(&envoy, NULL, NULL, &priority, &healthy));
    envoy_dynamic_module_on_lb_on_host_membership_update(&envoy, NULL, 0, 0);
    envoy_dynamic_module_on_lb_destroy(NULL);
    for (int round = 0; round < rounds; round++) {
        honest = round < rounds / 2;
        const void *config = configured(told[round % 4]);
        const void *balancer = envoy_dynamic_module_on_lb_new(config, &envoy);
        for (int step = 0; step < 200; step++) {
            if (step % 20 == 0) {
                change();
                if (honest || below(2))
                    envoy_dynamic_module_on_lb_on_host_membership_update(&envoy, balancer, 1, 1);
            }
            bool found = envoy_dynamic_module_on_lb_choose_host(&envoy, balancer, below(2) ? &request : NULL, &priority,
                                                                &healthy);
            size_t some = 0;
            for (size_t i = 0; i < priorities && i < 129; i++)
                some += hosts[i] - healthy_from[i];
            if (honest)
                assert(found == (some > 0));
            if (honest && found)
                assert(priority < priorities && healthy < hosts[priority] - healthy_from[priority]);
        }
        envoy_dynamic_module_on_lb_destroy(balancer);
        envoy_dynamic_module_on_lb_config_destroy(config);
    }
    puts("all went well");
    return 0;
}
