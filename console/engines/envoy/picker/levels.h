/* Priorities, read from Envoy's lists: which healthy host is which row, and what share each priority has. */
#ifndef STEELYARD_LEVELS_H
#define STEELYARD_LEVELS_H

#include "questions.h"

static bool is_near(const picker_options *options, void *lb, uint32_t priority, uint32_t row)
{
    envoy_text zone = {NULL, 0};
    size_t length = strlen(options->zone);
    return length > 0
           && envoy_dynamic_module_callback_lb_get_host_locality(lb, priority, row, NULL, &zone, NULL)
           && zone.length == length && memcmp(zone.bytes, options->zone, length) == 0;
}

/* Where each healthy host stands among all, near ones first. Both lists are in one order, so that one pass finds all;
 * where they are not, a host is looked for from the start. Returns how many are near. */
static int64_t place(const picker_options *options, void *lb, picker_level *level)
{
    int64_t near = 0, far = (int64_t)level->healthy;
    size_t row = 0;
    for (size_t healthy = 0; healthy < level->healthy; healthy++) {
        envoy_text wanted = {NULL, 0}, address = {NULL, 0};
        if (!envoy_dynamic_module_callback_lb_get_healthy_host_address(lb, level->priority, healthy, &wanted)
            || wanted.length == 0)
            continue;
        size_t looked = 0;
        for (; looked < level->all; looked++, row++) {
            row = row < level->all ? row : 0;
            if (envoy_dynamic_module_callback_lb_get_host_address(lb, level->priority, row, &address)
                && address.length == wanted.length && memcmp(address.bytes, wanted.bytes, wanted.length) == 0)
                break;
        }
        if (looked == level->all)
            continue;
        picker_slot slot = {.key = hash_of(wanted), .healthy = (uint32_t)healthy, .row = (uint32_t)row};
        level->slots[is_near(options, lb, level->priority, slot.row) ? near++ : --far] = slot;
        row++;
    }
    size_t rest = level->healthy - (size_t)far;
    memmove(&level->slots[near], &level->slots[far], rest * sizeof *level->slots);
    level->pool.count = near + (int64_t)rest;
    return near;
}

/* The host's windows as the control plane tells them; window: as they were before, changed. Where there is no memory for
 * them, the pool does without. */
static void tell_window(picker_level *level, const question *asked, int64_t row, steelyard_window window)
{
    steelyard_pool *pool = &level->pool;
    uint32_t listed = level->slots[row].row;
    double period_s = number_of(asked->lb, level->priority, listed, "window_s");
    double cores = number_of(asked->lb, level->priority, listed, "window_cores");
    double requests = number_of(asked->lb, level->priority, listed, "window_requests");
    bool told = period_s >= LEAST_WINDOW_S && period_s <= MOST_WINDOW_S && cores >= LEAST_CAPACITY && cores < 1.0
                && requests >= LEAST_CAPACITY && requests <= MOST_CAPACITY;
    if (!told || asked->traffic != HTTP)
        return;
    if (pool->windows == NULL)
        pool->windows = calloc((size_t)pool->count, sizeof *pool->windows);
    if (pool->windows == NULL)
        return;
    const steelyard_endpoint *endpoint = &pool->endpoints[row];
    pool->windows[row] = window;
    steelyard_set_window(&pool->windows[row], period_s, cores, requests, asked->now_s,
                         endpoint->counted_successes + endpoint->counted_errors);
}

/* warm: whoever is here did not come just now. false: no memory; the level is empty then. */
static bool fill(const picker_options *options, void *lb, picker_level *level, const picker_memory *memory,
                 double now_s, bool warm)
{
    steelyard_pool *pool = &level->pool;
    pool->endpoints = calloc(level->healthy, sizeof *pool->endpoints);
    pool->ends = calloc(level->healthy, sizeof *pool->ends);
    pool->guide = calloc(level->healthy, sizeof *pool->guide);
    level->slots = calloc(level->healthy, sizeof *level->slots);
    if (!pool->endpoints || !pool->ends || !pool->guide || !level->slots) {
        forget(level);
        return false;
    }
    pool->near = place(options, lb, level);
    pool->slow_start_s = options->slow_start_s;
    pool->ramp_power = options->ramp_power;
    pool->least_ramp = options->least_ramp;
    pool->spill = options->spill;
    double pickers = 1.0;
    question asked = {.lb = lb, .level = level, .traffic = options->traffic, .now_s = now_s};
    for (int64_t row = 0; row < pool->count; row++) {
        picker_slot *slot = &level->slots[row];
        steelyard_endpoint *endpoint = &pool->endpoints[row];
        double capacity = capacity_of(lb, level->priority, slot->row);
        steelyard_window window = {0};
        if (recall(memory, level, row, &window)) {
            endpoint->cost *= endpoint->capacity / capacity;
            endpoint->capacity = capacity;
        } else {
            uint64_t successes = 0, errors = 0;
            count_outcomes(&asked, slot, &successes, &errors);
            steelyard_join(pool, endpoint, capacity, warm ? -INFINITY : now_s, now_s, successes, errors);
        }
        tell_window(level, &asked, row, window);
        double shared = number_of(lb, level->priority, slot->row, "pickers");
        pickers = shared > pickers && shared <= MOST_CAPACITY ? shared : pickers;
    }
    pool->load = steelyard_load(pickers);
    if (pool->count > 0)
        steelyard_arrange(pool);
    return true;
}

/* As Envoy's own policies do it. */
static void share_out(picker_level *levels, size_t count, double overprovision)
{
    double left = 1.0, given = 0.0, end = 0.0;
    for (int pass = 0; pass < 2; pass++) {
        left = 1.0;
        for (size_t i = 0; i < count; i++) {
            double whole = levels[i].all > 0 ? (double)levels[i].pool.count / (double)levels[i].all : 0.0;
            double share = fmin(left, fmin(1.0, whole * overprovision));
            left -= share;
            if (pass == 0)
                given += share;
            else
                levels[i].share_end = end += given > 0.0 ? share / given : 0.0;
        }
    }
}

#endif
