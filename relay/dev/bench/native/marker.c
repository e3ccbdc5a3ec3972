#include "marker.h"

#include <complex.h>
#include <math.h>
#include <string.h>

#include "grow.h"

enum {
    BITS = 16, /* 10 of the number, 6 of its check */
    PULSES = BITS + 1,
    PULSE_RATE_HZ = 1000,
    QUIET = 2, /* pulses that are not there before the first and behind the last */
    TAPS_MAX = 2 * MARKER_RATE_MAX_HZ / PULSE_RATE_HZ + 1,
    CRC = 0x43,
};

#define TURN      6.283185307179586
#define CARRIER   (TURN * 1850.0)
#define SIGMA_S   0.311e-3
#define LEAST     (MARKER_PEAK / 4.0) /* quieter, and it is no pulse */
#define QUIETER   0.35                /* than a pulse: nothing */
#define UNEVEN    0.6                 /* of the loudest pulse, at least, is each of a frame */
#define ASTRAY    (TURN * 40.0 / 360) /* of a pulse's phase from the one before it */
#define FIRST_FEW 4                   /* pulses that say where a frame begins: what was re-timed later is not in it */

static double envelope(double at_s) { return exp(-at_s * at_s / (2 * SIGMA_S * SIGMA_S)); }

static uint32_t coded(uint32_t number)
{
    uint32_t rest = number << 6;
    for (int bit = BITS - 1; bit >= 6; bit--)
        if (rest >> bit & 1)
            rest ^= (uint32_t)CRC << (bit - 6);
    return number << 6 | rest;
}

void marker_write(uint32_t number, uint32_t rate_hz, int16_t *out)
{
    uint32_t code = coded(number % MARKER_NUMBERS), samples = rate_hz / MARKER_FRAMES_PER_S;
    for (uint32_t at = 0; at < samples; at++) {
        double sum = 0;
        for (int pulse = 0; pulse < PULSES; pulse++) {
            double from_s = (double)at / rate_hz - (double)(pulse + 1) / PULSE_RATE_HZ;
            bool negative = pulse && code >> (BITS - pulse) & 1;
            sum += (negative ? -1 : 1) * envelope(from_s) * cos(CARRIER * from_s);
        }
        out[at] = (int16_t)lrint(MARKER_PEAK * sum);
    }
}

typedef struct {
    double rate_hz;
    ptrdiff_t step; /* samples between pulses */
    float taps_re[TAPS_MAX], taps_im[TAPS_MAX];
    const int16_t *pcm;
    ptrdiff_t samples;
    float complex *seen; /* the pulse at each sample of a block: its height and its phase */
    ptrdiff_t seen_from, seen_to;
} reader;

static void make_taps(reader *self)
{
    double energy = 0;
    for (ptrdiff_t at = -self->step; at <= self->step; at++)
        energy += pow(envelope((double)at / self->rate_hz), 2) / 2;
    for (ptrdiff_t at = -self->step; at <= self->step; at++) {
        double from_s = (double)at / self->rate_hz, height = envelope(from_s) / energy;
        self->taps_re[at + self->step] = (float)(height * cos(CARRIER * from_s));
        self->taps_im[at + self->step] = (float)(-height * sin(CARRIER * from_s));
    }
}

static float complex matched(const reader *self, ptrdiff_t at)
{
    float re = 0, im = 0;
    ptrdiff_t from = at < self->step ? -at : -self->step;
    ptrdiff_t to = at + self->step >= self->samples ? self->samples - 1 - at : self->step;
    const int16_t *pcm = self->pcm + at;
    for (ptrdiff_t tap = from; tap <= to; tap++) {
        re += self->taps_re[tap + self->step] * pcm[tap];
        im += self->taps_im[tap + self->step] * pcm[tap];
    }
    return re + im * I;
}

static void look(reader *self, ptrdiff_t from, ptrdiff_t to)
{
    self->seen_from = from;
    self->seen_to = to;
    for (ptrdiff_t at = from; at < to; at++)
        self->seen[at - from] = at < 0 || at >= self->samples ? 0 : matched(self, at);
}

