# cython: language_level=3
# boundscheck=False, wraparound=False: no Python sequence is indexed here; every C array is bounded by a check beside it.
# cython: boundscheck=False, wraparound=False
# cdivision=True: no divisor here can be zero, and lengths are never negative.
# cython: cdivision=True
# embedsignature=True: help() and stubtest see the arguments.
# cython: embedsignature=True
"""
The native core: G.711, byte order, base64, rate conversion, re-timing and concealment, with their state.

Everything here is numbers and their state; the work is done in ``relay/native``, and this file is its Python face. PCM is
L16 mono, little-endian. An object serves one direction of one call and one thread at a time. The GIL is never released:
no call works for more than a fraction of a millisecond (``PUSH_MAX_BYTES``), and beside one busy thread handing it
over costs 13 us a frame on average, a hundred times the work itself.
"""

import enum
import os

import orjson

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.unicode cimport PyUnicode_AsUTF8AndSize, PyUnicode_Check
from libc.stdint cimport int16_t, uint8_t, uint32_t
from libc.string cimport memcpy

RATES_HZ = (8000, 16000, 24000, 48000)
ENCODINGS = ("pcmu", "pcma", "l16le", "l16be")
PROFILES = ("balanced", "low_delay", "high_quality")

# Well above what a carrier sends in one message (Exotel: 100 kB), well below what would hold up an event loop.
PUSH_MAX_BYTES = 1 << 18

cdef enum:
    MAX_BYTES = 1 << 18
    SCRATCH_BYTES = 4096  # on the stack; a message of 40 ms at 48 kHz and less needs no heap


cdef class _Stream:
    """What a resampler, a decoder and an encoder share: a stream of samples with its filter."""

    cdef stream stream
    cdef uint32_t in_rate_hz

    def __dealloc__(self):
        stream_close(&self.stream)

    def __sizeof__(self):
        """Return the bytes this object holds, its filter history included."""
        return type(self).__basicsize__ + stream_state_bytes(&self.stream)

    @property
    def delay_ms(self):
        """The filter's group delay in milliseconds; for ``low_delay`` at an eighth of the lower rate (1 kHz of 8 kHz)."""
        if self.stream.table is NULL:
            return 0.0
        return self.stream.table.delay * 1000.0 / (self.stream.table.up * self.in_rate_hz)

    def reset(self):
        """Forget what has been pushed: the next push is the first of a new stream."""
        stream_reset(&self.stream)

    def push(self, data):
        """
        Convert the next run of samples; filter state carries over.

        Args:
            data: a bytes-like object of whole samples, 1 sample to ``PUSH_MAX_BYTES``. Not kept after return.

        Returns:
            All that can be converted so far. In total ``floor(samples * out_rate_hz / in_rate_hz)`` samples, from the first
            push on: the delay is in the signal, never in the count.

        Raises:
            ValueError: ``data`` is empty, too long, or ends inside a sample. The state is as it was.
        """
        cdef Py_buffer view
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            return self._run(<const uint8_t *>view.buf, self._samples(view.len))
        finally:
            PyBuffer_Release(&view)

    cdef _open(self, in_rate_hz, out_rate_hz, profile):
        _check_choice(self, "profile", profile, PROFILES)
        self.in_rate_hz = in_rate_hz
        if not stream_open(&self.stream, in_rate_hz, out_rate_hz, <fir_profile><int>PROFILES.index(profile)):
            raise MemoryError

    cdef Py_ssize_t _samples(self, Py_ssize_t size_bytes) except -1:
        if size_bytes == 0 or size_bytes > MAX_BYTES or size_bytes % self.stream.in_sample_bytes:
            raise ValueError(
                f"{type(self).__name__}: expected 1 to {MAX_BYTES} bytes in whole samples of"
                f" {self.stream.in_sample_bytes} bytes, got {size_bytes} bytes"
            )
        return size_bytes // self.stream.in_sample_bytes

    cdef bytes _run(self, const uint8_t *data, Py_ssize_t samples):
        cdef size_t out_samples = stream_out_samples(&self.stream, samples)
        cdef bytes out = PyBytes_FromStringAndSize(NULL, out_samples * self.stream.out_sample_bytes)
        stream_run(&self.stream, data, samples, <uint8_t *>PyBytes_AS_STRING(out))
        return out


