/* Packet loss concealment by repetition of pitch periods. */
#include "conceal.h"

#include <stdlib.h>
#include <string.h>

#include "blend.h"
#include "pitch.h"

/* Times of G.711 Appendix I, in microseconds: at 8 kHz 40 to 120 samples of pitch, and three periods and a quarter
 * kept. */
enum {
    PITCH_MIN_US = 5000,
    PITCH_MAX_US = 15000,
    PITCH_WINDOW_US = 20000,
    HISTORY_US = 48750,
    STEP_US = 10000, /* another period joins the repeated ones, and the level falls by a fifth */
    PERIODS_MAX = 3,
    SILENCE_US = 60000,
    FADE_IN_STEP_US = 4000, /* the cross-fade back grows by this for each step of the gap */
    FADE_IN_MAX_US = 10000,
};

enum {
    QUARTER_MAX = PITCH_MAX_US * 48 / 1000 / 4,
    FADE_IN_MAX = FADE_IN_MAX_US * 48 / 1000,
};

static uint32_t samples_of(const concealer *self, uint32_t us) { return self->rate_hz / 1000 * us / 1000; }

static uint32_t smaller(uint32_t a, uint32_t b) { return a < b ? a : b; }

bool conceal_open(concealer *self, uint32_t rate_hz)
{
    self->rate_hz = rate_hz;
    self->history_samples = samples_of(self, HISTORY_US);
    self->history = calloc(2 * self->history_samples, sizeof *self->history);
    self->source = self->history == NULL ? NULL : self->history + self->history_samples;
    return self->history != NULL;
}

void conceal_close(concealer *self)
{
    free(self->history);
    self->history = NULL;
}

void conceal_reset(concealer *self)
{
    self->written = self->gap_samples = self->fade_in = self->faded = 0;
    memset(self->history, 0, self->history_samples * sizeof *self->history);
}

void conceal_remember(concealer *self, const int16_t *pcm, size_t samples)
{
    if (samples > self->history_samples) {
        pcm += samples - self->history_samples;
        samples = self->history_samples;
    }
    size_t to_end = self->history_samples - self->written;
    if (samples < to_end) {
        memcpy(self->history + self->written, pcm, samples * sizeof *pcm);
        self->written += (uint32_t)samples;
    } else {
        memcpy(self->history + self->written, pcm, to_end * sizeof *pcm);
        memcpy(self->history, pcm + to_end, (samples - to_end) * sizeof *pcm);
        self->written = (uint32_t)(samples - to_end);
    }
}

static int16_t saturate(int32_t a) { return (int16_t)(a > 32767 ? 32767 : a < -32768 ? -32768 : a); }

static uint32_t find_pitch(const concealer *self)
{
    pitch_search search = {
        .rate_hz = self->rate_hz,
        .window = samples_of(self, PITCH_WINDOW_US),
        .lowest = samples_of(self, PITCH_MIN_US),
        .highest = samples_of(self, PITCH_MAX_US),
    };
    return pitch_find(&search, self->source, self->history_samples).lag;
}

static void begin_gap(concealer *self)
{
    uint32_t after = self->history_samples - self->written;
    memcpy(self->source, self->history + self->written, after * sizeof *self->source);
    memcpy(self->source + after, self->history, self->written * sizeof *self->source);
    self->pitch = find_pitch(self);
    const int16_t *end = self->source + self->history_samples;
    self->jump = end[-1] - end[-1 - (int32_t)self->pitch];
}

/* Samples from n on of the last `periods` periods, repeated without end; the last quarter period leads into the first.
 */
static void repeat(const concealer *self, uint32_t n, uint32_t periods, uint32_t samples, int16_t *out)
{
    uint32_t length = periods * self->pitch, quarter = self->pitch / 4, at = n % length, unit = unit_of(quarter + 1);
    const int16_t *cycle = self->source + self->history_samples - length;
    while (samples > 0) {
        uint32_t plain = length - quarter, run = smaller(samples, at < plain ? plain - at : length - at);
        if (at < plain) {
            memcpy(out, cycle + at, run * sizeof *out);
        } else {
            for (uint32_t i = 0; i < run; i++)
                out[i] = blend(cycle[at + i], (cycle - length)[at + i], weight_of(at + i - plain + 1, unit));
        }
        at = (at + run) % length;
        out += run;
        samples -= run;
    }
}

