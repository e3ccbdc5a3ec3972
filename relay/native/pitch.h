/* The period of a voice or a tone, by normalised cross-correlation: coarse at 4 kHz, then to the sample. */
#ifndef RELAY_PITCH_H
#define RELAY_PITCH_H

#include <stdint.h>

enum {
    PITCH_MAX_SAMPLES = 2340,   /* that may be searched: 48.75 ms at 48 kHz */
    PITCH_COARSE_RATE_HZ = 4000 /* of the first search */
};

typedef struct {
    uint32_t rate_hz;
    uint32_t window;  /* samples compared, 20 ms at most; window + highest + rate_hz / 4000 <= samples searched */
    uint32_t lowest;  /* samples of the shortest period looked for */
    uint32_t highest; /* and of the longest */
} pitch_search;

typedef struct {
    uint32_t lag; /* samples of the period */
    double match; /* square of the normalised correlation at that lag: 1 for an exact repetition, 0 for none */
} pitch_found;

/* The lag at which the last `window` samples resemble those before them most, the first of equals. */
pitch_found pitch_find(const pitch_search *search, const int16_t *pcm, uint32_t samples);

#endif
