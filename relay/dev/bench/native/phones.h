/*
 * The load: phones that speak Twilio's messages at a true 20 ms pace, from one thread with one epoll and one timerfd.
 *
 * One thread runs phones_run; every other function may be called from another one meanwhile.
 */
#ifndef RELAY_BENCH_PHONES_H
#define RELAY_BENCH_PHONES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PHONES_LATE_BUCKETS = 65536, /* of 1 us each; the last has all that is later */
    PHONES_SID_MAX = 64,
    PHONES_FRAME_NS = 20000000,
};

/* Nothing is sent from at_ns after the first frame of all, for for_ns; then what has waited, at once. */
typedef struct {
    int64_t at_ns, for_ns;
    uint32_t every; /* touches the phones whose index this divides */
} phones_stall;

typedef struct {
    int64_t jitter_ns; /* each frame waits for 0 to this, and for those before it */
    double speed;      /* 1.0001: the phones' clocks run 100 ppm fast */
    const phones_stall *stalls;
    size_t stall_count;
    int64_t burst_every_ns; /* how often one phone says several frames at once; 0: never */
    int64_t burst_ns;       /* so much is held back before */
    uint64_t seed;
} phones_plan;

/* Since the last phones_window. */
typedef struct {
    int64_t since_ns, until_ns;
    uint64_t sent, received, heard_bytes, marks, pings, clears, bytes_received;
    uint64_t blocked; /* frames that the kernel did not take at once: the server reads too slowly */
    uint32_t ended;   /* phones whose stream the server has ended, ever */
    int ended_error;  /* how the last of them did: an errno; ECONNRESET, when it closed */
    uint32_t open;    /* phones that talk now */
    int64_t late_max_ns;
    uint32_t late_us[PHONES_LATE_BUCKETS]; /* how often a frame was written so long after it was due to be */
} phones_window;

typedef struct {
    int64_t due_ns, written_ns; /* what the phone's own clock says; when it was written */
} phones_sent;

typedef struct {
    int64_t arrived_ns;
    uint64_t end; /* of its bytes, in everything that the phone has heard */
} phones_heard;

typedef struct phones phones;

/* payloads: base64 in frames of equal length, said in turn; not copied. NULL with errno when something is missing. */
phones *phones_new(const phones_plan *plan, const char *payloads, size_t payload_chars, size_t payload_count,
                   bool keep);
void phones_free(phones *self);

/*
 * A phone that talks from now on, on a socket whose handshake is done, and that is closed here. `rest` has come behind
 * the handshake's answer. Returns its index, or -1 with errno; the socket is then the caller's.
 */
int phones_add(phones *self, int fd, const char *sid, const void *rest, size_t rest_bytes, int64_t phase_ns);
/* Says `stop` and closes. False: there is no such phone, or it has ended. */
bool phones_hang_up(phones *self, uint32_t index);

/* Until phones_stop. 0, or an errno. */
int phones_run(phones *self);
void phones_stop(phones *self);
void phones_take_window(phones *self, phones_window *window);

/* What one phone has said and heard; to be asked for when phones_run has returned. */
size_t phones_sent_by(const phones *self, uint32_t index, const phones_sent **sent);
size_t phones_heard_by(const phones *self, uint32_t index, const phones_heard **heard, const uint8_t **bytes);
bool phones_has_ended(const phones *self, uint32_t index);

#endif
