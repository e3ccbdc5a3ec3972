/*
 * One direction of one call: unpack the encoding, convert the rate, pack. A decoder packs nothing, an encoder unpacks
 * nothing, a plain resampler does neither.
 */
#ifndef RELAY_STREAM_H
#define RELAY_STREAM_H

#include "kernels.h"

typedef enum { ENCODING_PCMU, ENCODING_PCMA, ENCODING_L16LE, ENCODING_L16BE } encoding;

typedef struct {
    const kernels *kernels;
    const fir_table *table; /* NULL: equal rates */
    convert unpack;         /* what comes in -> L16 in native order; NULL: it is that already */
    convert pack;           /* L16 in native order -> what goes out; NULL: it is that already */
    uint8_t in_sample_bytes;
    uint8_t out_sample_bytes;
    uint8_t carry;    /* samples of an unfinished group, kept behind the history */
    int16_t *history; /* table->history samples, then room for a carry; owned */
} stream;

/* What the encoding needs of a decoder (unpack) and of an encoder (pack). */
void stream_unpack_as(stream *self, encoding from);
void stream_pack_as(stream *self, encoding to);

/* Choose the filter and allocate its history. False: out of memory. Equal rates need no filter. */
bool stream_open(stream *self, uint32_t in_rate_hz, uint32_t out_rate_hz, fir_profile profile);
void stream_close(stream *self);

/* Silence behind, as in a new stream. */
void stream_reset(stream *self);

/* Heap bytes held. */
size_t stream_state_bytes(const stream *self);

/* Samples that the next `samples` will yield: total * up / down, rounded down, over everything since the reset. */
size_t stream_out_samples(const stream *self, size_t samples);

/* Convert `samples` and write stream_out_samples() of them; filter state carries over. L16 goes to an even address. */
void stream_run(stream *self, const uint8_t *in, size_t samples, uint8_t *out);

#endif
