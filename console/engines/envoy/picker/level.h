/* The endpoints of one priority as one worker sees them: a pool for picker.h, and where its rows are in Envoy's lists. */
#ifndef STEELYARD_LEVEL_H
#define STEELYARD_LEVEL_H

#include "envoy.h"
#include "options.h"
#include "picker.h"

/* unseen: picks that Envoy has not yet made requests of, since their connection is still being opened; total: of its
 * requests when it was last read. They fade: a pick whose client left never becomes a request. Of UDP, Envoy counts
 * nothing by host, and every session stays unseen. */
typedef struct {
    uint64_t key;
    uint64_t total;
    double unseen;
    uint32_t healthy;
    uint32_t row;
} picker_slot;

/* share_end: up to where in [0, 1] a draw falls to this priority. */
typedef struct {
    steelyard_pool pool;
    picker_slot *slots;
    size_t healthy;
    size_t all;
    uint32_t priority;
    double share_end;
} picker_level;

/* An endpoint before an update. level: NULL where there is none. */
typedef struct {
    const picker_level *level;
    int64_t row;
} picker_place;

/* Where what was learned of an endpoint is found again after an update, by the hash of its address. */
typedef struct {
    picker_place *known;
    size_t places;
} picker_memory;

static uint64_t hash_of(envoy_text text)
{
    uint64_t hash = 0xCBF29CE484222325u; /* FNV-1a */
    for (size_t i = 0; i < text.length; i++)
        hash = (hash ^ (unsigned char)text.bytes[i]) * 0x100000001B3u;
    return hash ? hash : 1;
}

static void forget(picker_level *level)
{
    free(level->pool.endpoints);
    free(level->pool.windows);
    free(level->pool.ends);
    free(level->pool.guide);
    free(level->slots);
    memset(level, 0, sizeof *level);
}

static bool remember(picker_memory *memory, const picker_level *levels, size_t count)
{
    size_t rows = 0;
    for (size_t i = 0; i < count; i++)
        rows += (size_t)levels[i].pool.count;
    memory->places = 16;
    while (memory->places < 2 * rows)
        memory->places *= 2;
    memory->known = calloc(memory->places, sizeof *memory->known);
    if (memory->known == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        for (int64_t row = 0; row < levels[i].pool.count; row++) {
            size_t place = levels[i].slots[row].key & (memory->places - 1);
            while (memory->known[place].level != NULL)
                place = (place + 1) & (memory->places - 1);
            memory->known[place] = (picker_place){&levels[i], row};
        }
    }
    return true;
}

/* Fills in what was learned of the endpoint in this row; window: of its host, where it had any. */
static bool recall(const picker_memory *memory, picker_level *level, int64_t row, steelyard_window *window)
{
    if (memory->known == NULL)
        return false;
    picker_slot *slot = &level->slots[row];
    size_t place = slot->key & (memory->places - 1);
    for (; memory->known[place].level != NULL; place = (place + 1) & (memory->places - 1)) {
        const picker_level *before = memory->known[place].level;
        int64_t was = memory->known[place].row;
        if (before->slots[was].key == slot->key) {
            slot->total = before->slots[was].total;
            slot->unseen = before->slots[was].unseen;
            level->pool.endpoints[row] = before->pool.endpoints[was];
            if (before->pool.windows != NULL)
                *window = before->pool.windows[was];
            return true;
        }
    }
    return false;
}

#endif