cdef class Resampler(_Stream):
    """
    L16 at one rate -> L16 at another: any pair of ``RATES_HZ``.

    Args:
        in_rate_hz, out_rate_hz: of what is pushed and of what is returned. Equal rates copy.
        profile: "balanced" (linear phase, 1.5 ms), "low_delay" (minimum phase, 0.2 ms at 1 kHz) or "high_quality"
            (linear phase, 200 Hz more of pass band, 2.3 ms). Figures: docs/codec.md.

    Raises:
        ValueError: a rate or the profile is not one of these.
    """

    def __cinit__(self, in_rate_hz, out_rate_hz, *, profile="balanced"):
        _check_choice(self, "in_rate_hz", in_rate_hz, RATES_HZ)
        _check_choice(self, "out_rate_hz", out_rate_hz, RATES_HZ)
        self.stream.kernels = kernels_chosen()
        self.stream.in_sample_bytes = self.stream.out_sample_bytes = 2
        self._open(in_rate_hz, out_rate_hz, profile)


cdef class Decoder(_Stream):
    """
    A carrier's payload -> the room's PCM.

    Args:
        encoding: of the payload, one of ``ENCODINGS``.
        rate_hz: of the payload. G.711 is defined at 8000 Hz; other rates are taken as they are.
        out_rate_hz: of the PCM returned.
        profile: as for ``Resampler``.

    Raises:
        ValueError: a rate, the encoding or the profile is not a known one.
    """

    # The numbers of the last message that push_message took; -1: it had none.
    cdef readonly int64_t sequence
    cdef readonly int64_t timestamp

    def __cinit__(self, encoding, rate_hz, out_rate_hz, *, profile="balanced"):
        _check_choice(self, "encoding", encoding, ENCODINGS)
        _check_choice(self, "rate_hz", rate_hz, RATES_HZ)
        _check_choice(self, "out_rate_hz", out_rate_hz, RATES_HZ)
        self.stream.kernels = kernels_chosen()
        stream_unpack_as(&self.stream, <_encoding><int>ENCODINGS.index(encoding))
        self.stream.out_sample_bytes = 2
        self.sequence = self.timestamp = -1
        self._open(rate_hz, out_rate_hz, profile)

    def push_base64(self, text):
        """
        Convert the next payload, given as base64 (RFC 4648, padded), a str or bytes-like object.

        Returns and raises as ``push`` does; also ValueError if ``text`` is not base64.
        """
        cdef Py_buffer view
        cdef Py_ssize_t size = 0
        cdef const char *ascii
        cdef bytes pcm
        if PyUnicode_Check(text):
            ascii = PyUnicode_AsUTF8AndSize(text, &size)
            pcm = self._decoded(<const uint8_t *>ascii, size)
        else:
            PyObject_GetBuffer(text, &view, PyBUF_SIMPLE)
            try:
                size = view.len
                pcm = self._decoded(<const uint8_t *>view.buf, size)
            finally:
                PyBuffer_Release(&view)
        if pcm is None:
            raise ValueError(f"Decoder: expected base64, padded to a multiple of 4 characters, got {size} others")
        return pcm

    def push_message(self, message, MediaTemplate template not None):
        """
        Convert the payload of a carrier's JSON message; afterwards ``sequence`` and ``timestamp`` are the message's.

        A message that is the template byte for byte is never parsed. Any other is given to orjson, and taken if it has the
        template's literal values and fields at the same places: key order, white space, escapes and further keys
        are then free.

        Args:
            message: the whole text of the message, bytes-like, at most ``PUSH_MAX_BYTES`` of payload.
            template: what the carrier sends on this stream.

        Returns:
            As ``push``; None for any other JSON (another event, track, stream): the state is as it was.

        Raises:
            ValueError: ``message`` is not JSON, or its payload is not base64 of whole samples. The state is as it was.
        """
        cdef Py_buffer view
        cdef message_match match
        cdef bytes pcm = None
        PyObject_GetBuffer(message, &view, PyBUF_SIMPLE)
        try:
            if template_match(&template.compiled, <const uint8_t *>view.buf, view.len, &match):
                pcm = self._decoded(match.payload, match.payload_size)
        finally:
            PyBuffer_Release(&view)
        if pcm is None:
            return self._push_parsed(message, template)
        self.sequence = match.number[<int>FIELD_SEQUENCE]
        self.timestamp = match.number[<int>FIELD_TIMESTAMP]
        return pcm

    cdef _push_parsed(self, message, MediaTemplate template):
        found = {}
        if not _read_fields(template.content, orjson.loads(message), found):
            return None
        pcm = self.push_base64(found[Field.PAYLOAD])
        self.sequence = found.get(Field.SEQUENCE, -1)
        self.timestamp = found.get(Field.TIMESTAMP, -1)
        return pcm

    cdef bytes _decoded(self, const uint8_t *text, size_t size):
        """The PCM of a base64 text; None, and nothing done, if it is not base64."""
        cdef uint8_t scratch[SCRATCH_BYTES + BASE64_SLACK]
        cdef uint8_t *payload = scratch
        cdef size_t decoded = size // 4 * 3
        if size % 4:
            return None
        if size:
            decoded -= (text[size - 1] == b"=") + (text[size - 1] == b"=" and text[size - 2] == b"=")
        cdef Py_ssize_t samples = self._samples(decoded)
        if decoded > SCRATCH_BYTES:
            payload = <uint8_t *>PyMem_Malloc(decoded + BASE64_SLACK)
            if payload is NULL:
                raise MemoryError
        try:
            if not self.stream.kernels.base64_decode(text, size, payload):
                return None
            return self._run(payload, samples)
        finally:
            if payload is not scratch:
                PyMem_Free(payload)


