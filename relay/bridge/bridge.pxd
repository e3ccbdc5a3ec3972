# The C types of bridge.py, which is compiled with them (setup.py) and also runs without.
# What is readonly or public here is so for who reads it, tests among them: there is no reading past a C type.
from relay.bridge.agent_legs cimport AgentLegs
from relay.bridge.hearing cimport Hearing
from relay.bridge.joining cimport Joining


cdef class Bridge:
    cdef object __weakref__
    cdef object _room, _on_event, _settings, _clock, _log, _faults, _loop, _customer, _tick, _ended
    cdef object _created_ns, _checked_ns, _microphone
    cdef readonly object _teardown
    cdef readonly AgentLegs _legs
    cdef Hearing _hearing
    cdef Joining _joining
    cdef long long _asked_ns

    cpdef bytes microphone_due(self, long long now_ns)
    cpdef speaker_frame(self, bytes pcm, long long now_ns)
