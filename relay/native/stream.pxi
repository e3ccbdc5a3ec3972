# The streams: Resampler, Decoder and Encoder. Included by _codec.pyx.


cdef class _Stream:
    """What a resampler, a decoder and an encoder share: a stream of samples with its filter."""

    cdef stream stream
    cdef uint32_t in_rate_hz

    def __cinit__(self, *args, **kwargs):
        self.stream.kernels = kernels_chosen()
        self.stream.in_sample_bytes = self.stream.out_sample_bytes = 2  # L16, until an encoding says otherwise

    def __dealloc__(self):
        stream_close(&self.stream)

    def __sizeof__(self):
        """Return the bytes this object holds, its filter history included."""
        return type(self).__basicsize__ + stream_state_bytes(&self.stream)

    @property
    def delay_ms(self):
        """The filter's group delay in milliseconds; of ``low_delay`` at an eighth of the lower rate (1 kHz of 8)."""
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
            All that can be converted so far: in total ``floor(samples * out_rate_hz / in_rate_hz)`` samples, from the
            first push on. The delay is in the signal, never in the count.

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
        profile: "balanced" (linear phase), "low_delay" (minimum phase) or "high_quality" (linear phase, 200 Hz more of
            pass band). From 8 to 16 kHz they delay by 1.5, 0.2 (at 1 kHz) and 2.2 ms; the others are in docs/codec.md.

    Raises:
        ValueError: a rate or the profile is not one of these.
    """

    def __cinit__(self, in_rate_hz, out_rate_hz, *, profile="balanced"):
        _check_choice(self, "in_rate_hz", in_rate_hz, RATES_HZ)
        _check_choice(self, "out_rate_hz", out_rate_hz, RATES_HZ)
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
        stream_unpack_as(&self.stream, <_encoding><int>ENCODINGS.index(encoding))
        self.sequence = self.timestamp = -1
        self._open(rate_hz, out_rate_hz, profile)

    def reset(self):
        """Forget what has been pushed, and the numbers of the last message."""
        stream_reset(&self.stream)
        self.sequence = self.timestamp = -1

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

        A message that is the template byte for byte is never parsed. Any other is given to orjson, and taken if it has
        the template's literal values and fields at the same places: key order, white space, escapes and further keys
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
            if (
                template_match(&template.compiled, <const uint8_t *>view.buf, view.len, &match)
                and match.payload_size <= MAX_BYTES
            ):
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
        if not _read_fields(template.content, orjson.loads(bytes(memoryview(message))), found):
            return None
        pcm = self.push_base64(found[Field.PAYLOAD])
        self.sequence = found.get(Field.SEQUENCE, -1)
        self.timestamp = found.get(Field.TIMESTAMP, -1)
        return pcm

    cdef bytes _decoded(self, const uint8_t *text, size_t size):
        """The PCM of a base64 text; None, and nothing done, if it is not base64."""
        cdef int16_t scratch[SCRATCH_SAMPLES]  # not bytes: L16 goes to an even address
        cdef uint8_t *payload = <uint8_t *>scratch
        cdef size_t decoded = size // 4 * 3
        if size % 4:
            return None
        if size:
            decoded -= (text[size - 1] == b"=") + (text[size - 1] == b"=" and text[size - 2] == b"=")
        if decoded > SCRATCH_BYTES:
            if decoded > MAX_BYTES:
                self._samples(decoded)  # says what is wrong
            payload = <uint8_t *>PyMem_Malloc(decoded + BASE64_SLACK)
            if payload is NULL:
                raise MemoryError
        try:
            # Only a text that is base64 has a size to complain of: an escaped one is given to the parser first.
            if not self.stream.kernels.base64_decode(text, size, payload):
                return None
            return self._run(payload, self._samples(decoded))
        finally:
            if payload is not <uint8_t *>scratch:
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
        stream_pack_as(&self.stream, <_encoding><int>ENCODINGS.index(encoding))
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
        cdef int16_t scratch[SCRATCH_SAMPLES]  # not bytes: L16 goes to an even address
        cdef uint8_t *payload = <uint8_t *>scratch
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
            if payload is not <uint8_t *>scratch:
                PyMem_Free(payload)