cdef class Encoder(_Stream):
    """
    The room's PCM -> a carrier's payload.

    Args:
        encoding: of the payload, one of ``ENCODINGS``.
        rate_hz: of the payload.
        in_rate_hz: of the PCM pushed.
        profile: as for ``Resampler``.

    Raises:
        ValueError: a rate, the encoding or the profile is not a known one.
    """

    def __cinit__(self, encoding, rate_hz, in_rate_hz, *, profile="balanced"):
        _check_choice(self, "encoding", encoding, ENCODINGS)
        _check_choice(self, "rate_hz", rate_hz, RATES_HZ)
        _check_choice(self, "in_rate_hz", in_rate_hz, RATES_HZ)
        self.stream.kernels = kernels_chosen()
        stream_pack_as(&self.stream, <_encoding><int>ENCODINGS.index(encoding))
        self.stream.in_sample_bytes = 2
        self._open(in_rate_hz, rate_hz, profile)

    def push_base64(self, pcm):
        """Convert the next run of samples, as ``push``, and return the payload as base64 (ASCII bytes)."""
        return self._encoded(pcm, b"", b"")

    def push_message(self, pcm, MediaTemplate template not None):
        """
        Convert the next run of samples, as ``push``, and return the whole JSON message to send.

        Raises:
            ValueError: also if ``template`` has a field other than the payload; numbers that count what is sent
                are the caller's to write.
        """
        if template.compiled.fields != 1:
            raise ValueError(
                f"Encoder: expected a template whose only field is the payload, got {template.compiled.fields} fields"
            )
        return self._encoded(pcm, template.before_payload, template.after_payload)

    cdef bytes _encoded(self, pcm, bytes before, bytes after):
        cdef Py_buffer view
        cdef uint8_t scratch[SCRATCH_BYTES + BASE64_SLACK]
        cdef uint8_t *payload = scratch
        cdef size_t samples, size, text_size
        cdef bytes out
        cdef uint8_t *at
        PyObject_GetBuffer(pcm, &view, PyBUF_SIMPLE)
        try:
            samples = self._samples(view.len)
            size = stream_out_samples(&self.stream, samples) * self.stream.out_sample_bytes
            text_size = (size + 2) // 3 * 4
            out = PyBytes_FromStringAndSize(NULL, len(before) + text_size + len(after))
            if size > SCRATCH_BYTES:
                payload = <uint8_t *>PyMem_Malloc(size + BASE64_SLACK)
                if payload is NULL:
                    raise MemoryError
            stream_run(&self.stream, <const uint8_t *>view.buf, samples, payload)
            at = <uint8_t *>PyBytes_AS_STRING(out)
            memcpy(at, PyBytes_AS_STRING(before), len(before))
            self.stream.kernels.base64_encode(payload, size, at + len(before))
            memcpy(at + len(before) + text_size, PyBytes_AS_STRING(after), len(after))
            return out
        finally:
            PyBuffer_Release(&view)
            if payload is not scratch:
                PyMem_Free(payload)


