# The C types of agent_to_room.py, which is compiled with them (setup.py) and also runs without.
# What is readonly or public here is so for who reads it, tests among them: there is no reading past a C type.
from relay.media.latency cimport LatencyHistogram
from relay.media.playout cimport Playout


cdef class AgentToRoom:
    cdef object __weakref__
    cdef object _adapter, _profile, _decoder, _template, _clock, _tally, _resampler
    cdef LatencyHistogram _lateness, _own_time
    cdef readonly Playout _playout
    cdef Py_ssize_t _room_rate_hz, _microphone_ptime_ms
    cdef readonly Py_ssize_t _playout_rate_hz
    cdef long long _byte_ns
    cdef public long long last_audio_ns
    cdef public Py_ssize_t frames

    cpdef bytes pull(self, long long now_ns)
    cpdef take(self, bytes message, long long received_ns)
    cdef _push(self, bytes decoded, long long received_ns, long long sequence)