static uint32_t periods_at(const concealer *self, uint32_t n)
{
    return smaller(n / samples_of(self, STEP_US) + 1, PERIODS_MAX);
}

/* At full level: one period repeated, then two, then three, each change cross-faded. All samples are of one step. */
static void continue_step(const concealer *self, uint32_t n, uint32_t samples, int16_t *out)
{
    uint32_t periods = periods_at(self, n), quarter = self->pitch / 4;
    uint32_t since = n - (periods - 1) * samples_of(self, STEP_US);
    repeat(self, n, periods, samples, out);
    if (since >= quarter)
        return;
    uint32_t seam = smaller(samples, quarter - since), unit = unit_of(quarter + 1);
    if (periods == 1) { /* close the seam to the last real sample */
        for (uint32_t i = 0; i < seam; i++)
            out[i] = saturate(out[i] + (self->jump * weight_of(quarter - n - i, unit) >> 15));
        return;
    }
    int16_t before[QUARTER_MAX];
    repeat(self, n, periods - 1, seam, before);
    for (uint32_t i = 0; i < seam; i++)
        out[i] = blend(before[i], out[i], weight_of(since + i + 1, unit));
}

/* Full level for a step, then a fifth less each step, silence from SILENCE_US on. */
static void fade(const concealer *self, uint32_t n, uint32_t samples, int16_t *out)
{
    uint32_t hold = samples_of(self, STEP_US), silence = samples_of(self, SILENCE_US), unit = unit_of(silence - hold);
    for (uint32_t i = n < hold ? hold - n : 0; i < samples; i++)
        out[i] = (int16_t)(out[i] * weight_of(silence - n - i, unit) >> 15);
}

/* Samples of the gap from n on. */
static void synthesise(const concealer *self, uint32_t n, uint32_t samples, int16_t *out)
{
    uint32_t step = samples_of(self, STEP_US), silence = samples_of(self, SILENCE_US);
    while (samples > 0) {
        uint32_t now = n < silence ? smaller(samples, step - n % step) : samples;
        if (n < silence) {
            continue_step(self, n, now, out);
            fade(self, n, now, out);
        } else {
            memset(out, 0, now * sizeof *out);
        }
        n += now;
        out += now;
        samples -= now;
    }
}

void conceal_fill(concealer *self, size_t samples, int16_t *out)
{
    if (self->gap_samples == 0 || self->faded > 0) { /* a gap inside a fade is a new one */
        self->gap_samples = self->fade_in = self->faded = 0;
        begin_gap(self);
    }
    synthesise(self, self->gap_samples, (uint32_t)samples, out);
    /* Far into silence the count stops: it must not come round. */
    self->gap_samples = smaller(self->gap_samples + (uint32_t)samples, 2 * samples_of(self, SILENCE_US));
    conceal_remember(self, out, samples);
}

void conceal_resume(concealer *self, int16_t *pcm, size_t samples)
{
    if (self->faded == 0) {
        uint32_t steps = self->gap_samples / samples_of(self, STEP_US);
        self->fade_in = self->pitch / 4 + steps * samples_of(self, FADE_IN_STEP_US);
        self->fade_in = smaller(self->fade_in, samples_of(self, FADE_IN_MAX_US));
    }
    int16_t before[FADE_IN_MAX];
    uint32_t now = smaller(self->fade_in - self->faded, (uint32_t)samples), unit = unit_of(self->fade_in + 1);
    synthesise(self, self->gap_samples + self->faded, now, before);
    for (uint32_t i = 0; i < now; i++)
        pcm[i] = blend(before[i], pcm[i], weight_of(self->faded + i + 1, unit));
    self->faded += now;
    if (self->faded == self->fade_in)
        self->gap_samples = self->fade_in = self->faded = 0;
}

size_t conceal_state_bytes(const concealer *self) { return 2 * self->history_samples * sizeof *self->history; }