class Field(enum.IntEnum):
    """Stands in a ``MediaTemplate`` where the value differs from message to message. A number may be a JSON string."""

    PAYLOAD = FIELD_PAYLOAD
    SEQUENCE = FIELD_SEQUENCE
    TIMESTAMP = FIELD_TIMESTAMP
    NUMBER = FIELD_NUMBER


cdef class MediaTemplate:
    """
    The JSON message by which one carrier moves audio on one stream, as a mapping with ``Field`` members in the places that
    vary. Keys come in the order in which the carrier writes them.

        MediaTemplate({"event": "media", "streamSid": sid, "media": {"track": "inbound", "payload": Field.PAYLOAD}})

    Raises:
        ValueError: not exactly one payload, a field twice (``Field.NUMBER`` excepted), or more than 15 fields.
        TypeError: a value that JSON does not have.
    """

    cdef message_template compiled
    cdef readonly dict content
    cdef bytes text
    cdef bytes before_payload
    cdef bytes after_payload

    def __cinit__(self, dict content not None):
        self.content = content
        self.text = orjson.dumps(_with_marks(content))
        fields = [Field(byte) for byte in self.text if 0 < byte < <int>FIELD_KINDS]
        unique = [field for field in fields if field is not Field.NUMBER]
        if fields.count(Field.PAYLOAD) != 1 or len(set(unique)) != len(unique) or len(fields) > TEMPLATE_FIELDS:
            raise ValueError(
                f"MediaTemplate: expected Field.PAYLOAD once, no other field twice and at most {TEMPLATE_FIELDS} fields,"
                f" got {[field.name for field in fields]}"
            )
        template_compile(&self.compiled, <const uint8_t *>PyBytes_AS_STRING(self.text), len(self.text))
        before, _, after = self.text.partition(bytes([Field.PAYLOAD]))
        self.before_payload = before + b'"'
        self.after_payload = b'"' + after


def _with_marks(value):
    """The content with each field as its control byte, unescaped, which no other value can have in JSON."""
    if isinstance(value, Field):
        return orjson.Fragment(bytes([value]))
    if isinstance(value, dict):
        return {key: _with_marks(item) for key, item in value.items()}
    return value


def _read_fields(expected, value, found):
    """Say whether ``value`` has the literals of ``expected``, and put its fields into ``found``."""
    if isinstance(expected, dict):
        return isinstance(value, dict) and all(
            key in value and _read_fields(item, value[key], found) for key, item in expected.items()
        )
    if not isinstance(expected, Field):
        return type(value) is type(expected) and value == expected
    if expected is Field.PAYLOAD:
        found[expected] = value
        return isinstance(value, str)
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:32])
    found[expected] = value
    return type(value) is int and 0 <= value < 10**18


def retime(pcm, int change):
    """
    Return the run of samples one sample longer (``change`` 1) or shorter (-1), heard in the same time.

    The read position drifts against the write position along a cubic ramp, so that nothing steps at either end, and the
    samples between are interpolated by a windowed sinc.

    Args:
        pcm: 32 to 4800 samples. Not kept after return.

    Raises:
        ValueError: ``change`` is neither, or ``pcm`` has another number of samples or ends inside one.
    """
    cdef Py_buffer view
    cdef int16_t aligned[RETIME_MAX_SAMPLES]
    cdef Py_ssize_t samples
    cdef bytes out
    PyObject_GetBuffer(pcm, &view, PyBUF_SIMPLE)
    try:
        samples = view.len // 2
        if change not in (-1, 1) or view.len % 2 or not RETIME_MIN_SAMPLES <= samples <= RETIME_MAX_SAMPLES:
            raise ValueError(
                f"retime: expected {RETIME_MIN_SAMPLES} to {RETIME_MAX_SAMPLES} samples of 2 bytes and a change of -1 or 1,"
                f" got {view.len} bytes and {change}"
            )
        memcpy(aligned, view.buf, view.len)
        out = PyBytes_FromStringAndSize(NULL, view.len + 2 * change)
        _retime(aligned, samples, change, <int16_t *>PyBytes_AS_STRING(out))
        return out
    finally:
        PyBuffer_Release(&view)


