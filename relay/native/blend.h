/* Cross-fades in fixed point: weights of 15 bits, one division for a run of them. */
#ifndef RELAY_BLEND_H
#define RELAY_BLEND_H

#include <stdint.h>

enum { FULL = 1 << 15 }; /* a weight of 1 */

/* The weight of part i of `parts`, i / parts of FULL. The division is done once for a run: see unit_of. */
static inline uint32_t unit_of(uint32_t parts) { return ((uint32_t)FULL << 15) / parts; }

static inline int32_t weight_of(uint32_t i, uint32_t unit) { return (int32_t)(i * unit >> 15); }

static inline int16_t blend(int32_t from, int32_t to, int32_t weight)
{
    return (int16_t)(from + ((to - from) * weight >> 15));
}

#endif
