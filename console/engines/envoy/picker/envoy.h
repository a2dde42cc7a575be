/* What we need of Envoy's interface for dynamic modules: the load balancer's part of ABI v0.2, declared anew.
 *
 * Facts that the names do not tell:
 * - A module answers with an index among a priority's healthy hosts; every question about a host takes its index
 *   among all of them. Both lists change together, in the worker's own thread, before steelyard's update hook is called.
 * - A context is NULL where there is no request to ask about.
 * - Statistics of a host are shared by all workers of this Envoy.
 * Everything Envoy provides is declared weak: whether it is there is asked once, when the module is loaded, instead of
 * found out when the process dies at a call.
 */
#ifndef STEELYARD_ENVOY_H
#define STEELYARD_ENVOY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ENVOY_ABI "v0.2.0"

/* Bytes that belong to whoever passes them; no final zero. */
typedef struct {
    const char *bytes;
    size_t length;
} envoy_text;

enum envoy_host_stat {
    ENVOY_CX_CONNECT_FAIL = 0,
    ENVOY_CX_TOTAL = 1,
    ENVOY_RQ_ERROR = 2,
    ENVOY_RQ_SUCCESS = 3,
    ENVOY_RQ_TOTAL = 5,
    ENVOY_CX_ACTIVE = 6,
    ENVOY_RQ_ACTIVE = 7,
};

#define ENVOY_GIVES extern __attribute__((weak))
#define ENVOY_CALLS __attribute__((visibility("default")))

/* lb: Envoy's balancer of one worker. row: among all hosts of the priority, unless the name says healthy. */
ENVOY_GIVES size_t envoy_dynamic_module_callback_lb_get_priority_set_size(void *lb);
ENVOY_GIVES size_t envoy_dynamic_module_callback_lb_get_hosts_count(void *lb, uint32_t priority);
ENVOY_GIVES size_t envoy_dynamic_module_callback_lb_get_healthy_hosts_count(void *lb, uint32_t priority);
ENVOY_GIVES bool envoy_dynamic_module_callback_lb_get_healthy_host_address(void *lb, uint32_t priority, size_t healthy,
                                                                           envoy_text *address);
ENVOY_GIVES bool envoy_dynamic_module_callback_lb_get_host_address(void *lb, uint32_t priority, size_t row,
                                                                   envoy_text *address);
ENVOY_GIVES uint32_t envoy_dynamic_module_callback_lb_get_host_weight(void *lb, uint32_t priority, size_t row);
ENVOY_GIVES bool envoy_dynamic_module_callback_lb_get_host_locality(void *lb, uint32_t priority, size_t row,
                                                                    envoy_text *region, envoy_text *zone,
                                                                    envoy_text *sub_zone);
ENVOY_GIVES bool envoy_dynamic_module_callback_lb_get_host_metadata_number(void *lb, uint32_t priority, size_t row,
                                                                           envoy_text space, envoy_text key,
                                                                           double *number);
ENVOY_GIVES uint64_t envoy_dynamic_module_callback_lb_get_host_stat(void *lb, uint32_t priority, size_t row, int stat);
ENVOY_GIVES bool envoy_dynamic_module_callback_lb_context_should_select_another_host(void *lb, void *context,
                                                                                     uint32_t priority, size_t row);

/* What Envoy calls, in the order in which it does. */
ENVOY_CALLS const char *envoy_dynamic_module_on_program_init(void);
ENVOY_CALLS const void *envoy_dynamic_module_on_lb_config_new(void *envoy_config, envoy_text name, envoy_text text);
ENVOY_CALLS const void *envoy_dynamic_module_on_lb_new(const void *config, void *lb);
ENVOY_CALLS void envoy_dynamic_module_on_lb_on_host_membership_update(void *lb, const void *balancer, size_t added,
                                                                      size_t removed);
ENVOY_CALLS bool envoy_dynamic_module_on_lb_choose_host(void *lb, const void *balancer, void *context,
                                                        uint32_t *priority, uint32_t *healthy);
ENVOY_CALLS void envoy_dynamic_module_on_lb_destroy(const void *balancer);
ENVOY_CALLS void envoy_dynamic_module_on_lb_config_destroy(const void *config);

#endif
