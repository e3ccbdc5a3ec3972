/* Change a run of PCM by one sample, without a step. */
#ifndef RELAY_RETIME_H
#define RELAY_RETIME_H

#include <stddef.h>
#include <stdint.h>

enum {
    RETIME_MIN_SAMPLES = 32,   /* shorter, and the change of pitch (one part in 32) is heard */
    RETIME_MAX_SAMPLES = 4800, /* 100 ms at 48 kHz; the ramp's cubic then still fits a double exactly */
    RETIME_TAPS = 16,
    RETIME_PHASES = 128,
};

/*
 * Write samples + change samples (change is -1 or 1). The read position runs ahead of, or falls behind, the write
 * position by a cubic ramp from 0 to one sample, so that speed is continuous at both ends of the run.
 */
void retime(const int16_t *pcm, size_t samples, int change, int16_t *out);

#endif
