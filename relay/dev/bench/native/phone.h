/* One phone of a load: its clock, its socket, what it plays, and what is kept of it. */
#ifndef RELAY_BENCH_PHONE_H
#define RELAY_BENCH_PHONE_H

#include "phone_wire.h"
#include "phones.h"

enum { PHONE_MARKS = 16, PHONE_UNSENT_MAX = 1 << 20 };

typedef struct {
    const phones_plan *plan;
    int64_t start_ns; /* of the load: the moments of stalls count from it */
    const char *payloads;
    size_t payload_chars, payload_count;
    bool keep;
    phones_window window;
} load;

typedef struct {
    int64_t due_ns;
    uint32_t name_bytes;
    char name[WIRE_NAME_MAX + 1];
} phone_mark;

typedef struct {
    int fd;
    uint32_t index;
    bool has_ended;
    bool waits_to_write; /* what it wants to be told by epoll */
    char sid[PHONES_SID_MAX + 1];
    int64_t begin_ns, due_ns, release_ns;
    uint64_t frame; /* the next one to be said */
    uint64_t sequence;
    uint64_t keys;     /* where masking keys come from */
    int64_t played_ns; /* when all that has come will have been played */
    phone_mark marks[PHONE_MARKS];
    uint32_t mark_count;
    char *rest; /* a part of a frame that has come */
    size_t rest_bytes, rest_room;
    char *unsent;
    size_t unsent_bytes, unsent_room;
    phones_sent *sent;
    size_t sent_count, sent_room;
    phones_heard *heard;
    size_t heard_count, heard_room;
    uint8_t *bytes;
    size_t bytes_count, bytes_room;
} phone;

void phone_begin(phone *self, const load *of, int64_t begin_ns);
/* Says the frame that is due, at now_ns, and finds out when the next one is. An errno when the stream is over. */
int phone_say(phone *self, load *of, int64_t now_ns);
/* Takes what has come; `data` has room for rest_bytes before what was read. */
int phone_take(phone *self, load *of, const char *data, size_t data_bytes, int64_t now_ns);
int phone_write_unsent(phone *self);
int phone_say_stop(phone *self);
void phone_free(phone *self);

#endif
