# The C types of frame_queue.py, which is compiled with them (setup.py) and also runs without.

cdef class FrameQueue:
    cdef readonly object entries
    cdef public Py_ssize_t size_bytes
    cdef public Py_ssize_t received, lost, late, duplicate, overrun, overrun_bytes
    cdef Py_ssize_t _capacity_bytes, _repeated
    cdef object _next
    cdef object _gone

    cpdef push(self, bytes pcm, long long now_ns, sequence)
    cpdef tuple pop(self)
    cpdef put_back(self, bytes pcm)
    cpdef Py_ssize_t skip_gap(self, sequence, Py_ssize_t frame_bytes, Py_ssize_t covered_bytes) except -1
