/*
 * The frames of one WebSocket (RFC 6455) as a client sends them: where each ends, and which of them are plain: one
 * whole text or binary message, masked, with no reserved bit and the shortest length field. Whatever is not plain, from
 * the upgrade request on, is for a real parser; here it is only followed to its end.
 */
#ifndef RELAY_WEBSOCKET_H
#define RELAY_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    FRAME_CLIENT_HEADER_MAX = 14,
    FRAME_SERVER_HEADER_MAX = 10,
};

typedef struct {
    uint64_t left;     /* payload to come of the frame that is being followed */
    uint32_t max_size; /* of a plain message */
    uint8_t head_end;  /* characters seen of the empty line that ends the upgrade request */
    uint8_t header_size;
    uint8_t header[FRAME_CLIENT_HEADER_MAX]; /* as much as there is of one that a read has cut */
    bool fragmented;                         /* inside a message of several frames */
} frame_scanner;

typedef struct {
    const uint8_t *payload, *end; /* inside the data */
    uint8_t key[4];
    bool text;
} plain_message;

/* False: no plain message begins at `data` and lies in it wholly. */
bool frame_scan_plain(const frame_scanner *self, const uint8_t *data, size_t size, plain_message *found);

/* Whether the data is plain messages and nothing else. */
bool frame_scan_all_plain(const frame_scanner *self, const uint8_t *data, size_t size);

/* Follow the upgrade request, or the one frame that data begins with or goes on with. Returns how much that is. */
size_t frame_follow(frame_scanner *self, const uint8_t *data, size_t size);

/* The payload of a plain message as it was before the client masked it. */
void frame_unmask(const plain_message *found, uint8_t *out);

/* The header of a server's unmasked frame that is a whole message. Returns its size. */
size_t frame_write_header(bool text, uint64_t size, uint8_t out[FRAME_SERVER_HEADER_MAX]);

#endif
