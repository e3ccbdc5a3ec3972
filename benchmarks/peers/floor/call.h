/*
 * One call of the floor: a WebSocket whose audio is decoded to 16 kHz, encoded again and sent back. It has what the
 * work needs and no more: Twilio's messages in the order of keys in which Twilio writes them, whole frames of at most
 * CALL_IN_BYTES, pings and close. Whatever else it is sent ends the call.
 */
#ifndef FLOOR_CALL_H
#define FLOOR_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "native/stream.h"
#include "native/template.h"

enum { CALL_IN_BYTES = 1 << 14, CALL_SID_CHARS = 64, CALL_TEXT_BYTES = 224, CALL_PREFIX_BYTES = 128 };

typedef struct {
    uint64_t frames;  /* of audio, answered */
    uint64_t others;  /* messages that were none */
    uint64_t dropped; /* calls ended because the peer read nothing for as long as the kernel's buffers last */
} call_counts;

typedef struct {
    int descriptor;
    bool open;     /* the handshake is over */
    bool started;  /* the stream's id is known */
    uint8_t *rest; /* bytes of a head or frame that has not come whole; owned, NULL: none */
    size_t rest_size;
    stream decoder, encoder;
    message_template expected; /* of audio */
    uint8_t text[CALL_TEXT_BYTES];
    char prefix[CALL_PREFIX_BYTES]; /* of an answer, up to the payload */
    size_t prefix_size;
} call;

/* NULL: out of memory; the descriptor is still the caller's. */
call *call_new(int descriptor);
void call_free(call *self);

/* Read once, answer what has come whole, keep the rest. False: the call is over. */
bool call_readable(call *self, call_counts *counts);

#endif
