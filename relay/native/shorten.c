/* Take one pitch period out of a run of PCM, as NetEQ's "accelerate" does. */
#include "shorten.h"

#include <string.h>

#include "blend.h"
#include "pitch.h"

enum {
    LAG_MIN_US = 2500, /* as in NetEQ: below, a voice's formants would be taken for its pitch */
    LAG_MAX_US = 15000,
    WINDOW_MAX_US = 20000, /* what pitch_find can sum */
};

static uint32_t smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }

size_t shorten(int16_t *pcm, size_t samples, size_t at_most, uint32_t rate_hz, double least_match)
{
    uint32_t all = (uint32_t)samples, step = rate_hz / PITCH_COARSE_RATE_HZ, per_ms = rate_hz / 1000;
    uint32_t longest = smaller(LAG_MAX_US * per_ms / 1000, all / 2);
    pitch_search search = {
        .rate_hz = rate_hz,
        .window = smaller(WINDOW_MAX_US * per_ms / 1000, all - longest - step),
        .lowest = LAG_MIN_US * per_ms / 1000,
        .highest = at_most < longest ? (uint32_t)at_most : longest,
    };
    if (search.highest < search.lowest)
        return samples;
    pitch_found found = pitch_find(&search, pcm, all);
    if (found.match < least_match * least_match)
        return samples;
    /* The end stays as it is, so that the next run joins; the fade is as long as the period, or as what was compared.
     */
    uint32_t fade = smaller(found.lag, search.window), unit = unit_of(fade + 1);
    int16_t *to = pcm + all - fade, *from = to - found.lag;
    for (uint32_t i = 0; i < fade; i++)
        from[i] = blend(from[i], to[i], weight_of(i + 1, unit));
    return samples - found.lag;
}
