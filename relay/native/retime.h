/* The limits of re-timing: changing a run of PCM by one sample, without a step. The work is in retime_kernel.h. */
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

#endif
