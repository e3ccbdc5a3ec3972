#define _GNU_SOURCE
#include "phones.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "grow.h"
#include "phone.h"

enum { EVENTS = 256, SAID_AT_ONCE = 64, READ_BYTES = 1 << 16, BEGIN_IN_NS = 5000000 };

/* The lock is held by the thread that runs whenever it does not sleep: what others ask for waits until then. */
struct phones {
    pthread_mutex_t lock;
    atomic_int asking; /* threads that want the lock: the one that runs never waits for long, and would take it again */
    int epoll, timer, wake;
    bool stop, has_started;
    int error;
    phones_plan plan;
    load load;
    phone **all;
    size_t count, all_room;
    phone **heap; /* by the time of the next frame; those that have ended are not in it */
    size_t heap_count, heap_room;
    char *buffer; /* the rest of a frame, and behind it what is read */
};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void ask(phones *self)
{
    atomic_fetch_add(&self->asking, 1);
    pthread_mutex_lock(&self->lock);
    atomic_fetch_sub(&self->asking, 1);
}

static bool watch(const phones *self, int fd, uint32_t events, void *of, int how)
{
    struct epoll_event event = {.events = events, .data.ptr = of};
    return epoll_ctl(self->epoll, how, fd, &event) == 0;
}

phones *phones_new(const phones_plan *plan, const char *payloads, size_t payload_chars, size_t payload_count, bool keep)
{
    phones *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    pthread_mutex_init(&self->lock, NULL);
    self->plan = *plan;
    self->load = (load){.plan = &self->plan,
                        .payloads = payloads,
                        .payload_chars = payload_chars,
                        .payload_count = payload_count,
                        .keep = keep};
    self->buffer = malloc(WIRE_FRAME_MAX + 16 + READ_BYTES);
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    self->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    self->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->buffer == NULL || self->epoll < 0 || self->timer < 0 || self->wake < 0 ||
        !watch(self, self->timer, EPOLLIN, &self->timer, EPOLL_CTL_ADD) ||
        !watch(self, self->wake, EPOLLIN, &self->wake, EPOLL_CTL_ADD)) {
        int error = errno;
        phones_free(self);
        errno = error;
        return NULL;
    }
    return self;
}

