# The C types of loopback.py, which is compiled with them (setup.py) and also runs without.
from relay.rooms.device_clock cimport Ticks
from relay.rooms.gate cimport ListenerGate


cdef class LoopbackRoom:
    cdef object __weakref__
    cdef readonly Py_ssize_t rate_hz, microphone_ptime_ms
    cdef readonly dict participants
    cdef object _speech, _speaker, _microphone, _clock, _join_error, _woken
    cdef Py_ssize_t _frame_bytes, _drift_ppm, _join_delay_ms, _missed, _ticks_per_frame, _ticks_to_frame
    cdef ListenerGate _gate
    cdef Ticks _ticks
    cdef bint _is_left

    cpdef _tick(self, now_ns)  # passed on to those who take an object
