# The C types of outbox.py, which is compiled with them (setup.py) and also runs without.
# What is readonly or public here is so for who reads it, tests among them: there is no reading past a C type.

from relay.bridge.media_writer cimport MediaWriter

cdef double _UNKNOWN_MS


cdef class Outbox:
    cdef object _connection, _held, _on_written
    cdef MediaWriter _writer
    cdef bint _text
    cdef Py_ssize_t _message_ms, _message_bytes, _held_max
    cdef public Py_ssize_t _socket_max_ms
    cdef long long _asked_bytes, _written_then_bytes
    cdef readonly object stalled_since_ns, paused_since_ns
    cdef readonly Py_ssize_t pauses

    cpdef Py_ssize_t put(self, bytes message, long long now_ns) except -1
    cpdef double flush(self, long long now_ns) except? -1
    cdef _write(self, bytes message, long long read_ns, long long now_ns)
    cdef double _socket_ms(self) except? -1
    cdef double _audio_ms(self, double queued_bytes) except? -1
