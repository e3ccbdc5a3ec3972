/* The server's half of a WebSocket's opening (RFC 6455, 4.2). */
#ifndef FLOOR_HANDSHAKE_H
#define FLOOR_HANDSHAKE_H

#include <stddef.h>
#include <stdint.h>

enum { HANDSHAKE_ANSWER_BYTES = 256 /* an answer has less */ };

/*
 * Answer a request whose head is `size` bytes, the empty line included. Returns the bytes written to `answer`; 0: the
 * request has no key of 24 characters.
 */
size_t handshake_answer(const uint8_t *head, size_t size, char *answer);

#endif
