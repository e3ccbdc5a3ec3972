/*
 * The filters against soxr's C function on the same 20 ms frames: int16 in, int16 out, one stream each. All take turns,
 * and the rounds go over all pairs of rates, as in measure.py. Prints "in_rate_hz out_rate_hz contender ns" for every
 * turn. Built and read by benchmarks/native.py.
 */
#define _POSIX_C_SOURCE 199309L
#include "native/stream.h"

#include <math.h>
#include <soxr.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    ROUNDS = 25,
    FRAMES = 1500,       /* of a turn: soxr's bursts average out */
    OUT_SAMPLES = 48000, /* soxr returns 95 ms and more at once */
    SETS = 3,
    PAIRS = 12,
};

typedef struct {
    uint32_t in_rate_hz, out_rate_hz;
    stream ours[SETS];
    soxr_t vhq, mq;
} pair;

static const uint32_t RATES_HZ[] = {8000, 16000, 24000, 48000};
static int16_t pcm[960], window[FIR_HISTORY + FIR_BLOCK + FIR_SLACK], out[OUT_SAMPLES];

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double time_ours(stream *self, size_t samples)
{
    double begin = now_ns();
    for (int i = 0; i < FRAMES; i++)
        stream_run(self, (const uint8_t *)pcm, samples, (uint8_t *)out);
    return (now_ns() - begin) / FRAMES;
}

/* The filter alone, without history and carry: what the targets call the kernel. */
static double time_kernel(const stream *self, size_t samples)
{
    double begin = now_ns();
    for (int i = 0; i < FRAMES; i++)
        self->kernels->fir_run(self->table, window + FIR_HISTORY, samples / self->table->group_in, out);
    return (now_ns() - begin) / FRAMES;
}

static double time_soxr(soxr_t self, size_t samples)
{
    double begin = now_ns();
    for (int i = 0; i < FRAMES; i++) {
        size_t used, written;
        if (soxr_process(self, pcm, samples, &used, out, OUT_SAMPLES, &written) != NULL || used != samples)
            exit(1);
    }
    return (now_ns() - begin) / FRAMES;
}

static soxr_t open_soxr(uint32_t in_rate_hz, uint32_t out_rate_hz, unsigned long quality)
{
    soxr_io_spec_t format = soxr_io_spec(SOXR_INT16_I, SOXR_INT16_I);
    soxr_quality_spec_t recipe = soxr_quality_spec(quality, 0);
    soxr_t self = soxr_create(in_rate_hz, out_rate_hz, 1, NULL, &format, &recipe, NULL);
    if (self == NULL)
        exit(1);
    return self;
}

static void open_pair(pair *self, uint32_t in_rate_hz, uint32_t out_rate_hz)
{
    *self = (pair){.in_rate_hz = in_rate_hz, .out_rate_hz = out_rate_hz};
    for (size_t i = 0; kernels_at(i) != NULL; i++) {
        self->ours[i] = (stream){.kernels = kernels_at(i), .in_sample_bytes = 2, .out_sample_bytes = 2};
        if (!stream_open(&self->ours[i], in_rate_hz, out_rate_hz, FIR_BALANCED))
            exit(1);
    }
    self->vhq = open_soxr(in_rate_hz, out_rate_hz, SOXR_VHQ);
    self->mq = open_soxr(in_rate_hz, out_rate_hz, SOXR_MQ);
}

static void report(const pair *self, const char *library, const char *kind, double time_ns)
{
    printf("%u %u %s_%s %.1f\n", self->in_rate_hz, self->out_rate_hz, library, kind, time_ns);
}

static void take_turns(pair *self)
{
    size_t samples = self->in_rate_hz / 50;
    for (size_t i = 0; kernels_at(i) != NULL; i++)
        report(self, "relay", kernels_at(i)->name, time_ours(&self->ours[i], samples));
    report(self, "soxr", "VHQ", time_soxr(self->vhq, samples));
    report(self, "soxr", "MQ", time_soxr(self->mq, samples));
    report(self, "relay_kernel", kernels_at(0)->name, time_kernel(&self->ours[0], samples));
}

/* The streams live until the program ends. */
int main(void)
{
    static pair pairs[PAIRS];
    int opened = 0;
    for (int i = 0; i < 960; i++)
        window[FIR_HISTORY + i] = pcm[i] = (int16_t)(9000 * sin(0.1 * i) + 3000 * sin(0.7 * i));
    for (int in = 0; in < 4; in++)
        for (int to = 0; to < 4; to++)
            if (in != to)
                open_pair(&pairs[opened++], RATES_HZ[in], RATES_HZ[to]);
    for (int round = 0; round < ROUNDS; round++)
        for (int i = 0; i < PAIRS; i++)
            take_turns(&pairs[i]);
    return 0;
}
