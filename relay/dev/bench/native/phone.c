#include "phone.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "grow.h"

static uint64_t mixed(uint64_t value) /* splitmix64 */
{
    value += 0x9E3779B97F4A7C15u;
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9u;
    value = (value ^ value >> 27) * 0x94D049BB133111EBu;
    return value ^ value >> 31;
}

/* The same for one seed, phone and frame, whatever comes between. */
static int64_t jitter_ns(const phone *self, const phones_plan *plan)
{
    if (plan->jitter_ns == 0)
        return 0;
    uint64_t dice = mixed(plan->seed ^ mixed((uint64_t)self->index << 40 ^ self->frame));
    return (int64_t)((double)(dice >> 11) * 0x1p-53 * (double)plan->jitter_ns);
}

static int64_t held_by_burst_ns(const phone *self, const phones_plan *plan, int64_t since_ns)
{
    if (plan->burst_every_ns == 0)
        return 0;
    int64_t own = (int64_t)(mixed(plan->seed + 1 + self->index) % (uint64_t)plan->burst_every_ns);
    int64_t within = (since_ns + own) % plan->burst_every_ns;
    return within < plan->burst_ns ? plan->burst_ns - within : 0;
}

/* When the next frame is to be said, and when it is let go: in order, as TCP does it. */
static void schedule(phone *self, const load *of)
{
    const phones_plan *plan = of->plan;
    self->due_ns = self->begin_ns + (int64_t)((double)self->frame * PHONES_FRAME_NS / plan->speed);
    int64_t since_ns = self->due_ns - of->start_ns;
    int64_t release_ns = self->due_ns + jitter_ns(self, plan) + held_by_burst_ns(self, plan, since_ns);
    if (release_ns < self->release_ns)
        release_ns = self->release_ns;
    for (size_t each = 0; each < plan->stall_count; each++) {
        const phones_stall *stall = &plan->stalls[each];
        int64_t from_ns = of->start_ns + stall->at_ns;
        if (self->index % stall->every == 0 && release_ns >= from_ns && release_ns < from_ns + stall->for_ns)
            release_ns = from_ns + stall->for_ns;
    }
    self->release_ns = release_ns;
}

void phone_begin(phone *self, const load *of, int64_t begin_ns)
{
    self->begin_ns = begin_ns;
    self->sequence = 2; /* `start` was 1 */
    self->keys = mixed(self->index + of->plan->seed);
    schedule(self, of);
}

static int write_some(phone *self, const char *data, size_t data_bytes)
{
    while (data_bytes) {
        ssize_t count = send(self->fd, data, data_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno != EAGAIN)
            return errno;
        if (count < 0)
            break;
        data += count;
        data_bytes -= (size_t)count;
    }
    if (data_bytes)
        memmove(self->unsent, data, data_bytes); /* it may be in there */
    self->unsent_bytes = data_bytes;
    return 0;
}

int phone_write_unsent(phone *self) { return write_some(self, self->unsent, self->unsent_bytes); }

/* Whatever begins at content, behind WIRE_HEAD_MAX bytes. */
static int send_frame(phone *self, char *out, size_t content_bytes, uint8_t opcode)
{
    size_t frame_bytes;
    self->keys = mixed(self->keys);
    const char *frame = wire_close_frame(out, content_bytes, opcode, (uint32_t)self->keys | 1u, &frame_bytes);
    size_t need = self->unsent_bytes + frame_bytes;
    if (need > PHONE_UNSENT_MAX)
        return ENOBUFS; /* the server has read nothing for a minute */
    char *room = grow(self->unsent, &self->unsent_room, need, 1);
    if (room == NULL)
        return ENOMEM;
    self->unsent = room;
    if (self->unsent_bytes == 0)
        return write_some(self, frame, frame_bytes);
    memcpy(self->unsent + self->unsent_bytes, frame, frame_bytes);
    self->unsent_bytes = need;
    return 0;
}

static int say_marks(phone *self, load *of, int64_t now_ns)
{
    char out[WIRE_OWN_MAX];
    uint32_t done = 0;
    int error = 0;
    for (; done < self->mark_count && self->marks[done].due_ns <= now_ns && error == 0; done++) {
        size_t size = wire_mark(out + WIRE_HEAD_MAX, self->sequence++, self->marks[done].name, self->sid);
        error = send_frame(self, out, size, WIRE_TEXT);
        of->window.marks++;
    }
    if (done) {
        self->mark_count -= done;
        memmove(self->marks, self->marks + done, self->mark_count * sizeof *self->marks);
    }
    return error;
}

static void count_late(phones_window *window, int64_t late_ns)
{
    int64_t late_us = late_ns / 1000;
    window->late_us[late_us < PHONES_LATE_BUCKETS ? late_us : PHONES_LATE_BUCKETS - 1]++;
    if (late_ns > window->late_max_ns)
        window->late_max_ns = late_ns;
}

