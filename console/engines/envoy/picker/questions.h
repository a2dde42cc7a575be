/* What the picker asks about an endpoint while it picks, and what an update asks about each. */
#ifndef STEELYARD_QUESTIONS_H
#define STEELYARD_QUESTIONS_H

#include "level.h"

/* A weight or a capacity beyond these is not one. */
#define LEAST_CAPACITY 1e-9
#define MOST_CAPACITY 1e15
/* No kernel's period of a cpu quota is outside these. */
#define LEAST_WINDOW_S 1e-3
#define MOST_WINDOW_S 1.0
/* After so long, a session of UDP counts half: Envoy ends idle ones after a minute. */
#define SESSION_HALF_LIFE_S 30.0
/* A connection is open within a second, or it is not to be waited for. */
#define UNSEEN_HALF_LIFE_S 0.25

/* What a question about a row needs beside the row. request: NULL where there is none, or all of its hosts were tried. */
typedef struct {
    void *lb;
    void *request;
    picker_level *level;
    enum traffic traffic;
    double now_s;
} question;

static uint64_t stat_of(const question *asked, const picker_slot *slot, enum envoy_host_stat stat)
{
    return envoy_dynamic_module_callback_lb_get_host_stat(asked->lb, asked->level->priority, slot->row, stat);
}

static double in_flight(void *context, int64_t row)
{
    const question *asked = context;
    picker_slot *slot = &asked->level->slots[row];
    if (asked->traffic == UDP)
        return slot->unseen;
    if (slot->unseen > 0.0) {
        uint64_t total = stat_of(asked, slot, ENVOY_RQ_TOTAL);
        slot->unseen = fmax(0.0, slot->unseen - (double)(total - slot->total));
        slot->total = total;
    }
    return (double)stat_of(asked, slot, ENVOY_RQ_ACTIVE) + slot->unseen;
}

static void count_outcomes(const question *asked, const picker_slot *slot, uint64_t *successes, uint64_t *errors)
{
    uint64_t refused = stat_of(asked, slot, ENVOY_CX_CONNECT_FAIL);
    if (asked->traffic == HTTP) {
        *successes = stat_of(asked, slot, ENVOY_RQ_SUCCESS);
        *errors = stat_of(asked, slot, ENVOY_RQ_ERROR) + refused;
    } else {
        uint64_t connections = stat_of(asked, slot, ENVOY_CX_TOTAL);
        *successes = connections > refused ? connections - refused : 0;
        *errors = refused;
    }
}

static void counters(void *context, int64_t row, uint64_t *successes, uint64_t *errors)
{
    const question *asked = context;
    picker_slot *slot = &asked->level->slots[row];
    count_outcomes(asked, slot, successes, errors);
    double half_life_s = asked->traffic == UDP ? SESSION_HALF_LIFE_S : UNSEEN_HALF_LIFE_S;
    slot->unseen *= exp2((asked->level->pool.endpoints[row].learnt_s - asked->now_s) / half_life_s);
}

static bool tried(void *context, int64_t row)
{
    const question *asked = context;
    if (asked->request == NULL)
        return false;
    return envoy_dynamic_module_callback_lb_context_should_select_another_host(
        asked->lb, asked->request, asked->level->priority, asked->level->slots[row].row);
}

static const steelyard_questions questions = {in_flight, counters, tried};

static double number_of(void *lb, uint32_t priority, uint32_t row, const char *name)
{
    envoy_text space = {"steelyard", 9}, key = {name, strlen(name)};
    double number = 0.0;
    if (!envoy_dynamic_module_callback_lb_get_host_metadata_number(lb, priority, row, space, key, &number))
        return 0.0;
    return isfinite(number) ? number : 0.0;
}

static double capacity_of(void *lb, uint32_t priority, uint32_t row)
{
    double capacity = number_of(lb, priority, row, "capacity");
    if (!(capacity >= LEAST_CAPACITY && capacity <= MOST_CAPACITY))
        capacity = (double)envoy_dynamic_module_callback_lb_get_host_weight(lb, priority, row);
    return capacity >= LEAST_CAPACITY ? capacity : 1.0;
}

static void count_pick(const question *asked, picker_slot *slot)
{
    if (asked->traffic != UDP && slot->unseen == 0.0)
        slot->total = stat_of(asked, slot, ENVOY_RQ_TOTAL);
    slot->unseen += 1.0;
}

#endif
