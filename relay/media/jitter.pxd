# The C types of jitter.py, which is compiled with them (setup.py) and also runs without.

cdef class Jitter:
    cdef double _start_ms, _min_ms, _max_ms, _more_ms
    cdef double _high_ms, _low_ms
    cdef object _highs_ms, _lateness_ms
    cdef public double fastest_ms, target_ms

    cpdef bint note(self, double early_ms) except -1
