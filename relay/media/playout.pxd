# The C types of playout.py, which is compiled with them (setup.py) and also runs without.
from relay.media.frame_queue cimport FrameQueue
from relay.media.jitter cimport Jitter
from relay.media.latency cimport LatencyHistogram

cdef double _DRAIN_ABOVE_MS, _DRAIN_TO_MS, _CUT_ABOVE_MS, _CUT_TO_MS, _SHORT_MS
cdef long long _SILENT_NS, _TICK_NS, _PULL_SLACK_NS
cdef int _CONCEALED_MS, _RETIME_MIN_BYTES


cdef class Playout:
    cdef readonly FrameQueue _queue
    cdef readonly Jitter _jitter
    cdef LatencyHistogram _wait
    cdef object _concealer, _drain, _drift
    cdef bytes _ready, _silence
    cdef Py_ssize_t _pull_bytes, _chunk_bytes, _fade_bytes, _fade_out_bytes
    cdef Py_ssize_t _dry_bytes, _concealed_bytes, _drained_bytes, _underruns, _retimed
    cdef long long _arrived_ns, _due_ns, _next_ns, _pull_ns, _tick_ns
    cdef double _drain_above_ms, _ms_per_byte, _offset_ms, _phase, _steer
    cdef bint _heard, _running
    cdef public bint played, started

    cpdef push(self, bytes pcm, long long now_ns, sequence=*)
    cpdef bytes pull(self, long long now_ns)
    cdef bint _start(self, long long now_ns) except -1
    cdef bytes _take(self, long long now_ns, Py_ssize_t wanted_bytes)
    cdef bytes _retimed_by_steer(self, bytes pcm)
