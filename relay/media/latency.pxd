# The C types of latency.py, which is compiled with them (setup.py) and also runs without.

cdef int _UNIT_BITS, _EXACT_BITS, _STEPS, _BUCKETS, _LAST


cdef class LatencyHistogram:
    cdef list _counts
    cdef public long long max_ns

    cpdef record(self, long long duration_ns)
    cpdef add(self, LatencyHistogram other)
