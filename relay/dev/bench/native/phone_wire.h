/* Twilio's messages as frames of a WebSocket client, and the server's frames taken apart. No socket, no clock. */
#ifndef RELAY_BENCH_PHONE_WIRE_H
#define RELAY_BENCH_PHONE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    WIRE_TEXT = 1,
    WIRE_CLOSE = 8,
    WIRE_PING = 9,
    WIRE_PONG = 10,
    WIRE_NAME_MAX = 128,
    WIRE_FRAME_MAX = 1 << 20, /* what a server may send in one frame */
    WIRE_OWN_MAX = 8192,      /* what a phone says in one frame */
};

/* One whole frame at the beginning of what has come. */
typedef struct {
    uint8_t opcode;
    const char *content;
    size_t content_bytes;
    size_t frame_bytes;
} wire_frame;

typedef enum { WIRE_NOTHING, WIRE_MEDIA, WIRE_MARK, WIRE_CLEAR } wire_event;

/* 1: a frame; 0: not all of it is there; -1: no frame that a phone takes. */
int wire_take(const char *data, size_t data_bytes, wire_frame *frame);

/* What a server's text is; `value` and `value_bytes` are its payload in base64, or its mark's name. */
wire_event wire_read(const char *text, size_t text_bytes, const char **value, size_t *value_bytes);

/* Puts a masked frame around what begins at out + WIRE_HEAD_MAX; returns where the frame begins. */
enum { WIRE_HEAD_MAX = 8 };
char *wire_close_frame(char *out, size_t content_bytes, uint8_t opcode, uint32_t key, size_t *frame_bytes);

/* The text of one media message; returns its length. */
size_t wire_media(char *out, uint64_t sequence, uint64_t chunk, const char *payload, size_t payload_chars,
                  const char *sid);
size_t wire_mark(char *out, uint64_t sequence, const char *name, const char *sid);
size_t wire_stop(char *out, uint64_t sequence, const char *sid);

/* Returns how many bytes, at most 3/4 of the characters; 0 when it is no base64. */
size_t wire_decode_base64(const char *text, size_t chars, uint8_t *out);

#endif
