/* The frames of one call: unmask, scan, decode, encode, send. */
#define _GNU_SOURCE /* memmem */
#include "call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "handshake.h"

enum {
    FIN = 0x80,
    TEXT = 0x1,
    CLOSE = 0x8,
    PING = 0x9,
    PONG = 0xA,
    MASKED = 0x80,
    KEY_BYTES = 4,
    CONTROL_MAX = 125,
    SIZE_16 = 126, /* the size is in the two bytes that follow */
    OUT_HEADER = 4,
    PROTOCOL_ERROR = 1002,
    TOO_BIG = 1009,
};

typedef struct {
    uint8_t opcode;
    uint8_t *content; /* unmasked */
    size_t size;
} frame;

typedef enum { FRAME_WHOLE, FRAME_PART, FRAME_REFUSED, FRAME_TOO_BIG } frame_state;

/* One thread, one call at a time: what no call keeps is here. */
static uint8_t in[CALL_IN_BYTES];
static uint8_t payload[CALL_IN_BYTES + BASE64_SLACK];
static _Alignas(int32_t) int16_t pcm[2 * CALL_IN_BYTES];
static uint8_t out[OUT_HEADER + CALL_PREFIX_BYTES + 2 * CALL_IN_BYTES];

static const char SUFFIX[] = "\"}}";

call *call_new(int descriptor)
{
    call *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->descriptor = descriptor;
    self->decoder.kernels = self->encoder.kernels = kernels_chosen();
    self->decoder.out_sample_bytes = self->encoder.in_sample_bytes = sizeof *pcm;
    stream_unpack_as(&self->decoder, ENCODING_PCMU);
    stream_pack_as(&self->encoder, ENCODING_PCMU);
    if (stream_open(&self->decoder, 8000, 16000, FIR_BALANCED) &&
        stream_open(&self->encoder, 16000, 8000, FIR_BALANCED))
        return self;
    call_free(self);
    return NULL;
}

void call_free(call *self)
{
    stream_close(&self->decoder);
    stream_close(&self->encoder);
    free(self->rest);
    free(self);
}

