# The C types of hearing.py, which is compiled with them (setup.py) and also runs without.
from relay.bridge.agent_leg cimport AgentLeg


cdef class Hearing:
    cdef object _rate_hz, _ringback, _in_room, _by_agent
    cdef public bint is_held, agent_hears_room
    cdef bint _is_room_away, _room_hears_agent

    cpdef bytes in_room(self, AgentLeg leg, long long now_ns)
    cpdef bytes by_agent(self, bytes room)
    cpdef bint is_in_room(self, AgentLeg leg) except -1
