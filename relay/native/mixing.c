/* Sums, cross-fades and levels of runs of PCM. */
#include "mixing.h"

#include <string.h>

#include "blend.h"

void mix_add(int32_t *restrict sums, const int16_t *restrict pcm, size_t samples)
{
    for (size_t i = 0; i < samples; i++)
        sums[i] += pcm[i];
}

void mix_pack(const int32_t *restrict sums, size_t samples, int16_t *restrict out)
{
    for (size_t i = 0; i < samples; i++)
        out[i] = (int16_t)(sums[i] > 32767 ? 32767 : sums[i] < -32768 ? -32768 : sums[i]);
}

void crossfade(const void *before, size_t samples, int16_t *pcm)
{
    int16_t old[CROSSFADE_MAX_SAMPLES];
    uint32_t unit = unit_of((uint32_t)samples + 1);
    memcpy(old, before, samples * sizeof *old);
    for (uint32_t i = 0; i < samples; i++)
        pcm[i] = blend(old[i], pcm[i], weight_of(i + 1, unit));
}

uint64_t sum_of_squares(const void *pcm, size_t samples)
{
    int16_t block[MIX_BLOCK];
    uint64_t sum = 0;
    for (size_t begin = 0; begin < samples; begin += MIX_BLOCK) {
        size_t count = samples - begin < MIX_BLOCK ? samples - begin : MIX_BLOCK;
        memcpy(block, (const char *)pcm + begin * sizeof *block, count * sizeof *block);
        for (size_t i = 0; i < count; i++)
            sum += (uint32_t)(block[i] * block[i]);
    }
    return sum;
}
