# The C types of carrier_buffer.py, which is compiled with them (setup.py) and also runs without.

cdef double _UNKNOWN_MS


cdef class CarrierBuffer:
    cdef bint _marks, _trimming
    cdef double _way_ms, _least_ms, _own_max_ms, _trimmed_ms
    cdef long long _updated_ns
    cdef Py_ssize_t _message_ms, _generation, _sequence, _since_mark_ms
    cdef readonly dict _out
    cdef object _last

    cpdef sent(self, Py_ssize_t duration_ms, long long now_ns)
    cpdef double excess_ms(self, long long now_ns, double round_trip_ms, double collected_ms=*) except? -1
    cdef double _way_now_ms(self, long long now_ns) except? -1
    cdef _run_down(self, long long now_ns)
