/* The period of a voice or a tone, by normalised cross-correlation. */
#include "pitch.h"

enum {
    SEARCH_PEAK = 1023, /* 10 bits: the sum of 960 squares, 20 ms at 48 kHz, fits int32 */
    COARSE_MAX = PITCH_MAX_SAMPLES / (48000 / PITCH_COARSE_RATE_HZ) + 1,
};

static int32_t dot(const int16_t *restrict a, const int16_t *restrict b, uint32_t samples)
{
    int32_t sum = 0;
    for (uint32_t i = 0; i < samples; i++)
        sum += a[i] * b[i];
    return sum;
}

/* The lag in [from, to] at which the last `window` samples before `end` resemble those before them most. */
static pitch_found best_lag(const int16_t *end, uint32_t window, uint32_t from, uint32_t to)
{
    const int16_t *recent = end - window;
    int32_t energy = dot(recent - from, recent - from, window), recent_energy = dot(recent, recent, window);
    pitch_found best = {from, 0};
    double best_score = -1.0;
    for (uint32_t lag = from; lag <= to; lag++) {
        double product = dot(recent, recent - lag, window);
        double score = product > 0 && energy > 0 ? product * product / energy : 0;
        if (score > best_score) {
            best_score = score;
            best.lag = lag;
        }
        int32_t enters = *(recent - lag - 1), leaves = *(end - lag - 1);
        energy += enters * enters - leaves * leaves;
    }
    best.match = recent_energy > 0 ? best_score / recent_energy : 0;
    return best;
}

static int32_t peak_of(const int16_t *pcm, uint32_t samples)
{
    int32_t highest = 0, lowest = 0;
    for (uint32_t i = 0; i < samples; i++) {
        highest = pcm[i] > highest ? pcm[i] : highest;
        lowest = pcm[i] < lowest ? pcm[i] : lowest;
    }
    return highest > -lowest ? highest : -lowest;
}

/* The samples with a peak of `peak` brought within SEARCH_PEAK, each output the sum of `step`, counted from the end. */
static uint32_t scaled_down(const int16_t *pcm, uint32_t samples, uint32_t step, int32_t peak, int16_t *out)
{
    uint32_t count = samples / step;
    int shift = 0;
    while ((int64_t)peak * step >> shift > SEARCH_PEAK)
        shift++;
    pcm += samples - count * step;
    for (uint32_t i = 0; i < count; i++) {
        int32_t sum = 0;
        for (uint32_t j = 0; j < step; j++)
            sum += pcm[i * step + j];
        out[i] = (int16_t)(sum >> shift);
    }
    return count;
}

pitch_found pitch_find(const pitch_search *search, const int16_t *pcm, uint32_t samples)
{
    int16_t coarse[COARSE_MAX] = {0}, fine[PITCH_MAX_SAMPLES];
    uint32_t step = search->rate_hz / PITCH_COARSE_RATE_HZ, lowest = search->lowest, highest = search->highest;
    int32_t peak = peak_of(pcm, samples);
    uint32_t count = scaled_down(pcm, samples, step, peak, coarse);
    uint32_t about = step * best_lag(coarse + count, search->window / step, lowest / step, highest / step).lag;
    scaled_down(pcm, samples, 1, peak, fine);
    uint32_t from = about - step < lowest ? lowest : about - step, to = about + step > highest ? highest : about + step;
    return best_lag(fine + samples, search->window, from, to);
}
