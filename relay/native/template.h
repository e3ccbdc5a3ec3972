/*
 * One JSON message whose variable parts are known: its literal bytes in order, and the kind of value between them. A
 * message is the expected one when it has exactly these bytes, a run of digits where a number belongs, and text without
 * a quotation mark where the payload belongs. Whatever differs is for a real parser.
 */
#ifndef RELAY_TEMPLATE_H
#define RELAY_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TEMPLATE_FIELDS = 15, NUMBER_DIGITS = 18 /* of an int64, and then some */ };

/* The values stand for a field in a template's text: control bytes, which JSON never has unescaped. */
typedef enum { FIELD_END, FIELD_PAYLOAD, FIELD_SEQUENCE, FIELD_TIMESTAMP, FIELD_NUMBER, FIELD_KINDS } field;

typedef struct {
    const uint8_t *text; /* not owned */
    uint32_t fields;     /* without the end */
    struct {
        uint32_t begin, size; /* the literal before the field, in text */
        field kind;
    } part[TEMPLATE_FIELDS + 1];
} message_template;

typedef struct {
    const uint8_t *payload; /* base64, inside the message */
    size_t payload_size;
    int64_t number[FIELD_KINDS]; /* by field; -1: the message has none */
} message_match;

/* Cut the text at its field bytes. False: more than TEMPLATE_FIELDS fields. */
bool template_compile(message_template *self, const uint8_t *text, size_t size);

/* False: not exactly the expected message. */
bool template_match(const message_template *self, const uint8_t *message, size_t size, message_match *match);

#endif