static float complex pulse_at(const reader *self, ptrdiff_t at) { return self->seen[at - self->seen_from]; }

static double height_at(const reader *self, ptrdiff_t at) { return cabsf(pulse_at(self, at)); }

static bool is_first_pulse(const reader *self, ptrdiff_t at)
{
    double height = height_at(self, at);
    if (height < LEAST)
        return false;
    for (ptrdiff_t near = at - self->step / 2; near <= at + self->step / 2; near++)
        if (height_at(self, near) > height)
            return false;
    for (ptrdiff_t before = 1; before <= QUIET; before++)
        if (height_at(self, at - before * self->step) > QUIETER * height)
            return false;
    return true;
}

static bool is_even(const reader *self, ptrdiff_t at)
{
    double least = INFINITY, most = 0;
    for (ptrdiff_t pulse = 0; pulse < PULSES; pulse++) {
        double height = height_at(self, at + pulse * self->step);
        least = fmin(least, height);
        most = fmax(most, height);
    }
    for (ptrdiff_t behind = 0; behind < QUIET; behind++)
        if (height_at(self, at + (PULSES + behind) * self->step) > QUIETER * most)
            return false;
    return least > UNEVEN * most;
}

/* Phases are followed from pulse to pulse: re-timing moves them by up to a sample within a frame. */
static bool read_frame(const reader *self, ptrdiff_t at, marker *found)
{
    at -= lround(cargf(pulse_at(self, at)) / CARRIER * self->rate_hz); /* its loudest sample is not always its middle */
    if (!is_even(self, at))
        return false;
    double phase = cargf(pulse_at(self, at)), begin_phase = phase;
    uint32_t code = 0;
    if (fabs(phase) > TURN / 4)
        return false; /* it is a negative one */
    for (ptrdiff_t pulse = 1; pulse < PULSES; pulse++) {
        double astray = remainder(cargf(pulse_at(self, at + pulse * self->step)) - phase, TURN);
        bool negative = fabs(astray) > TURN / 4;
        astray = negative ? remainder(astray - TURN / 2, TURN) : astray;
        if (fabs(astray) > ASTRAY)
            return false;
        phase += astray;
        if (pulse < FIRST_FEW)
            begin_phase += phase;
        code = code << 1 | negative;
    }
    found->number = code >> 6;
    found->begin = (double)(at - self->step) - begin_phase / FIRST_FEW / CARRIER * self->rate_hz;
    return code == coded(found->number);
}

static bool keep(marker_list *list, const marker *found)
{
    marker *room = grow(list->found, &list->room, list->count + 1, sizeof *room);
    if (room == NULL)
        return false;
    list->found = room;
    room[list->count++] = *found;
    return true;
}

bool marker_read(const int16_t *pcm, size_t samples, uint32_t rate_hz, marker_list *list)
{
    reader self = {.rate_hz = rate_hz, .step = rate_hz / PULSE_RATE_HZ, .pcm = pcm, .samples = (ptrdiff_t)samples};
    *list = (marker_list){0};
    ptrdiff_t before = (QUIET + 1) * self.step, behind = (PULSES + QUIET + 1) * self.step, block = (ptrdiff_t)rate_hz;
    self.seen = malloc((size_t)(before + block + behind) * sizeof *self.seen);
    if (self.seen == NULL)
        return false;
    make_taps(&self);
    bool has_memory = true;
    ptrdiff_t at = 0;
    for (ptrdiff_t from = 0; from < self.samples && has_memory; from += block) {
        look(&self, from - before, from + block + behind);
        while (at < from + block && at < self.samples && has_memory) {
            marker found;
            if (!is_first_pulse(&self, at)) {
                at++;
            } else if (read_frame(&self, at, &found)) {
                has_memory = keep(list, &found);
                at += (PULSES - 1) * self.step;
            } else {
                list->unreadable++;
                at += self.step;
            }
        }
    }
    free(self.seen);
    return has_memory;
}
