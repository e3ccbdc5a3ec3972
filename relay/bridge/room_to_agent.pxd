# The C types of room_to_agent.py, which is compiled with them (setup.py) and also runs without.
# What is readonly or public here is so for who reads it, tests among them: there is no reading past a C type.
from relay.bridge.media_writer cimport MediaWriter
from relay.bridge.outbox cimport Outbox
from relay.media.carrier_buffer cimport CarrierBuffer
from relay.media.latency cimport LatencyHistogram


cdef class RoomToAgent:
    cdef public object _encoder
    cdef object _adapter, _audio, _room_pcm, _template, _faults, _clock, _drain, _tally
    cdef MediaWriter _writer
    cdef readonly Outbox outbox
    cdef readonly CarrierBuffer _buffer
    cdef LatencyHistogram _own_time
    cdef readonly bytes _pending
    cdef bint _text
    cdef Py_ssize_t _message_frames, _message_ms, _frame_bytes
    cdef readonly Py_ssize_t _whole_bytes
    cdef readonly Py_ssize_t frames_sent, frames_dropped, clears
    cdef readonly double trimmed_ms

    cpdef send(self, bytes frame, long long read_ns)
    cpdef bytes _message(self, bytes whole)
    cdef _encode(self, bytes whole, long long now_ns)
    cdef bint _mark(self, name) except -1
