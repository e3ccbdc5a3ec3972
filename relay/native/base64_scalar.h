/* RFC 4648 base64, four characters at a time. Also the tail of base64_avx2.h. */
#ifndef RELAY_BASE64_SCALAR_H
#define RELAY_BASE64_SCALAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static const uint8_t BASE64_ALPHABET[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { BASE64_BAD = 0x80 }; /* set in the value of a character that is not of the alphabet */

/* clang-format off */
#define BAD4 0x80, 0x80, 0x80, 0x80
#define BAD16 BAD4, BAD4, BAD4, BAD4
#define BAD64 BAD16, BAD16, BAD16, BAD16
static const uint8_t BASE64_VALUE[256] = {
    BAD16, BAD16,
    BAD4, BAD4, 0x80, 0x80, 0x80, 62, 0x80, 0x80, 0x80, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 0x80, 0x80, BAD4,
    0x80, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 0x80, BAD4,
    0x80, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 0x80, BAD4,
    BAD64, BAD64,
};
#undef BAD4
#undef BAD16
#undef BAD64
/* clang-format on */

/* The last four characters, which may end in one or two '='. Three bytes are written. */
static inline bool base64_decode_last(const uint8_t *text, uint8_t *out)
{
    int padding = text[3] == '=' ? 1 + (text[2] == '=') : 0;
    uint8_t a = BASE64_VALUE[text[0]], b = BASE64_VALUE[text[1]];
    uint8_t c = padding == 2 ? 0 : BASE64_VALUE[text[2]], d = padding ? 0 : BASE64_VALUE[text[3]];
    out[0] = (uint8_t)(a << 2 | b >> 4);
    out[1] = (uint8_t)(b << 4 | c >> 2);
    out[2] = (uint8_t)(c << 6 | d);
    return !((a | b | c | d) & BASE64_BAD);
}

static inline bool base64_decode_scalar(const uint8_t *text, size_t length, uint8_t *out)
{
    uint8_t seen = 0;
    if (length == 0)
        return true;
    for (; length > 4; length -= 4, text += 4, out += 3) {
        uint8_t a = BASE64_VALUE[text[0]], b = BASE64_VALUE[text[1]], c = BASE64_VALUE[text[2]];
        uint8_t d = BASE64_VALUE[text[3]];
        seen |= a | b | c | d;
        out[0] = (uint8_t)(a << 2 | b >> 4);
        out[1] = (uint8_t)(b << 4 | c >> 2);
        out[2] = (uint8_t)(c << 6 | d);
    }
    return !(seen & BASE64_BAD) & base64_decode_last(text, out);
}

static inline void base64_encode_scalar(const uint8_t *data, size_t size, uint8_t *text)
{
    for (; size >= 3; size -= 3, data += 3, text += 4) {
        uint32_t bits = (uint32_t)data[0] << 16 | (uint32_t)data[1] << 8 | data[2];
        text[0] = BASE64_ALPHABET[bits >> 18];
        text[1] = BASE64_ALPHABET[bits >> 12 & 63];
        text[2] = BASE64_ALPHABET[bits >> 6 & 63];
        text[3] = BASE64_ALPHABET[bits & 63];
    }
    if (size) {
        uint32_t bits = (uint32_t)data[0] << 16 | (size == 2 ? (uint32_t)data[1] << 8 : 0);
        text[0] = BASE64_ALPHABET[bits >> 18];
        text[1] = BASE64_ALPHABET[bits >> 12 & 63];
        text[2] = size == 2 ? BASE64_ALPHABET[bits >> 6 & 63] : '=';
        text[3] = '=';
    }
}

#endif
