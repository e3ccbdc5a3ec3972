# The C types of bridge_seat.py, which is compiled with them (setup.py) and also runs without.

cdef long long _PTIME_NS, _RING_NS, _NEVER_NS


cdef class Seat:
    cdef public str stream_id
    cdef public Py_ssize_t first
    cdef readonly object said_ns, taken_ns, taken
    cdef readonly list targets
    cdef readonly bint keeps
    cdef public object missed_ticks
    cdef tuple _frames
    cdef Py_ssize_t _said, _missed
    cdef long long _tick_ns, _due_ns, _asked_ns, _owed_ns

    cpdef bytes speak(self, long long now_ns)
    cdef _say(self)