static bool write_all(const call *self, const void *data, size_t size, call_counts *counts)
{
    ssize_t written = send(self->descriptor, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (written == (ssize_t)size)
        return true;
    counts->dropped += written >= 0 || errno == EAGAIN;
    return false;
}

static bool send_control(const call *self, uint8_t opcode, const uint8_t *content, size_t size, call_counts *counts)
{
    uint8_t whole[2 + CONTROL_MAX] = {(uint8_t)(FIN | opcode), (uint8_t)size};
    memcpy(whole + 2, content, size);
    return write_all(self, whole, 2 + size, counts);
}

static bool refuse(const call *self, unsigned code, call_counts *counts)
{
    const uint8_t content[] = {(uint8_t)(code >> 8), (uint8_t)code};
    send_control(self, CLOSE, content, sizeof content, counts);
    return false;
}

/* The text of a message's key, at most CALL_SID_CHARS without an escape; NULL: it has none. */
static const uint8_t *find_text(const uint8_t *message, size_t size, const char *key, int *chars)
{
    const uint8_t *end = message + size, *at = memmem(message, size, key, strlen(key));
    if (at == NULL)
        return NULL;
    for (at += strlen(key); at < end && (*at == ' ' || *at == ':');)
        at++;
    if (at == end || *at++ != '"')
        return NULL;
    const uint8_t *quote = memchr(at, '"', (size_t)(end - at));
    if (quote == NULL || quote - at > CALL_SID_CHARS || memchr(at, '\\', (size_t)(quote - at)) != NULL)
        return NULL;
    *chars = (int)(quote - at);
    return at;
}

/* `start` names the stream. What follows it is known from then on to the byte, but for numbers and payload. */
static void start(call *self, const uint8_t *message, size_t size)
{
    int chars;
    const uint8_t *sid = find_text(message, size, "\"streamSid\"", &chars);
    if (sid == NULL)
        return;
    int text = snprintf((char *)self->text, sizeof self->text,
                        "{\"event\":\"media\",\"sequenceNumber\":%c,\"media\":{\"track\":\"inbound\",\"chunk\":%c,"
                        "\"timestamp\":%c,\"payload\":%c},\"streamSid\":\"%.*s\"}",
                        FIELD_NUMBER, FIELD_SEQUENCE, FIELD_TIMESTAMP, FIELD_PAYLOAD, chars, (const char *)sid);
    int prefix =
        snprintf(self->prefix, sizeof self->prefix,
                 "{\"event\":\"media\",\"streamSid\":\"%.*s\",\"media\":{\"payload\":\"", chars, (const char *)sid);
    self->prefix_size = (size_t)prefix;
    self->started = template_compile(&self->expected, self->text, (size_t)text);
}

/* False: not base64, and nothing done. */
static bool through_codec(call *self, const message_match *match, size_t *size)
{
    const uint8_t *text = match->payload;
    size_t samples = match->payload_size / 4 * 3;
    if (match->payload_size == 0 || match->payload_size % 4 != 0)
        return false;
    samples -= (size_t)(text[match->payload_size - 1] == '=') +
               (text[match->payload_size - 1] == '=' && text[match->payload_size - 2] == '=');
    if (!self->decoder.kernels->base64_decode(text, match->payload_size, payload) || samples == 0)
        return false;
    size_t decoded = stream_out_samples(&self->decoder, samples);
    stream_run(&self->decoder, payload, samples, (uint8_t *)pcm);
    *size = stream_out_samples(&self->encoder, decoded);
    stream_run(&self->encoder, (const uint8_t *)pcm, decoded, payload);
    return true;
}

static bool answer_audio(const call *self, size_t size, call_counts *counts)
{
    size_t text_size = (size + 2) / 3 * 4, message_size = self->prefix_size + text_size + sizeof SUFFIX - 1;
    bool small = message_size < SIZE_16;
    uint8_t *message = out + OUT_HEADER, *begin = message - (small ? 2 : OUT_HEADER);
    begin[0] = FIN | TEXT;
    begin[1] = small ? (uint8_t)message_size : SIZE_16;
    if (!small) {
        begin[2] = (uint8_t)(message_size >> 8);
        begin[3] = (uint8_t)message_size;
    }
    memcpy(message, self->prefix, self->prefix_size);
    self->encoder.kernels->base64_encode(payload, size, message + self->prefix_size);
    memcpy(message + self->prefix_size + text_size, SUFFIX, sizeof SUFFIX - 1);
    return write_all(self, begin, (size_t)(message - begin) + message_size, counts);
}

static bool take_text(call *self, const uint8_t *message, size_t size, call_counts *counts)
{
    message_match match;
    size_t answer_size = 0;
    if (self->started && template_match(&self->expected, message, size, &match) &&
        through_codec(self, &match, &answer_size)) {
        counts->frames++;
        return answer_audio(self, answer_size, counts);
    }
    counts->others++;
    if (!self->started)
        start(self, message, size);
    return true;
}

static bool take_frame(call *self, const frame *whole, call_counts *counts)
{
    switch (whole->opcode) {
    case TEXT: return take_text(self, whole->content, whole->size, counts);
    case PING: return send_control(self, PONG, whole->content, whole->size, counts);
    case PONG: return true;
    case CLOSE: send_control(self, CLOSE, whole->content, whole->size, counts); return false;
    default: return refuse(self, PROTOCOL_ERROR, counts);
    }
}

static void unmask(const uint8_t *key, uint8_t *content, size_t size)
{
    const uint64_t four = (uint64_t)key[0] | (uint64_t)key[1] << 8 | (uint64_t)key[2] << 16 | (uint64_t)key[3] << 24;
    const uint64_t keys = four | four << 32; /* the kernels, too, are for little-endian processors */
    size_t done = 0;
    for (; done + sizeof keys <= size; done += sizeof keys) {
        uint64_t word;
        memcpy(&word, content + done, sizeof word);
        word ^= keys;
        memcpy(content + done, &word, sizeof word);
    }
    for (; done < size; done++)
        content[done] ^= (uint8_t)(keys >> 8 * (done % KEY_BYTES));
}

/* Return how much of the bytes the frame takes, and what has come of it. */
static size_t read_frame(uint8_t *at, size_t size, frame *whole, frame_state *state)
{
    *state = FRAME_PART;
    if (size < 2)
        return 0;
    size_t content = at[1] & ~MASKED, head = 2;
    whole->opcode = at[0] & 0xF;
    *state = FRAME_REFUSED;
    if ((at[0] & 0xF0) != FIN || !(at[1] & MASKED) || (whole->opcode >= CLOSE && content > CONTROL_MAX))
        return 0;
    *state = FRAME_TOO_BIG;
    if (content > SIZE_16)
        return 0;
    *state = FRAME_PART;
    if (content == SIZE_16) {
        head = 4;
        if (size < head)
            return 0;
        content = (size_t)at[2] << 8 | at[3];
    }
    if (head + KEY_BYTES + content > CALL_IN_BYTES) {
        *state = FRAME_TOO_BIG;
        return 0;
    }
    if (size < head + KEY_BYTES + content)
        return 0;
    unmask(at + head, at + head + KEY_BYTES, content);
    whole->content = at + head + KEY_BYTES;
    whole->size = content;
    *state = FRAME_WHOLE;
    return head + KEY_BYTES + content;
}

/* Return the bytes that the request takes; 0: it has not come whole, or `*ok` says that it is none. */
static size_t shake_hands(call *self, const uint8_t *data, size_t size, bool *ok, call_counts *counts)
{
    const uint8_t *end = memmem(data, size, "\r\n\r\n", 4);
    *ok = end != NULL || size < CALL_IN_BYTES;
    if (end == NULL)
        return 0;
    char answer[HANDSHAKE_ANSWER_BYTES];
    size_t head = (size_t)(end - data) + 4, answer_size = handshake_answer(data, head, answer);
    *ok = answer_size > 0 && write_all(self, answer, answer_size, counts);
    self->open = true;
    return head;
}

static bool keep(call *self, const uint8_t *data, size_t size)
{
    if (self->rest_size == 0 && size == 0)
        return true;
    free(self->rest);
    self->rest = NULL;
    self->rest_size = size;
    if (size == 0)
        return true;
    self->rest = malloc(size);
    if (self->rest == NULL)
        return false;
    memcpy(self->rest, data, size);
    return true;
}

bool call_readable(call *self, call_counts *counts)
{
    if (self->rest_size > 0)
        memcpy(in, self->rest, self->rest_size);
    ssize_t got = recv(self->descriptor, in + self->rest_size, sizeof in - self->rest_size, MSG_DONTWAIT);
    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    size_t size = self->rest_size + (size_t)got, at = 0;
    bool going = true;
    if (!self->open)
        at = shake_hands(self, in, size, &going, counts);
    while (going && self->open) {
        frame whole;
        frame_state state;
        size_t taken = read_frame(in + at, size - at, &whole, &state);
        if (state == FRAME_PART)
            break;
        if (state != FRAME_WHOLE)
            return refuse(self, state == FRAME_TOO_BIG ? TOO_BIG : PROTOCOL_ERROR, counts);
        at += taken;
        going = take_frame(self, &whole, counts);
    }
    return going && keep(self, in + at, size - at);
}
