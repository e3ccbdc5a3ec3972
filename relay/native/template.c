/* The strict scan of a JSON message of known shape. */
#include "template.h"

#include <string.h>

bool template_compile(message_template *self, const uint8_t *text, size_t size)
{
    uint32_t begin = 0;
    self->text = text;
    self->fields = 0;
    for (uint32_t at = 0; at <= size; at++) {
        if (at < size && (text[at] == FIELD_END || text[at] >= FIELD_KINDS))
            continue;
        if (self->fields == TEMPLATE_FIELDS && at < size)
            return false;
        self->part[self->fields].begin = begin;
        self->part[self->fields].size = at - begin;
        self->part[self->fields].kind = at < size ? (field)text[at] : FIELD_END;
        self->fields += at < size;
        begin = at + 1;
    }
    return true;
}

static bool is_digit(const uint8_t *at, const uint8_t *end) { return at < end && *at >= '0' && *at <= '9'; }

/* A whole number, bare or in quotation marks, as carriers send both. NULL: it is neither. */
static const uint8_t *match_number(const uint8_t *at, const uint8_t *end, int64_t *number)
{
    bool quoted = at < end && *at == '"';
    at += quoted;
    const uint8_t *first = at;
    int64_t value = 0;
    while (is_digit(at, end) && at - first < NUMBER_DIGITS)
        value = value * 10 + (*at++ - '0');
    bool leading_zero = at - first > 1 && *first == '0'; /* JSON has none in a bare number */
    if (at == first || is_digit(at, end) || (leading_zero && !quoted))
        return NULL;
    if (quoted && (at == end || *at++ != '"'))
        return NULL;
    *number = value;
    return at;
}

bool template_match(const message_template *self, const uint8_t *message, size_t size, message_match *match)
{
    const uint8_t *at = message, *end = message + size;
    for (int kind = 0; kind < FIELD_KINDS; kind++)
        match->number[kind] = -1;
    for (uint32_t p = 0;; p++) {
        size_t literal = self->part[p].size;
        field kind = self->part[p].kind;
        if ((size_t)(end - at) < literal || memcmp(at, self->text + self->part[p].begin, literal) != 0)
            return false;
        at += literal;
        if (kind == FIELD_END)
            return at == end;
        if (kind == FIELD_PAYLOAD) {
            if (at == end || *at++ != '"')
                return false;
            match->payload = at;
            at = memchr(at, '"', (size_t)(end - at));
            if (at == NULL)
                return false;
            match->payload_size = (size_t)(at++ - match->payload);
        } else {
            at = match_number(at, end, &match->number[kind]);
            if (at == NULL)
                return false;
        }
    }
}
