# The C types of agent_leg.py, which is compiled with them (setup.py) and also runs without.
from relay.bridge.agent_to_room cimport AgentToRoom
from relay.bridge.room_to_agent cimport RoomToAgent


cdef class AgentLeg:
    cdef object __weakref__
    cdef object _adapter, _room_rate_hz, _listener, _settings, _faults, _clock, _tally, _bad_messages
    cdef object _said_last, _closed, _pinged_ns, _pongs_seen
    cdef bint _over
    cdef Py_ssize_t _not_of_room
    cdef readonly object connection, connected_ns
    cdef readonly AgentToRoom agent_to_room
    cdef readonly RoomToAgent room_to_agent

    cpdef text_received(self, bytes message, long long received_ns)
    cpdef binary_received(self, bytes message, long long received_ns)
