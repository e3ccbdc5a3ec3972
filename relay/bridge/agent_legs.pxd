# The C types of agent_legs.py, which is compiled with them (setup.py) and also runs without.
from relay.bridge.agent_leg cimport AgentLeg


cdef class AgentLegs:
    cdef object _room, _listener, _settings, _faults, _clock, _created_ns, _connected_ns, _tally, _closing
    cdef readonly AgentLeg current, latest
    cdef public object reconnecting_since_ns
