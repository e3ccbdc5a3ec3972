/* The frames of a WebSocket: plain messages, and the way past everything else. */
#include "websocket.h"

#include <string.h>

enum { FIN = 0x80, MASKED = 0x80, OPCODE = 0x0F, CONTINUATION = 0, TEXT = 1, BINARY = 2 };
enum { LENGTH = 0x7F, LENGTH_16 = 126, LENGTH_64 = 127 };

static const uint8_t HEAD_END[4] = {'\r', '\n', '\r', '\n'};

bool frame_scan_plain(const frame_scanner *self, const uint8_t *data, size_t size, plain_message *found)
{
    if (self->header_size > 0 || self->left > 0 || self->fragmented || self->head_end < sizeof HEAD_END || size < 6)
        return false;
    if ((data[0] != (FIN | TEXT) && data[0] != (FIN | BINARY)) || !(data[1] & MASKED))
        return false;
    size_t length = data[1] & LENGTH, header = 6;
    if (length == LENGTH_64)
        return false;
    if (length == LENGTH_16) {
        length = (size_t)data[2] << 8 | data[3];
        header = 8;
        if (length < LENGTH_16 || size < header)
            return false;
    }
    if (length > self->max_size || length > size - header)
        return false;
    found->text = data[0] == (FIN | TEXT);
    found->payload = data + header;
    found->end = found->payload + length;
    memcpy(found->key, found->payload - sizeof found->key, sizeof found->key);
    return true;
}

bool frame_scan_all_plain(const frame_scanner *self, const uint8_t *data, size_t size)
{
    plain_message found = {.end = data};
    const uint8_t *end = data + size;
    while (found.end < end)
        if (!frame_scan_plain(self, found.end, (size_t)(end - found.end), &found))
            return false;
    return true;
}

static size_t follow_request(frame_scanner *self, const uint8_t *data, size_t size)
{
    size_t at = 0;
    while (at < size && self->head_end < sizeof HEAD_END) {
        uint8_t character = data[at++];
        bool matches = character == HEAD_END[self->head_end];
        self->head_end = matches ? self->head_end + 1 : character == HEAD_END[0];
    }
    return at;
}

static size_t header_size_of(const frame_scanner *self)
{
    if (self->header_size < 2)
        return 2;
    uint8_t length = self->header[1] & LENGTH;
    return 2U + (length == LENGTH_16 ? 2U : length == LENGTH_64 ? 8U : 0U) + (self->header[1] & MASKED ? 4U : 0U);
}

static void begin_payload(frame_scanner *self)
{
    uint8_t length = self->header[1] & LENGTH, opcode = self->header[0] & OPCODE;
    self->left = length;
    if (length >= LENGTH_16) {
        self->left = 0;
        for (int i = 2; i < (length == LENGTH_16 ? 4 : 10); i++)
            self->left = self->left << 8 | self->header[i];
    }
    if (opcode == CONTINUATION || opcode == TEXT || opcode == BINARY)
        self->fragmented = !(self->header[0] & FIN);
    self->header_size = 0;
}

size_t frame_follow(frame_scanner *self, const uint8_t *data, size_t size)
{
    size_t at = 0;
    if (self->head_end < sizeof HEAD_END)
        return follow_request(self, data, size);
    if (self->left == 0) {
        while (self->header_size < header_size_of(self)) {
            if (at == size)
                return at;
            self->header[self->header_size++] = data[at++];
        }
        begin_payload(self);
    }
    size_t taken = self->left < size - at ? (size_t)self->left : size - at;
    self->left -= taken;
    return at + taken;
}

void frame_unmask(const plain_message *found, uint8_t *restrict out)
{
    const uint8_t *restrict in = found->payload;
    size_t size = (size_t)(found->end - in), at = 0;
    uint32_t key;
    memcpy(&key, found->key, sizeof key);
    uint64_t keys = (uint64_t)key << 32 | key;
    for (uint64_t eight; size - at >= sizeof eight; at += sizeof eight) { /* compilers make vectors of it */
        memcpy(&eight, in + at, sizeof eight);
        eight ^= keys;
        memcpy(out + at, &eight, sizeof eight);
    }
    for (; at < size; at++)
        out[at] = in[at] ^ found->key[at % 4];
}

size_t frame_write_header(bool text, uint64_t size, uint8_t out[FRAME_SERVER_HEADER_MAX])
{
    int bytes = size < LENGTH_16 ? 0 : size <= UINT16_MAX ? 2 : 8;
    out[0] = FIN | (text ? TEXT : BINARY);
    out[1] = bytes == 0 ? (uint8_t)size : bytes == 2 ? LENGTH_16 : LENGTH_64;
    for (int i = 0; i < bytes; i++)
        out[2 + i] = (uint8_t)(size >> 8 * (bytes - 1 - i));
    return 2 + (size_t)bytes;
}