void phones_free(phones *self)
{
    for (size_t each = 0; each < self->count; each++) {
        if (!self->all[each]->has_ended)
            close(self->all[each]->fd);
        phone_free(self->all[each]);
    }
    int descriptors[] = {self->epoll, self->timer, self->wake};
    for (size_t each = 0; each < 3; each++)
        if (descriptors[each] > 0)
            close(descriptors[each]);
    free(self->all);
    free(self->heap);
    free(self->buffer);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

static void sift_down(phones *self, size_t at)
{
    phone **heap = self->heap, *moved = heap[at];
    for (size_t child; (child = 2 * at + 1) < self->heap_count; at = child) {
        if (child + 1 < self->heap_count && heap[child + 1]->release_ns < heap[child]->release_ns)
            child++;
        if (moved->release_ns <= heap[child]->release_ns)
            break;
        heap[at] = heap[child];
    }
    heap[at] = moved;
}

static void heap_add(phones *self, phone *added)
{
    size_t at = self->heap_count++;
    for (; at && self->heap[(at - 1) / 2]->release_ns > added->release_ns; at = (at - 1) / 2)
        self->heap[at] = self->heap[(at - 1) / 2];
    self->heap[at] = added;
}

static void heap_remove(phones *self, const phone *removed)
{
    size_t kept = 0;
    for (size_t each = 0; each < self->heap_count; each++)
        if (self->heap[each] != removed)
            self->heap[kept++] = self->heap[each];
    self->heap_count = kept;
    for (size_t at = kept / 2; at-- > 0;)
        sift_down(self, at);
}

static void end(phones *self, phone *ended)
{
    if (ended->has_ended)
        return;
    ended->has_ended = true;
    heap_remove(self, ended);
    close(ended->fd); /* epoll forgets it with that */
    self->load.window.open--;
}

/* After anything that a phone did: what went wrong ends its stream and no other. */
static void outcome(phones *self, phone *each, int error)
{
    if (error) {
        if (error == ENOMEM)
            self->error = error;
        if (!each->has_ended) {
            self->load.window.ended++;
            self->load.window.ended_error = error;
        }
        end(self, each);
    } else if ((each->unsent_bytes != 0) != each->waits_to_write) {
        each->waits_to_write = !each->waits_to_write;
        watch(self, each->fd, each->waits_to_write ? EPOLLIN | EPOLLOUT : EPOLLIN, each, EPOLL_CTL_MOD);
    }
}

static bool make_room(phones *self)
{
    phone **all = grow(self->all, &self->all_room, self->count + 1, sizeof *all);
    if (all != NULL)
        self->all = all;
    phone **heap = grow(self->heap, &self->heap_room, self->count + 1, sizeof *heap);
    if (heap != NULL)
        self->heap = heap;
    return all != NULL && heap != NULL;
}

int phones_add(phones *self, int fd, const char *sid, const void *rest, size_t rest_bytes, int64_t phase_ns)
{
    phone *added = calloc(1, sizeof *added);
    int index = -1;
    ask(self);
    if (added != NULL && make_room(self) && watch(self, fd, EPOLLIN, added, EPOLL_CTL_ADD)) {
        int64_t from_ns = now_ns() + BEGIN_IN_NS;
        added->fd = fd;
        added->index = (uint32_t)self->count;
        strncpy(added->sid, sid, PHONES_SID_MAX);
        if (self->has_started) /* else phones_run says when */
            phone_begin(added, &self->load, from_ns + phase_ns);
        else
            added->begin_ns = phase_ns;
        self->all[self->count] = added;
        index = (int)self->count++;
        self->load.window.open++;
        heap_add(self, added);
        outcome(self, added, phone_take(added, &self->load, rest, rest_bytes, from_ns));
    } else {
        free(added);
    }
    pthread_mutex_unlock(&self->lock);
    uint64_t one = 1;
    if (write(self->wake, &one, sizeof one) < 0)
        return -1;
    return index;
}

bool phones_hang_up(phones *self, uint32_t index)
{
    ask(self);
    bool is_there = index < self->count && !self->all[index]->has_ended;
    if (is_there) {
        phone_say_stop(self->all[index]);
        end(self, self->all[index]);
    }
    pthread_mutex_unlock(&self->lock);
    return is_there;
}

/*
 * Says what is due; returns when the next frame is, or 0 when nobody talks. Not more than some frames at a time: who
 * falls behind would never read again, nor answer whoever asks.
 */
static int64_t say_due(phones *self)
{
    for (int said = 0; self->heap_count; said++) {
        phone *next = self->heap[0];
        int64_t now = now_ns();
        if (next->release_ns > now || said == SAID_AT_ONCE)
            return next->release_ns;
        int error = phone_say(next, &self->load, now);
        sift_down(self, 0);
        outcome(self, next, error);
    }
    return 0;
}

static int read_some(phones *self, phone *from)
{
    char *data = self->buffer;
    if (from->rest_bytes)
        memcpy(data, from->rest, from->rest_bytes);
    ssize_t count = recv(from->fd, data + from->rest_bytes, READ_BYTES, MSG_DONTWAIT);
    if (count == 0)
        return ECONNRESET;
    if (count < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : errno;
    self->load.window.bytes_received += (uint64_t)count;
    return phone_take(from, &self->load, data, from->rest_bytes + (size_t)count, now_ns());
}

static void attend(phones *self, const struct epoll_event *event)
{
    uint64_t count;
    if (event->data.ptr == &self->timer)
        return; /* setting it anew makes it unreadable */
    if (event->data.ptr == &self->wake) {
        if (read(self->wake, &count, sizeof count) < 0)
            self->error = errno;
        return;
    }
    phone *each = event->data.ptr;
    int error = 0;
    if (!each->has_ended && event->events & EPOLLOUT)
        error = phone_write_unsent(each);
    if (!each->has_ended && error == 0 && event->events & ~(uint32_t)EPOLLOUT)
        error = read_some(self, each);
    outcome(self, each, error);
}

static void start(phones *self)
{
    self->has_started = true;
    self->load.start_ns = now_ns() + BEGIN_IN_NS;
    self->load.window.since_ns = now_ns();
    for (size_t each = 0; each < self->count; each++)
        phone_begin(self->all[each], &self->load, self->load.start_ns + self->all[each]->begin_ns);
    for (size_t at = self->heap_count / 2; at-- > 0;)
        sift_down(self, at);
}

int phones_run(phones *self)
{
    struct epoll_event events[EVENTS];
    pthread_mutex_lock(&self->lock);
    if (!self->has_started)
        start(self);
    while (!self->stop && self->error == 0) {
        int64_t next_ns = say_due(self);
        struct itimerspec deadline = {{0, 0}, {next_ns / 1000000000, next_ns % 1000000000}};
        timerfd_settime(self->timer, TFD_TIMER_ABSTIME, &deadline, NULL);
        pthread_mutex_unlock(&self->lock);
        while (atomic_load(&self->asking))
            sched_yield();
        int count = epoll_wait(self->epoll, events, EVENTS, -1);
        pthread_mutex_lock(&self->lock);
        for (int each = 0; each < count; each++)
            attend(self, &events[each]);
    }
    int error = self->error;
    pthread_mutex_unlock(&self->lock);
    return error;
}

void phones_stop(phones *self)
{
    uint64_t one = 1;
    ask(self);
    self->stop = true;
    if (write(self->wake, &one, sizeof one) < 0)
        self->error = errno;
    pthread_mutex_unlock(&self->lock);
}

void phones_take_window(phones *self, phones_window *window)
{
    ask(self);
    self->load.window.until_ns = now_ns();
    *window = self->load.window;
    self->load.window = (phones_window){
        .since_ns = window->until_ns,
        .until_ns = window->until_ns,
        .ended = window->ended,
        .ended_error = window->ended_error,
        .open = window->open,
    };
    pthread_mutex_unlock(&self->lock);
}

size_t phones_sent_by(const phones *self, uint32_t index, const phones_sent **sent)
{
    *sent = self->all[index]->sent;
    return self->all[index]->sent_count;
}

size_t phones_heard_by(const phones *self, uint32_t index, const phones_heard **heard, const uint8_t **bytes)
{
    *heard = self->all[index]->heard;
    *bytes = self->all[index]->bytes;
    return self->all[index]->heard_count;
}

bool phones_has_ended(const phones *self, uint32_t index) { return self->all[index]->has_ended; }
