# cython: language_level=3
# embedsignature=True: help() and stubtest see the arguments.
# cython: embedsignature=True
"""
The load generator's core: phones on a carrier's media WebSocket, in one thread without the GIL, and what they say.

The work is done in ``relay/dev/bench/native``; ``relay.dev.bench.phones`` has it in a process of its own.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.errno cimport errno
from libc.stdint cimport int16_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free

import os


cdef extern from "native/phones.h" nogil:
    enum:
        PHONES_LATE_BUCKETS
        PHONES_SID_MAX

    ctypedef struct phones_stall:
        int64_t at_ns
        int64_t for_ns
        uint32_t every

    ctypedef struct phones_plan:
        int64_t jitter_ns
        double speed
        const phones_stall *stalls
        size_t stall_count
        int64_t burst_every_ns
        int64_t burst_ns
        uint64_t seed

    ctypedef struct phones_window:
        int64_t since_ns, until_ns
        uint64_t sent, received, heard_bytes, marks, pings, clears, bytes_received, blocked
        uint32_t ended
        int ended_error
        uint32_t open
        int64_t late_max_ns
        uint32_t late_us[PHONES_LATE_BUCKETS]

    ctypedef struct phones_sent:
        int64_t due_ns
        int64_t written_ns

    ctypedef struct phones_heard:
        int64_t arrived_ns
        uint64_t end

    ctypedef struct phones:
        pass

    phones *phones_new(const phones_plan *plan, const char *payloads, size_t chars, size_t count, bint keep)
    void phones_free(phones *self)
    int phones_add(phones *self, int fd, const char *sid, const void *rest, size_t rest_bytes, int64_t phase_ns)
    bint phones_hang_up(phones *self, uint32_t index)
    int phones_run(phones *self)
    void phones_stop(phones *self)
    void phones_take_window(phones *self, phones_window *window)
    size_t phones_sent_by(const phones *self, uint32_t index, const phones_sent **sent)
    size_t phones_heard_by(const phones *self, uint32_t index, const phones_heard **heard, const uint8_t **data)
    bint phones_has_ended(const phones *self, uint32_t index)


cdef extern from "native/marker.h" nogil:
    enum:
        MARKER_NUMBERS

    ctypedef struct marker:
        double begin
        uint32_t number

    ctypedef struct marker_list:
        marker *found
        size_t count
        size_t unreadable

    void marker_write(uint32_t number, uint32_t rate_hz, int16_t *out)
    bint marker_read(const int16_t *pcm, size_t samples, uint32_t rate_hz, marker_list *found)


MARKERS = MARKER_NUMBERS


def marker_frame(uint32_t number, uint32_t rate_hz):
    """
    Return a frame of 20 ms that says a number, as L16.

    Raises:
        ValueError: the number or the rate is none of a marker.
    """
    if number >= MARKER_NUMBERS or rate_hz not in (8000, 16000, 24000, 48000):
        raise ValueError(
            f"marker_frame: expected a number below {MARKER_NUMBERS} and a rate, got {number} at {rate_hz} Hz"
        )
    frame = PyBytes_FromStringAndSize(NULL, rate_hz // 50 * 2)
    marker_write(number, rate_hz, <int16_t *>PyBytes_AS_STRING(frame))
    return frame


def read_markers(bytes pcm not None, uint32_t rate_hz):
    """
    Find the frames of markers in a run of L16 that need not begin with one.

    Returns:
        of each frame its number and where it begins, in samples, in order; and how many begin as frames do and cannot
        be read.

    Raises:
        ValueError: the rate is none of a marker, or the run ends inside a sample.
        MemoryError: there are too many.
    """
    cdef marker_list found
    cdef const int16_t *samples = <const int16_t *>PyBytes_AS_STRING(pcm)
    cdef size_t number, count = len(pcm) // 2
    cdef bint done
    if rate_hz not in (8000, 16000, 24000, 48000) or len(pcm) % 2:
        raise ValueError(f"read_markers: expected whole samples and a rate, got {len(pcm)} bytes at {rate_hz} Hz")
    with nogil:
        done = marker_read(samples, count, rate_hz, &found)
    try:
        if not done:
            raise MemoryError
        markers = [(found.found[number].number, found.found[number].begin) for number in range(found.count)]
        return markers, found.unreadable
    finally:
        free(found.found)


cdef class Phones:
    """
    Phones that say frames in turn, and take what comes.

    Args:
        payloads: what they say, in base64, one frame of 20 ms each and all of one length; then the first again.
        jitter_ns: each frame waits for between 0 and this, and for those before it.
        speed: of the phones' clocks: 1.0001 is 100 ppm fast.
        stalls: (at_ns, for_ns, every): nothing is sent from so long after the first frame for so long, then all at
            once; touches the phones whose index ``every`` divides.
        burst_every_ns: how often each phone holds back what it has for ``burst_ns``; 0: never.
        seed: of jitter, bursts and masking keys.
        keep: whether to keep what is said and heard.

    Raises:
        ValueError: there is nothing to say, or frames differ in length.
        OSError: no descriptor is left.
    """

    cdef phones *_phones
    cdef bytes _payloads
    cdef phones_stall *_stalls
    cdef uint32_t _count
    cdef bint _running

    def __cinit__(
        self, payloads, *, int64_t jitter_ns=0, double speed=1.0, stalls=(), int64_t burst_every_ns=0,
        int64_t burst_ns=0, uint64_t seed=0, bint keep=False
    ):
        cdef phones_plan plan
        cdef Py_ssize_t number
        chars = len(payloads[0]) if payloads else 0
        if not 0 < chars <= 4096 or any(len(each) != chars for each in payloads):
            raise ValueError("Phones: expected payloads of one length of 1 to 4096 characters")
        if not 0.5 <= speed <= 2 or jitter_ns < 0 or burst_ns < 0 or burst_every_ns < 0:
            raise ValueError(f"Phones: expected a speed near 1 and no negative times, got {speed}, {jitter_ns} ns")
        self._payloads = b"".join(payloads)
        self._stalls = <phones_stall *>calloc(max(1, len(stalls)), sizeof(phones_stall))
        if self._stalls == NULL:
            raise MemoryError
        for number, (at_ns, for_ns, every) in enumerate(stalls):
            if every < 1:
                raise ValueError(f"Phones: expected a stall of every 1st phone or fewer, got {every}")
            self._stalls[number] = phones_stall(at_ns, for_ns, every)
        plan = phones_plan(
            jitter_ns, speed, self._stalls, <size_t>len(stalls), burst_every_ns, burst_ns, seed
        )
        self._phones = phones_new(&plan, PyBytes_AS_STRING(self._payloads), chars, len(payloads), keep)
        if self._phones == NULL:
            raise OSError(errno, os.strerror(errno))

    def __dealloc__(self):
        if self._phones != NULL:
            phones_free(self._phones)
        free(self._stalls)

    def add(self, int descriptor, bytes stream_sid not None, bytes rest not None, int64_t phase_ns):
        """
        Let a phone talk on a socket whose handshake and ``start`` are done; return its index.

        Args:
            descriptor: is closed here from now on.
            stream_sid: of its messages.
            rest: what has come behind the answer to the handshake.
            phase_ns: how long after the others' beat it begins.

        Raises:
            ValueError: the id is too long.
            OSError: epoll does not take it; the descriptor is still the caller's.
        """
        if len(stream_sid) > PHONES_SID_MAX:
            raise ValueError(f"Phones.add: expected a stream_sid of at most {PHONES_SID_MAX} bytes, got {stream_sid!r}")
        cdef const char *sid = PyBytes_AS_STRING(stream_sid)
        cdef const char *data = PyBytes_AS_STRING(rest)
        cdef size_t size = len(rest)
        cdef int index
        with nogil:  # the thread in run() may hold the lock
            index = phones_add(self._phones, descriptor, sid, data, size, phase_ns)
        if index < 0:
            raise OSError(errno, os.strerror(errno))
        self._count += 1
        return index

    def hang_up(self, uint32_t index):
        """Say ``stop``, and close; False when that phone has ended before, or never was."""
        cdef bint was_there
        with nogil:
            was_there = phones_hang_up(self._phones, index)
        return was_there

    def run(self):
        """
        Talk and listen until ``stop``, without the GIL; everything else may be called from other threads meanwhile.

        Raises:
            RuntimeError: it runs already.
            OSError: memory or descriptors are at their end.
        """
        cdef int error
        if self._running:
            raise RuntimeError("Phones.run: expected one thread that runs, got another")
        self._running = True
        with nogil:
            error = phones_run(self._phones)
        self._running = False
        if error:
            raise OSError(error, os.strerror(error))

    def stop(self):
        """Make ``run`` return."""
        with nogil:
            phones_stop(self._phones)

    def window(self):
        """
        Return what was since the last call of this.

        Returns:
            the counts by name, and under ``late_us`` how often a frame was written how many us after it was due to
            be: ``{us: times}``, the last, 65535, having all that is later.
        """
        cdef phones_window *window = <phones_window *>calloc(1, sizeof(phones_window))
        if window == NULL:
            raise MemoryError
        try:
            with nogil:
                phones_take_window(self._phones, window)
            late_us = {each: window.late_us[each] for each in range(PHONES_LATE_BUCKETS) if window.late_us[each]}
            return {
                "since_ns": window.since_ns, "until_ns": window.until_ns, "sent": window.sent,
                "received": window.received, "heard_bytes": window.heard_bytes, "marks": window.marks,
                "pings": window.pings, "clears": window.clears,
                "bytes_received": window.bytes_received, "blocked": window.blocked, "ended": window.ended,
                "ended_error": window.ended_error, "open": window.open,
                "late_max_ns": window.late_max_ns, "late_us": late_us,
            }
        finally:
            free(window)

    def sent(self, uint32_t index):
        """
        Return what one phone has said: int64 pairs of when each frame was due and was written.

        Raises:
            RuntimeError: ``run`` has not returned.
            IndexError: there is no such phone.
        """
        cdef const phones_sent *sent = NULL
        self._check(index)
        cdef size_t count = phones_sent_by(self._phones, index, &sent)
        return PyBytes_FromStringAndSize(<const char *>sent, count * sizeof(phones_sent))

    def heard(self, uint32_t index):
        """
        Return what one phone has heard: int64 pairs of when each message came and where in the bytes it ends.

        Returns:
            the pairs, and the bytes: all payloads, one behind the other.

        Raises:
            RuntimeError: ``run`` has not returned.
            IndexError: there is no such phone.
        """
        cdef const phones_heard *heard = NULL
        cdef const uint8_t *data = NULL
        cdef Py_ssize_t size
        self._check(index)
        cdef size_t count = phones_heard_by(self._phones, index, &heard, &data)
        size = heard[count - 1].end if count else 0
        pairs = PyBytes_FromStringAndSize(<const char *>heard, count * sizeof(phones_heard))
        return pairs, PyBytes_FromStringAndSize(<const char *>data, size)

    def has_ended(self, uint32_t index):
        """
        Whether this phone's stream is over.

        Raises:
            RuntimeError: ``run`` has not returned.
            IndexError: there is no such phone.
        """
        self._check(index)
        return phones_has_ended(self._phones, index)

    def _check(self, uint32_t index):
        if self._running:
            raise RuntimeError("Phones: expected run() to have returned")
        if index >= self._count:
            raise IndexError(f"Phones: expected one of {self._count} phones, got {index}")
