#define _GNU_SOURCE /* memmem */
#include "phone_wire.h"

#include <stdio.h>
#include <string.h>

int wire_take(const char *data, size_t data_bytes, wire_frame *frame)
{
    if (data_bytes < 2)
        return 0;
    const uint8_t *head = (const uint8_t *)data;
    uint64_t content = head[1];
    size_t begin = 2;
    if (!(head[0] & 0x80) || head[0] & 0x70 || content & 0x80)
        return -1; /* a fragment, an extension's or a masked one: the servers here send none */
    if (content == 126) {
        if (data_bytes < 4)
            return 0;
        content = (uint64_t)head[2] << 8 | head[3];
        begin = 4;
    } else if (content == 127) {
        if (data_bytes < 10)
            return 0;
        content = 0;
        for (size_t at = 2; at < 10; at++)
            content = content << 8 | head[at];
        begin = 10;
    }
    if (content > WIRE_FRAME_MAX)
        return -1;
    if (data_bytes - begin < content)
        return 0;
    *frame = (wire_frame){head[0] & 0x0F, data + begin, (size_t)content, begin + (size_t)content};
    return 1;
}

/* The string behind "name", wherever it is; white space behind the colon is as good as none. */
static bool string_of(const char *text, size_t text_bytes, const char *name, const char **value, size_t *value_bytes)
{
    const char *end = text + text_bytes;
    const char *at = memmem(text, text_bytes, name, strlen(name));
    if (at == NULL)
        return false;
    at += strlen(name);
    while (at < end && (*at == ' ' || *at == ':'))
        at++;
    if (at == end || *at != '"')
        return false;
    const char *close = memchr(at + 1, '"', (size_t)(end - at - 1));
    if (close == NULL)
        return false;
    *value = at + 1;
    *value_bytes = (size_t)(close - at - 1);
    return true;
}

wire_event wire_read(const char *text, size_t text_bytes, const char **value, size_t *value_bytes)
{
    const char *event;
    size_t event_chars;
    if (!string_of(text, text_bytes, "\"event\"", &event, &event_chars))
        return WIRE_NOTHING;
    if (event_chars == 5 && memcmp(event, "media", 5) == 0)
        return string_of(text, text_bytes, "\"payload\"", value, value_bytes) ? WIRE_MEDIA : WIRE_NOTHING;
    if (event_chars == 4 && memcmp(event, "mark", 4) == 0)
        return string_of(text, text_bytes, "\"name\"", value, value_bytes) ? WIRE_MARK : WIRE_NOTHING;
    return event_chars == 5 && memcmp(event, "clear", 5) == 0 ? WIRE_CLEAR : WIRE_NOTHING;
}

static void mask(char *data, size_t size, const uint8_t key[4])
{
    uint64_t wide, block;
    memcpy(&wide, key, 4);
    memcpy((char *)&wide + 4, key, 4);
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        memcpy(&block, data + at, 8);
        block ^= wide;
        memcpy(data + at, &block, 8);
    }
    for (; at < size; at++)
        data[at] = (char)(data[at] ^ key[at % 4]);
}

char *wire_close_frame(char *out, size_t content_bytes, uint8_t opcode, uint32_t key, size_t *frame_bytes)
{
    uint8_t bytes[4];
    memcpy(bytes, &key, 4);
    char *content = out + WIRE_HEAD_MAX;
    mask(content, content_bytes, bytes);
    size_t head_bytes = content_bytes < 126 ? 6 : 8;
    uint8_t *head = (uint8_t *)content - head_bytes;
    head[0] = 0x80 | opcode;
    if (content_bytes < 126) {
        head[1] = 0x80 | (uint8_t)content_bytes;
    } else {
        head[1] = 0x80 | 126;
        head[2] = (uint8_t)(content_bytes >> 8);
        head[3] = (uint8_t)content_bytes;
    }
    memcpy(content - 4, bytes, 4);
    *frame_bytes = head_bytes + content_bytes;
    return (char *)head;
}

static char *put(char *at, const char *text)
{
    size_t chars = strlen(text);
    memcpy(at, text, chars);
    return at + chars;
}

static char *put_number(char *at, uint64_t value)
{
    char digits[20];
    size_t count = 0;
    do
        digits[count++] = (char)('0' + value % 10);
    while (value /= 10);
    while (count)
        *at++ = digits[--count];
    return at;
}

size_t wire_media(char *out, uint64_t sequence, uint64_t chunk, const char *payload, size_t payload_chars,
                  const char *sid)
{
    char *at = put_number(put(out, "{\"event\":\"media\",\"sequenceNumber\":\""), sequence);
    at = put_number(put(at, "\",\"media\":{\"track\":\"inbound\",\"chunk\":\""), chunk);
    at = put_number(put(at, "\",\"timestamp\":\""), (chunk - 1) * 20 + 5); /* the first is 5 in Twilio's own example */
    at = put(at, "\",\"payload\":\"");
    memcpy(at, payload, payload_chars);
    at = put(put(at + payload_chars, "\"},\"streamSid\":\""), sid);
    return (size_t)(put(at, "\"}") - out);
}

size_t wire_mark(char *out, uint64_t sequence, const char *name, const char *sid)
{
    return (size_t)sprintf(out,
                           "{\"event\":\"mark\",\"sequenceNumber\":\"%llu\",\"streamSid\":\"%s\","
                           "\"mark\":{\"name\":\"%s\"}}",
                           (unsigned long long)sequence, sid, name);
}

size_t wire_stop(char *out, uint64_t sequence, const char *sid)
{
    return (size_t)sprintf(out, "{\"event\":\"stop\",\"sequenceNumber\":\"%llu\",\"stop\":{},\"streamSid\":\"%s\"}",
                           (unsigned long long)sequence, sid);
}

static int base64_value(char each)
{
    if (each >= 'A' && each <= 'Z')
        return each - 'A';
    if (each >= 'a' && each <= 'z')
        return each - 'a' + 26;
    if (each >= '0' && each <= '9')
        return each - '0' + 52;
    return each == '+' ? 62 : each == '/' ? 63 : -1;
}

size_t wire_decode_base64(const char *text, size_t chars, uint8_t *out)
{
    static int8_t table[256];
    static bool made;
    if (!made) {
        for (int each = 0; each < 256; each++)
            table[each] = (int8_t)base64_value((char)each);
        made = true;
    }
    while (chars && text[chars - 1] == '=')
        chars--;
    size_t count = 0;
    uint32_t bits = 0;
    int held = 0;
    for (size_t at = 0; at < chars; at++) {
        int value = table[(uint8_t)text[at]];
        if (value < 0)
            return 0;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[count++] = (uint8_t)(bits >> held);
        }
    }
    return count;
}
