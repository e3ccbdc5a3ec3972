# The C types of latency.py, which is compiled with them (setup.py) and also runs without.
cimport cython

cdef int _UNIT_BITS, _EXACT_BITS, _STEPS, _BUCKETS, _LAST


@cython.locals(shift=cython.int)
cdef long long _upper_ns(long long bucket) except -1


cdef class LatencyHistogram:
    cdef unsigned int[256] _counts  # _BUCKETS
    cdef int _used
    cdef public long long count, max_ns

    @cython.locals(units=cython.longlong, shift=cython.int, bucket=cython.longlong)
    cpdef record(self, long long duration_ns)

    @cython.locals(bucket=cython.int, count=cython.longlong, left=cython.double)
    cpdef percentile_ms(self, percent)

    @cython.locals(bucket=cython.int)
    cpdef add(self, LatencyHistogram other)

    @cython.locals(bucket=cython.int)
    cpdef clear(self)
