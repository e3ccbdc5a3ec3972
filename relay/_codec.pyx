# cython: language_level=3
# boundscheck=False, wraparound=False: no Python sequence is indexed; the bounds of C arrays are checked beside them.
# cython: boundscheck=False, wraparound=False
# cdivision=True: no divisor here can be zero, and lengths are never negative.
# cython: cdivision=True
# embedsignature=True: help() and stubtest see the arguments.
# cython: embedsignature=True
"""
The native core: G.711, byte order, base64, rate conversion, mixing, re-timing and concealment, with their state; and
the frames of the WebSocket that audio comes and goes by.

Everything here is numbers and their state; the work is done in ``relay/native``, and this file is its Python face. PCM
is L16 mono, little-endian. An object serves one direction of one call and one thread at a time.

The GIL is never released. Beside one busy thread, handing it over costs 13 us a frame on average, fifty times the work
itself; and the longest push (``PUSH_MAX_BYTES``, 16 s at 8 kHz) takes 0.3 ms with AVX2, 4 ms on the portable path.
"""

import copy
import enum
import os

import orjson

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.object cimport PyObject
from cpython.sequence cimport PySequence_Fast, PySequence_Fast_GET_SIZE, PySequence_Fast_ITEMS
from cpython.unicode cimport PyUnicode_AsUTF8AndSize, PyUnicode_Check
from libc.math cimport INFINITY, log10
from libc.stdint cimport int16_t, int32_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

RATES_HZ = (8000, 16000, 24000, 48000)
ENCODINGS = ("pcmu", "pcma", "l16le", "l16be")
PROFILES = ("balanced", "low_delay", "high_quality")

cdef enum:
    MAX_BYTES = 1 << 18  # above what a carrier sends in one message (100 kB), below what would hold up an event loop
    SCRATCH_BYTES = 4096  # on the stack; a message of 40 ms at 48 kHz and less needs no heap
    SCRATCH_SAMPLES = 2064  # SCRATCH_BYTES and BASE64_SLACK

PUSH_MAX_BYTES = MAX_BYTES


cdef _check_choice(owner, what, value, choices):
    """Raise unless ``value`` is one of the choices and of their type."""
    if not isinstance(value, type(choices[0])) or value not in choices:
        where = "" if owner is None else f"{type(owner).__name__}: "
        raise ValueError(f"{where}expected {what} to be one of {', '.join(map(str, choices))}, got {value!r}")


include "native/template.pxi"
include "native/stream.pxi"
include "native/repair.pxi"
include "native/mixing.pxi"
include "native/websocket.pxi"


def instruction_sets():
    """Return the names of the instruction sets that this build and this processor have, best first."""
    names = []
    while kernels_at(len(names)) is not NULL:
        names.append(kernels_at(len(names)).name.decode())
    return tuple(names)


def instruction_set():
    """Return the name of the instruction set that new objects use."""
    return kernels_chosen().name.decode()


def use_instruction_set(name):
    """
    Let objects made from now on use ``name``, for tests and benchmarks: all sets give the same bytes.

    RELAY_INSTRUCTION_SET in the environment does the same at import.

    Raises:
        ValueError: ``name`` is not one of ``instruction_sets()``.
    """
    _check_choice(None, "instruction set", name, instruction_sets())
    kernels_choose(kernels_find(name.encode()))


if os.environ.get("RELAY_INSTRUCTION_SET"):  # set to nothing is not set
    use_instruction_set(os.environ["RELAY_INSTRUCTION_SET"])
