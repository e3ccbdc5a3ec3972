/*
 * The floor: what carrying N calls costs when there is nothing but the kernel and the codec. One thread on one core,
 * one epoll; a read and a write for each frame. It obeys standard input as relay/dev/bench/server.py does: prints
 * {"port": N}, takes `freeze` and `begin` without an answer, and answers `end`. Built by benchmarks/peers/build.py.
 *
 * Use: floor [CORE]     the core to keep to, 0 if none is named
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "call.h"

enum { EVENTS = 256, COMMAND_BYTES = 256, BACKLOG = 4096 };

static char listening, commanding; /* what an event is of when it is of no call: their addresses */

static void fail(const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static void pin(int core)
{
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(core, &cores);
    if (sched_setaffinity(0, sizeof cores, &cores) != 0)
        fail("expected a core to keep to");
}

static int listen_on_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, BACKLOG) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        fail("expected a port to listen on");
    printf("{\"port\": %d}\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

static void watch(int epoll, int descriptor, void *of)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = of};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) != 0)
        fail("expected something that can be waited for");
}

static void accept_calls(int epoll, int listener)
{
    int descriptor, yes = 1;
    while ((descriptor = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        call *next = call_new(descriptor);
        if (next == NULL)
            fail("expected memory for a call");
        setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        watch(epoll, descriptor, next);
    }
}

static void hang_up(call *over)
{
    close(over->descriptor); /* epoll forgets it */
    call_free(over);
}

/* Obey whole lines, and keep the rest of them. False: nobody will say anything any longer. */
static bool obey(const call_counts *counts)
{
    static char commands[COMMAND_BYTES];
    static size_t kept;
    ssize_t got = read(STDIN_FILENO, commands + kept, sizeof commands - kept);
    if (got <= 0)
        return got < 0 && errno == EINTR;
    kept += (size_t)got;
    char *end;
    while ((end = memchr(commands, '\n', kept)) != NULL) {
        size_t line = (size_t)(end - commands) + 1;
        if (line == sizeof "end\n" - 1 && memcmp(commands, "end\n", line) == 0) {
            printf("{\"frames\": %llu, \"others\": %llu, \"dropped\": %llu}\n", (unsigned long long)counts->frames,
                   (unsigned long long)counts->others, (unsigned long long)counts->dropped);
            fflush(stdout);
        }
        kept -= line;
        memmove(commands, end + 1, kept);
    }
    return kept < sizeof commands;
}

int main(int argc, char **argv)
{
    call_counts counts = {0};
    pin(argc > 1 ? atoi(argv[1]) : 0);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        fail("expected an epoll");
    watch(epoll, STDIN_FILENO, &commanding);
    int listener = listen_on_loopback();
    watch(epoll, listener, &listening);
    for (bool going = true; going;) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            void *of = events[i].data.ptr;
            if (of == &listening)
                accept_calls(epoll, listener);
            else if (of == &commanding)
                going = obey(&counts);
            else if (!call_readable(of, &counts))
                hang_up(of);
        }
    }
    return EXIT_SUCCESS;
}
