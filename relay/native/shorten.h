/* Take one pitch period out of a run of PCM. */
#ifndef RELAY_SHORTEN_H
#define RELAY_SHORTEN_H

#include <stddef.h>
#include <stdint.h>

enum { SHORTEN_MIN_MS = 20, SHORTEN_MAX_MS = 40, SHORTEN_MAX_SAMPLES = SHORTEN_MAX_MS * 48 };

/*
 * Take the period out of pcm, in place, if its parts resemble each other by `least_match` or more (normalised
 * correlation, 0 to 1) and it is no longer than `at_most` samples. Returns how many samples are left.
 */
size_t shorten(int16_t *pcm, size_t samples, size_t at_most, uint32_t rate_hz, double least_match);

#endif
