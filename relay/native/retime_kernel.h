/* Re-timing by a fractional delay along a smooth ramp: a windowed sinc. Included by kernels_template.h. */
#include "retime_table.h"

enum { SINC_SHIFT = 14, POSITION_SHIFT = 15, BETWEEN_SHIFT = 8, BEFORE = RETIME_TAPS / 2 - 1, AT_ONCE = 32 };

/* How far the ramp has come at write position i of n, in units of 1/32768 sample: 3 (i/n)^2 - 2 (i/n)^3. */
INLINE int32_t ramp(int32_t i, int32_t n)
{
    double at = i, of = n;
    /* Every product is below 2^53, so only the division rounds, and never up to a whole number. */
    return (int32_t)(at * at * (3 * of - 2 * at) * (1 << POSITION_SHIFT) / (of * of * of));
}

/*
 * The sample at a position: between the two nearest phases of the sinc, linearly. Written with vectors: as a plain loop
 * of 16 it is unrolled before it is vectorised, and three times slower.
 */
INLINE int16_t interpolate(const int16_t *pcm, int32_t position)
{
    const int16_t *from = pcm + (position >> POSITION_SHIFT) - BEFORE;
    int32_t fraction = position & ((1 << POSITION_SHIFT) - 1), between = fraction & ((1 << BETWEEN_SHIFT) - 1);
    const int16_t *phase = RETIME_SINC[fraction >> BETWEEN_SHIFT];
    vec at_phase = vec_zero(), at_next = vec_zero();
    for (int i = 0; i < RETIME_TAPS; i += 2 * SIMD_LANES) {
        vec samples = vec_load(from + i);
        at_phase = vec_add(at_phase, vec_multiply_add(samples, vec_load(phase + i)));
        at_next = vec_add(at_next, vec_multiply_add(samples, vec_load(phase + RETIME_TAPS + i)));
    }
    int64_t first = vec_sum(at_phase), second = vec_sum(at_next);
    int64_t sum = first * (1 << BETWEEN_SHIFT) + (second - first) * between;
    int64_t rounded = (sum + (1 << (SINC_SHIFT + BETWEEN_SHIFT - 1))) >> (SINC_SHIFT + BETWEEN_SHIFT);
    return (int16_t)(rounded > 32767 ? 32767 : rounded < -32768 ? -32768 : rounded);
}

static void retime(const int16_t *pcm, size_t samples, int change, int16_t *out)
{
    int16_t padded[RETIME_MAX_SAMPLES + 2 * RETIME_TAPS];
    for (int i = 0; i < RETIME_TAPS; i++) {
        padded[i] = pcm[0];
        padded[RETIME_TAPS + samples + i] = pcm[samples - 1];
    }
    memcpy(padded + RETIME_TAPS, pcm, samples * sizeof *pcm);

    int32_t written = (int32_t)samples + change, position[AT_ONCE];
    for (int32_t begin = 0; begin < written; begin += AT_ONCE) {
        int32_t count = written - begin < AT_ONCE ? written - begin : AT_ONCE;
        for (int32_t i = 0; i < AT_ONCE; i++) /* a loop of its own, so that it is vectorised */
            position[i] = (begin + i) * (1 << POSITION_SHIFT) - change * ramp(begin + i, written);
        for (int32_t i = 0; i < count; i++)
            out[begin + i] = interpolate(padded + RETIME_TAPS, position[i]);
    }
}
