/*
 * Markers: frames of 20 ms that say their number and where they begin, through G.711 and the rate conversions.
 *
 * A frame is 17 pulses, 1 ms apart, the first centred 1 ms behind its beginning, and 3 ms of nothing. A pulse is a
 * Gaussian of 0.311 ms around 1850 Hz: 1 % is left at 300 and 3400 Hz, and 1 ms from its middle. The first pulse is
 * positive; the others are negative for the ones of 10 bits of number, high ones first, and 6 of CRC (x^6 + x + 1).
 * With these no frame whose end is that of another, of up to a second before or behind, reads as a third one.
 */
#ifndef RELAY_BENCH_MARKER_H
#define RELAY_BENCH_MARKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MARKER_NUMBERS = 1024, MARKER_PEAK = 8000, MARKER_FRAMES_PER_S = 50, MARKER_RATE_MAX_HZ = 48000 };

typedef struct {
    double begin; /* in samples of the run */
    uint32_t number;
} marker;

/* Frames that were read, in order, and how many began as one does and could not be. */
typedef struct {
    marker *found;
    size_t count, room;
    size_t unreadable;
} marker_list;

/* rate_hz: a multiple of 8000 up to MARKER_RATE_MAX_HZ. Writes rate_hz / 50 samples. */
void marker_write(uint32_t number, uint32_t rate_hz, int16_t *out);

/* Reads a run that need not begin with a frame; false: there is no memory. The caller frees list->found. */
bool marker_read(const int16_t *pcm, size_t samples, uint32_t rate_hz, marker_list *list);

#endif
