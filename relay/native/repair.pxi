# Repairs to a stream of PCM: drift by the sample, delay by the pitch period, gaps by concealment.
# Included by _codec.pyx.


def retime(pcm, change):
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
        fits = view.len % 2 == 0 and RETIME_MIN_SAMPLES <= samples <= RETIME_MAX_SAMPLES
        if not fits or type(change) is not int or change not in (-1, 1):
            raise ValueError(
                f"retime: expected {RETIME_MIN_SAMPLES} to {RETIME_MAX_SAMPLES} samples of 2 bytes and a change of"
                f" -1 or 1, got {view.len} bytes and {change!r}"
            )
        memcpy(aligned, view.buf, view.len)
        out = PyBytes_FromStringAndSize(NULL, view.len + 2 * change)
        kernels_chosen().retime(aligned, samples, change, <int16_t *>PyBytes_AS_STRING(out))
        return out
    finally:
        PyBuffer_Release(&view)


def shorten(pcm, at_most_samples, rate_hz, *, least_match=0.9):
    """
    Return the run with one pitch period taken out and the seam cross-faded; as it was if that would be heard.

    The lag at which the run's end resembles most what went before it, within 2.5 ms to 15 ms (or half the run) and
    ``at_most_samples``, is taken out if its normalised correlation is at least ``least_match``. The last sample stays
    the last, so that the next run joins.

    Args:
        pcm: 20 to 40 ms. Not kept after return.
        at_most_samples: what may be taken out.
        least_match: 0 to 1. Voiced speech and tones pass 0.9, as in NetEQ's "accelerate"; white noise stays below 0.6,
            and a sum of two parts of it that do not match is up to 3 dB too quiet in the middle of the seam. 0 always
            takes something out, if ``at_most_samples`` allows 2.5 ms.

    Raises:
        ValueError: ``rate_hz`` is not one of ``RATES_HZ``; ``pcm`` is of another length or ends inside a sample;
            ``at_most_samples`` is negative; ``least_match`` is not within 0 to 1.
    """
    cdef Py_buffer view
    cdef int16_t samples[SHORTEN_MAX_SAMPLES]
    cdef size_t left
    _check_choice(None, "shorten's rate_hz", rate_hz, RATES_HZ)
    if type(at_most_samples) is not int or at_most_samples < 0:
        raise ValueError(f"shorten: expected 0 or more samples at most, got {at_most_samples!r}")
    if not 0 <= least_match <= 1:
        raise ValueError(f"shorten: expected a least_match of 0 to 1, got {least_match!r}")
    cdef Py_ssize_t lowest = 2 * SHORTEN_MIN_MS * rate_hz // 1000, highest = 2 * SHORTEN_MAX_MS * rate_hz // 1000
    PyObject_GetBuffer(pcm, &view, PyBUF_SIMPLE)
    try:
        if not lowest <= view.len <= highest or view.len % 2:
            raise ValueError(
                f"shorten: expected {lowest} to {highest} bytes in whole samples of 2 bytes, got {view.len} bytes"
            )
        memcpy(samples, view.buf, view.len)
        left = shorten_run(samples, view.len // 2, min(at_most_samples, rate_hz), rate_hz, least_match)
        if left == <size_t>view.len // 2 and PyBytes_CheckExact(pcm):
            return pcm
        return PyBytes_FromStringAndSize(<const char *>samples, 2 * left)
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
            ValueError: ``pcm`` is empty, longer than ``PUSH_MAX_BYTES``, or ends inside a sample. The state is as it
                was.
        """
        cdef Py_buffer view
        cdef bytes out
        if PyBytes_CheckExact(pcm) and 0 < len(<bytes>pcm) <= MAX_BYTES and len(<bytes>pcm) % 2 == 0:
            if not conceal_in_gap(&self.state):  # nearly always: nothing to change, nothing to copy
                conceal_remember(&self.state, <const int16_t *>PyBytes_AS_STRING(pcm), len(<bytes>pcm) // 2)
                return pcm
        PyObject_GetBuffer(pcm, &view, PyBUF_SIMPLE)
        try:
            if view.len == 0 or view.len > MAX_BYTES or view.len % 2:
                raise ValueError(
                    f"Concealer: expected 1 to {MAX_BYTES} bytes in whole samples of 2 bytes, got {view.len} bytes"
                )
            out = PyBytes_FromStringAndSize(<const char *>view.buf, view.len)
            if conceal_in_gap(&self.state):
                conceal_resume(&self.state, <int16_t *>PyBytes_AS_STRING(out), view.len // 2)
            conceal_remember(&self.state, <const int16_t *>PyBytes_AS_STRING(out), view.len // 2)
            return out
        finally:
            PyBuffer_Release(&view)

    def conceal(self, samples):
        """
        Return the next ``samples`` samples of the gap.

        Raises:
            ValueError: fewer than one sample, or more than a second.
        """
        if type(samples) is not int or not 1 <= samples <= <int>self.rate_hz:
            raise ValueError(f"Concealer: expected 1 to {self.rate_hz} samples to conceal, got {samples!r}")
        cdef bytes out = PyBytes_FromStringAndSize(NULL, 2 * samples)
        conceal_fill(&self.state, samples, <int16_t *>PyBytes_AS_STRING(out))
        return out
