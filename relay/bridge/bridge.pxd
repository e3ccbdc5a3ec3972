# The C types of bridge.py, which is compiled with them (setup.py) and also runs without.
from relay.bridge.hearing cimport Hearing


cdef class Bridge:
    cdef object __weakref__
    cdef object _room, _on_event, _settings, _clock, _log, _faults, _loop, _customer, _joining, _tick, _ended
    cdef object _created_ns, _checked_ns, _microphone
    cdef readonly object _legs, _teardown
    cdef Hearing _hearing

    cpdef bytes microphone_due(self, long long now_ns)
    cpdef speaker_frame(self, bytes pcm, long long now_ns)
