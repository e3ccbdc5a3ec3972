/* Fractional delay along a smooth ramp: a windowed sinc, its phases from retime_table.h. */
#include "retime.h"

#if defined(__x86_64__)
#include "simd_sse2.h"
#else
#include "simd_portable.h"
#endif

#include "retime_table.h"

enum { SINC_SHIFT = 14, POSITION_SHIFT = 15, BETWEEN_SHIFT = 8, BEFORE = RETIME_TAPS / 2 - 1 };

/* Written with vectors: as a plain loop of 16 it is unrolled before it is vectorised, and eight times slower. */
static int32_t dot(const int16_t *a, const int16_t *b)
{
    vec sum = vec_zero();
    for (int i = 0; i < RETIME_TAPS; i += 2 * SIMD_LANES)
        sum = vec_add(sum, vec_multiply_add(vec_load(a + i), vec_load(b + i)));
    int32_t lane[SIMD_LANES];
    memcpy(lane, &sum, sizeof lane);
    return lane[0] + lane[1] + lane[2] + lane[3];
}

/* How far the ramp has come at write position i of n, in units of 1/32768 sample: 3 (i/n)^2 - 2 (i/n)^3. */
static int32_t ramp(int64_t i, int64_t n)
{
    int64_t exact = (3 * i * i * n - 2 * i * i * i) << POSITION_SHIFT; /* below 2^53 for every n allowed */
    return (int32_t)((double)exact / (double)(n * n * n));
}

void retime(const int16_t *pcm, size_t samples, int change, int16_t *out)
{
    int16_t padded[RETIME_MAX_SAMPLES + 2 * RETIME_TAPS];
    for (int i = 0; i < RETIME_TAPS; i++) {
        padded[i] = pcm[0];
        padded[RETIME_TAPS + samples + i] = pcm[samples - 1];
    }
    memcpy(padded + RETIME_TAPS, pcm, samples * sizeof *pcm);

    int32_t written = (int32_t)samples + change;
    for (int32_t i = 0; i < written; i++) {
        int32_t position = (i << POSITION_SHIFT) - change * ramp(i, written);
        int32_t whole = position >> POSITION_SHIFT, fraction = position & ((1 << POSITION_SHIFT) - 1);
        int32_t phase = fraction >> BETWEEN_SHIFT, between = fraction & ((1 << BETWEEN_SHIFT) - 1);
        const int16_t *from = padded + RETIME_TAPS + whole - BEFORE;
        int64_t at_phase = dot(from, RETIME_SINC[phase]), at_next = dot(from, RETIME_SINC[phase + 1]);
        int64_t sum = at_phase * (1 << BETWEEN_SHIFT) + (at_next - at_phase) * between;
        int64_t rounded = (sum + (1 << (SINC_SHIFT + BETWEEN_SHIFT - 1))) >> (SINC_SHIFT + BETWEEN_SHIFT);
        out[i] = (int16_t)(rounded > 32767 ? 32767 : rounded < -32768 ? -32768 : rounded);
    }
}
