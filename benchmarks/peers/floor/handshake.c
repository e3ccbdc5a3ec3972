/* The server's half of a WebSocket's opening, with the SHA-1 that it asks for (FIPS 180-4, 6.1). */
#define _GNU_SOURCE
#include "handshake.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "native/kernels.h"

enum { KEY_CHARS = 24, BLOCK_BYTES = 64, DIGEST_BYTES = 20, ACCEPT_CHARS = 28 };

static const char GUID[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

static uint32_t rotate(uint32_t word, int by) { return word << by | word >> (32 - by); }

static void sha1_block(uint32_t state[5], const uint8_t *block)
{
    uint32_t words[80], a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int i = 0; i < 16; i++, block += 4)
        words[i] = (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 | block[3];
    for (int i = 16; i < 80; i++)
        words[i] = rotate(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
    for (int i = 0; i < 80; i++) {
        uint32_t f = i < 20 ? (b & c) | (~b & d) : i >= 40 && i < 60 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
        uint32_t k = i < 20 ? 0x5A827999 : i < 40 ? 0x6ED9EBA1 : i < 60 ? 0x8F1BBCDC : 0xCA62C1D6;
        uint32_t next = rotate(a, 5) + f + e + k + words[i];
        e = d;
        d = c;
        c = rotate(b, 30);
        b = a;
        a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
}

/* Of the key and the GUID: 60 bytes, which with their padding are two blocks. */
static void sha1_of_key(const uint8_t *key, uint8_t digest[DIGEST_BYTES])
{
    uint32_t state[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    uint8_t blocks[2 * BLOCK_BYTES] = {0};
    const size_t size = KEY_CHARS + sizeof GUID - 1;
    memcpy(blocks, key, KEY_CHARS);
    memcpy(blocks + KEY_CHARS, GUID, sizeof GUID - 1);
    blocks[size] = 0x80;
    blocks[sizeof blocks - 2] = (uint8_t)(size * 8 >> 8);
    blocks[sizeof blocks - 1] = (uint8_t)(size * 8);
    sha1_block(state, blocks);
    sha1_block(state, blocks + BLOCK_BYTES);
    for (int i = 0; i < DIGEST_BYTES; i++)
        digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

static const uint8_t *find_key(const uint8_t *head, size_t size)
{
    static const char NAME[] = "\nSec-WebSocket-Key:";
    const size_t name_chars = sizeof NAME - 1;
    const uint8_t *end = head + size;
    for (const uint8_t *at = head; (size_t)(end - at) > name_chars; at++) {
        if (strncasecmp((const char *)at, NAME, name_chars) != 0)
            continue;
        at += name_chars;
        while (at < end && (*at == ' ' || *at == '\t'))
            at++;
        return end - at > KEY_CHARS && (at[KEY_CHARS] == '\r' || at[KEY_CHARS] == ' ') ? at : NULL;
    }
    return NULL;
}

size_t handshake_answer(const uint8_t *head, size_t size, char *answer)
{
    uint8_t digest[DIGEST_BYTES + BASE64_SLACK] = {0}, accept[ACCEPT_CHARS];
    const uint8_t *key = find_key(head, size);
    if (key == NULL)
        return 0;
    sha1_of_key(key, digest);
    kernels_chosen()->base64_encode(digest, DIGEST_BYTES, accept);
    return (size_t)snprintf(answer, HANDSHAKE_ANSWER_BYTES,
                            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            "Sec-WebSocket-Accept: %.*s\r\n\r\n",
                            ACCEPT_CHARS, (const char *)accept);
}