cdef class Concealer:
    """
    Fills the gaps of a stream of L16 by continuing its waveform, fading to silence within 60 ms.

    Give it every real frame through ``push`` and ask ``conceal`` for what is missing. No delay is added: the first
    real frame after a gap is cross-faded in over at most 10 ms.

    Raises:
        ValueError: ``rate_hz`` is not one of ``RATES_HZ``.
    """

    cdef concealer state
    cdef uint32_t rate_hz

    def __cinit__(self, rate_hz):
        _check_choice(self, "rate_hz", rate_hz, RATES_HZ)
        self.rate_hz = rate_hz
        if not conceal_open(&self.state, rate_hz):
            raise MemoryError

    def __dealloc__(self):
        conceal_close(&self.state)

    def __sizeof__(self):
        """Return the bytes this object holds, its history included."""
        return type(self).__basicsize__ + conceal_state_bytes(&self.state)

    def reset(self):
        """Forget what has been heard."""
        conceal_reset(&self.state)

    def push(self, pcm):
        """
        Take the next real samples and return them, faded in if a gap went before (the same object if it did not).

        Raises:
            ValueError: ``pcm`` is empty, longer than ``PUSH_MAX_BYTES``, or ends inside a sample. The state is as it was.
        """
        cdef Py_buffer view
        cdef bytes out
        PyObject_GetBuffer(pcm, &view, PyBUF_SIMPLE)
        try:
            if view.len == 0 or view.len > MAX_BYTES or view.len % 2:
                raise ValueError(
                    f"Concealer: expected 1 to {MAX_BYTES} bytes in whole samples of 2 bytes, got {view.len} bytes"
                )
            if PyBytes_CheckExact(pcm) and not conceal_in_gap(&self.state):
                out = pcm
            else:
                out = PyBytes_FromStringAndSize(<const char *>view.buf, view.len)
                if conceal_in_gap(&self.state):
                    conceal_resume(&self.state, <int16_t *>PyBytes_AS_STRING(out), view.len // 2)
            conceal_remember(&self.state, <const int16_t *>PyBytes_AS_STRING(out), view.len // 2)
            return out
        finally:
            PyBuffer_Release(&view)

    def conceal(self, int samples):
        """
        Return the next ``samples`` samples of the gap.

        Raises:
            ValueError: fewer than one sample, or more than a second.
        """
        if not 1 <= samples <= <int>self.rate_hz:
            raise ValueError(f"Concealer: expected 1 to {self.rate_hz} samples to conceal, got {samples}")
        cdef bytes out = PyBytes_FromStringAndSize(NULL, 2 * samples)
        conceal_fill(&self.state, samples, <int16_t *>PyBytes_AS_STRING(out))
        return out


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
    Let objects made from now on use ``name``, for tests and benchmarks: all sets give the same bytes. RELAY_INSTRUCTION_SET in
    the environment does the same at import.

    Raises:
        ValueError: ``name`` is not one of ``instruction_sets()``.
    """
    _check_choice(None, "instruction set", name, instruction_sets())
    kernels_choose(kernels_find(name.encode()))


cdef _check_choice(owner, what, value, choices):
    """Raise unless ``value`` is one of the choices and of their type: True is not 1."""
    if type(value) is not type(choices[0]) or value not in choices:
        where = "" if owner is None else f"{type(owner).__name__}: "
        raise ValueError(f"{where}expected {what} to be one of {', '.join(map(str, choices))}, got {value!r}")


if "RELAY_INSTRUCTION_SET" in os.environ:
    use_instruction_set(os.environ["RELAY_INSTRUCTION_SET"])
