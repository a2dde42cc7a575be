/* What a cluster's policy tells its picker: "key=value" pairs between single spaces.
 *
 * traffic=http|tcp|udp   what is counted as in flight, and as a success
 * slow_start_s=SECONDS   how long a newcomer takes to its whole capacity; 0: none
 * ramp_power=NUMBER      at a share of that time it has that share to this power
 * least_ramp=SHARE       but never less than this
 * zones=prefer|ignore    whether the zone this Envoy is in comes first
 * spill=TIMES            how many times another zone's delay the own zone may have, from 1
 * overprovision=TIMES    a priority whose healthy share is below 1 / this hands the rest to the next one
 * An unknown key refuses the whole: whoever wrote it meant something that would not happen.
 */
#ifndef STEELYARD_OPTIONS_H
#define STEELYARD_OPTIONS_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_OPTIONS 512
#define LONGEST_ZONE 64

enum traffic { HTTP, TCP, UDP };

/* zone: this Envoy's own, from its environment; "" where it is not known or shall not matter. */
typedef struct {
    enum traffic traffic;
    double slow_start_s;
    double ramp_power;
    double least_ramp;
    double spill;
    double overprovision;
    bool prefers_zone;
    char zone[LONGEST_ZONE];
} picker_options;

static bool read_number(const char *text, double least, double most, double *number)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= least && value <= most))
        return false;
    *number = value;
    return true;
}

static bool read_word(const char *text, const char *const *words, int count, int *found)
{
    for (int word = 0; word < count; word++) {
        if (strcmp(text, words[word]) == 0) {
            *found = word;
            return true;
        }
    }
    return false;
}

static bool read_option(picker_options *options, const char *key, const char *value)
{
    static const char *const traffics[] = {"http", "tcp", "udp"}, *const zones[] = {"ignore", "prefer"};
    int word = 0;
    if (strcmp(key, "traffic") == 0 && read_word(value, traffics, 3, &word)) {
        options->traffic = (enum traffic)word;
        return true;
    }
    if (strcmp(key, "zones") == 0 && read_word(value, zones, 2, &word)) {
        options->prefers_zone = word == 1;
        return true;
    }
    const struct {
        const char *key;
        double least, most, *number;
    } numbers[] = {
        {"slow_start_s", 0.0, 1e9, &options->slow_start_s}, {"ramp_power", 1e-3, 1e3, &options->ramp_power},
        {"least_ramp", 1e-6, 1.0, &options->least_ramp},    {"spill", 1.0, 1e9, &options->spill},
        {"overprovision", 1.0, 1e9, &options->overprovision},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (strcmp(key, numbers[i].key) == 0)
            return read_number(value, numbers[i].least, numbers[i].most, numbers[i].number);
    return false;
}

/* false: something in it is not understood. options: with the defaults, changed. */
static bool read_options(picker_options *options, const char *bytes, size_t length)
{
    char text[LONGEST_OPTIONS];
    if (length == 0)
        return true;
    if (length >= sizeof text || memchr(bytes, '\0', length))
        return false;
    memcpy(text, bytes, length);
    text[length] = '\0';
    char *rest = text;
    for (char *pair; (pair = strsep(&rest, " ")) != NULL;) {
        char *value = strchr(pair, '=');
        if (value == NULL)
            return false;
        *value++ = '\0';
        if (!read_option(options, pair, value))
            return false;
    }
    return true;
}

#endif