int phone_say(phone *self, load *of, int64_t now_ns)
{
    char out[WIRE_OWN_MAX];
    if (of->keep) {
        phones_sent *sent = grow(self->sent, &self->sent_room, self->sent_count + 1, sizeof *sent);
        if (sent == NULL)
            return ENOMEM;
        self->sent = sent;
        sent[self->sent_count++] = (phones_sent){self->due_ns, now_ns};
    }
    const char *payload = of->payloads + self->frame % of->payload_count * of->payload_chars;
    size_t size =
        wire_media(out + WIRE_HEAD_MAX, self->sequence++, self->frame + 1, payload, of->payload_chars, self->sid);
    int error = send_frame(self, out, size, WIRE_TEXT);
    of->window.sent++;
    of->window.blocked += self->unsent_bytes != 0;
    count_late(&of->window, now_ns - self->release_ns);
    self->frame++;
    schedule(self, of);
    return error ? error : say_marks(self, of, now_ns);
}

static int hear(phone *self, load *of, const char *payload, size_t chars, int64_t now_ns)
{
    size_t audio_bytes = chars * 3 / 4;
    for (size_t end = chars; end && payload[end - 1] == '='; end--)
        audio_bytes--;
    of->window.received++;
    of->window.heard_bytes += audio_bytes;
    int64_t from_ns = self->played_ns > now_ns ? self->played_ns : now_ns;
    self->played_ns = from_ns + (int64_t)audio_bytes * 125000; /* 8,000 bytes a second */
    if (!of->keep)
        return 0;
    uint8_t *bytes = grow(self->bytes, &self->bytes_room, self->bytes_count + chars, 1);
    phones_heard *heard = grow(self->heard, &self->heard_room, self->heard_count + 1, sizeof *heard);
    if (bytes != NULL)
        self->bytes = bytes;
    if (heard != NULL)
        self->heard = heard;
    if (bytes == NULL || heard == NULL)
        return ENOMEM;
    self->bytes_count += wire_decode_base64(payload, chars, bytes + self->bytes_count);
    heard[self->heard_count++] = (phones_heard){now_ns, self->bytes_count};
    return 0;
}

static int take_text(phone *self, load *of, const wire_frame *frame, int64_t now_ns)
{
    const char *value = NULL;
    size_t value_bytes = 0;
    switch (wire_read(frame->content, frame->content_bytes, &value, &value_bytes)) {
    case WIRE_MEDIA: return hear(self, of, value, value_bytes, now_ns);
    case WIRE_MARK:
        if (self->mark_count == PHONE_MARKS || value_bytes > WIRE_NAME_MAX)
            return EOVERFLOW;
        phone_mark *mark = &self->marks[self->mark_count++];
        *mark = (phone_mark){self->played_ns, (uint32_t)value_bytes, ""};
        memcpy(mark->name, value, value_bytes);
        return say_marks(self, of, now_ns);
    case WIRE_CLEAR:
        of->window.clears++;
        self->played_ns = now_ns;
        for (uint32_t each = 0; each < self->mark_count; each++)
            self->marks[each].due_ns = now_ns; /* they come back at once */
        return say_marks(self, of, now_ns);
    default: return 0;
    }
}

static int take_frame(phone *self, load *of, const wire_frame *frame, int64_t now_ns)
{
    if (frame->opcode == WIRE_TEXT)
        return take_text(self, of, frame, now_ns);
    if (frame->opcode == WIRE_CLOSE)
        return ECONNRESET;
    if (frame->opcode != WIRE_PING)
        return 0;
    char out[WIRE_HEAD_MAX + 126];
    if (frame->content_bytes > 125)
        return EPROTO;
    memcpy(out + WIRE_HEAD_MAX, frame->content, frame->content_bytes);
    of->window.pings++;
    return send_frame(self, out, frame->content_bytes, WIRE_PONG);
}

int phone_take(phone *self, load *of, const char *data, size_t data_bytes, int64_t now_ns)
{
    wire_frame frame;
    int taken, error = 0;
    while ((taken = wire_take(data, data_bytes, &frame)) == 1 && error == 0) {
        error = take_frame(self, of, &frame, now_ns);
        data += frame.frame_bytes;
        data_bytes -= frame.frame_bytes;
    }
    if (error || taken < 0)
        return error ? error : EPROTO;
    self->rest_bytes = data_bytes;
    if (data_bytes == 0)
        return 0;
    char *rest = grow(self->rest, &self->rest_room, data_bytes, 1);
    if (rest == NULL)
        return ENOMEM;
    self->rest = rest;
    memcpy(rest, data, data_bytes);
    return 0;
}

int phone_say_stop(phone *self)
{
    char out[WIRE_OWN_MAX];
    int error = send_frame(self, out, wire_stop(out + WIRE_HEAD_MAX, self->sequence++, self->sid), WIRE_TEXT);
    static const char normal[2] = {0x03, (char)0xE8}; /* 1000 */
    memcpy(out + WIRE_HEAD_MAX, normal, sizeof normal);
    return error ? error : send_frame(self, out, sizeof normal, WIRE_CLOSE);
}

void phone_free(phone *self)
{
    free(self->rest);
    free(self->unsent);
    free(self->sent);
    free(self->heard);
    free(self->bytes);
    free(self);
}
