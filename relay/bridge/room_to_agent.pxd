# The C types of room_to_agent.py, which is compiled with them (setup.py) and also runs without.
from relay.bridge.media_writer cimport MediaWriter
from relay.bridge.outbox cimport Outbox
from relay.media.carrier_buffer cimport CarrierBuffer
from relay.media.latency cimport LatencyHistogram


cdef class RoomToAgent:
    cdef object _connection, _adapter, _audio, _encoder, _template, _faults, _clock, _drain, _tally
    cdef LatencyHistogram _own_time
    cdef MediaWriter _writer
    cdef CarrierBuffer _buffer
    cdef readonly Outbox outbox
    cdef bytes _pending
    cdef bint _text
    cdef Py_ssize_t _room_rate_hz, _message_frames, _message_ms, _frame_bytes, _whole_bytes
    cdef readonly Py_ssize_t frames_sent, frames_dropped, clears
    cdef readonly double trimmed_ms

    cpdef send(self, bytes frame, long long read_ns)
    cdef bytes _message(self, bytes whole)
    cdef _encode(self, bytes whole, long long now_ns)
    cdef bint _mark(self, name) except -1
