# The C types of gate.py, which is compiled with them (setup.py) and also runs without.

cdef class ListenerGate:
    cdef object _listener, _log
    cdef bytes _silence
    cdef Py_ssize_t _microphone_bytes
    cdef readonly Py_ssize_t errors

    cpdef bytes microphone_due(self, long long now_ns)
    cpdef speaker_frame(self, pcm, long long now_ns)
