/* What a cluster's policy tells its picker: "key=value" pairs between single spaces.
 *
 * traffic=http|tcp|udp  what is counted as in flight, and as a success
 * slow_start_s=SECONDS  how long a newcomer takes to its whole capacity; 0: none
 * spill=TIMES           how many times another zone's delay the own zone may have, from 1
 * An unknown key refuses the whole: whoever wrote it meant something that would not happen.
 */
#ifndef STEELYARD_OPTIONS_H
#define STEELYARD_OPTIONS_H

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_OPTIONS 512
#define LONGEST_ZONE 64

enum traffic { HTTP, TCP, UDP };

/* zone: this Envoy's own, from its environment; "" where it is not known. */
typedef struct {
    enum traffic traffic;
    double slow_start_s;
    double spill;
    char zone[LONGEST_ZONE];
} picker_options;

static bool read_number(const char *text, double least, double *number)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value) || value < least)
        return false;
    *number = value;
    return true;
}

static bool read_option(picker_options *options, const char *key, const char *value)
{
    if (strcmp(key, "traffic") == 0) {
        static const char *const names[] = {"http", "tcp", "udp"};
        for (int kind = HTTP; kind <= UDP; kind++) {
            if (strcmp(value, names[kind]) == 0) {
                options->traffic = (enum traffic)kind;
                return true;
            }
        }
        return false;
    }
    if (strcmp(key, "slow_start_s") == 0)
        return read_number(value, 0.0, &options->slow_start_s);
    return strcmp(key, "spill") == 0 && read_number(value, 1.0, &options->spill);
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
