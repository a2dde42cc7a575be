/* Sixteen lower bounds at once: the inner loops of the index over hosts (bounds.pyx).
 *
 * A group holds GROUP children, feature by feature: group[f * GROUP + child]. Plain loops of fixed length that the
 * compiler turns into vector code; where it can choose at run time, the widest the processor has is taken. The
 * results steer a search and never reach a caller, so they need not have the same bits everywhere.
 */
#ifndef STEELYARD_BOUND_H
#define STEELYARD_BOUND_H

#include <stdlib.h>

#define GROUP 16

/* Choosing at load time needs glibc's indirect functions, which sanitizers start too late for. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__GLIBC__) && !defined(STEELYARD_PLAIN)
#define STEELYARD_WIDE __attribute__((target_clones("avx512f", "avx2", "default"), visibility("hidden")))
#else
#define STEELYARD_WIDE static
#endif

/* Sixteen floats, as the compiler's own vector type: one, two or four registers, as the processor has them. */
typedef float steelyard_row __attribute__((vector_size(GROUP * sizeof(float)), aligned(sizeof(float)), may_alias));
typedef int steelyard_flags __attribute__((vector_size(GROUP * sizeof(int)), aligned(sizeof(int)), may_alias));

/* bounds[child] = the sum over the asked features of weights[a] * group[asked[a]][child].
 * Returns one bit a child, set where its bound is not above the cut. */
STEELYARD_WIDE unsigned steelyard_bounds(const float *restrict group, const int *restrict asked,
                                         const float *restrict weights, int count, float cut, float *restrict bounds)
{
    const steelyard_row *features = (const steelyard_row *)group;
    const steelyard_flags bit = {1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 4, 1 << 5, 1 << 6, 1 << 7,
                                 1 << 8, 1 << 9, 1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15};
    steelyard_row even = {0}, odd = {0};
    int a = 0;
    for (; a + 1 < count; a += 2) {
        even += features[asked[a]] * weights[a];
        odd += features[asked[a + 1]] * weights[a + 1];
    }
    if (a < count)
        even += features[asked[a]] * weights[a];
    even += odd;
    *(steelyard_row *)bounds = even;
    steelyard_flags below = (even <= cut) & bit;
    unsigned mask = 0;
    for (int child = 0; child < GROUP; child++)
        mask |= (unsigned)below[child];
    return mask;
}

/* least[f] = the least of a feature over a group's children. */
STEELYARD_WIDE void steelyard_least(const float *restrict group, int features, float *restrict least)
{
    for (int f = 0; f < features; f++) {
        const steelyard_row children = ((const steelyard_row *)group)[f];
        float low[GROUP];
        *(steelyard_row *)low = children;
        for (int half = GROUP / 2; half > 0; half /= 2)
            for (int i = 0; i < half; i++)
                low[i] = low[i] < low[i + half] ? low[i] : low[i + half];
        least[f] = low[0];
    }
}

#endif
