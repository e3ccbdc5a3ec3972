# The C types of device_clock.py, which is compiled with them (setup.py) and also runs without.

cdef class Ticks:
    cdef object _tick, _stopped
    cdef bint _running
    cdef public Py_ssize_t missed

    cpdef deliver(self, long long now_ns, Py_ssize_t due, Py_ssize_t missed)
