# The C types of joining.py, which is compiled with them (setup.py) and also runs without.

cdef class Joining:
    cdef object _met
    cdef readonly bint is_complete, was_complete
