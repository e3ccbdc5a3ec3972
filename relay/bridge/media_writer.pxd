# The C types of media_writer.py, which is compiled with them (setup.py) and also runs without.

cdef class MediaWriter:
    cdef object _protocol, _round_trips_ms, _write
    cdef public long long written_bytes
    cdef public double round_trip_min_ms, round_trip_ms

    cpdef bint send(self, bytes message, bint text=*) except -1
