/*
 * Fill a gap by continuing the waveform, in the manner of ITU-T G.711 Appendix I but without its 3.75 ms of delay: the
 * seam at the start of the gap is closed by a decaying correction, the one at its end by a cross-fade into the next
 * real frame.
 */
#ifndef RELAY_CONCEAL_H
#define RELAY_CONCEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t rate_hz;
    uint32_t history_samples;
    uint32_t written; /* where the next real sample goes in the ring of history */
    /* The gap; meaningful while gap_samples > 0. */
    uint32_t gap_samples; /* concealed since the last real sample; 0: there is no gap, or it is over */
    uint32_t pitch;       /* samples of one period */
    uint32_t fade_in;     /* samples of the cross-fade that ends the gap; 0 until the first real one */
    uint32_t faded;       /* of these, how many have come */
    int32_t jump;         /* last real sample minus the one a period before the first that is repeated */
    int16_t *history;     /* ring; owned, as is the next */
    int16_t *source;      /* the history in order, as it was when the gap began */
} concealer;

bool conceal_open(concealer *self, uint32_t rate_hz);
void conceal_close(concealer *self);
void conceal_reset(concealer *self);

/* Write the next samples of the gap. */
void conceal_fill(concealer *self, size_t samples, int16_t *out);

/* Whether conceal_resume has to change the next real samples. */
static inline bool conceal_in_gap(const concealer *self) { return self->gap_samples > 0; }

/* Fade the first real samples in over the continued waveform, in place; the gap is over when all of the fade has come.
 */
void conceal_resume(concealer *self, int16_t *pcm, size_t samples);

/* Remember real samples. */
void conceal_remember(concealer *self, const int16_t *pcm, size_t samples);

/* Heap bytes held. */
size_t conceal_state_bytes(const concealer *self);

#endif
