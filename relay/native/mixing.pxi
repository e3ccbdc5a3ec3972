# Several runs of PCM as one, one after another, and how loud a run is. Included by _codec.pyx.


def mix(frames):
    """
    Return the sum of runs of L16 of one length, saturated once, at its end: their order does not matter.

    Args:
        frames: 1 to 4096 runs as ``bytes``; empty ones are as good as any. Not kept after return.

    Raises:
        ValueError: there is no run, or too many, or they differ in length, or end inside a sample.
    """
    cdef object runs = PySequence_Fast(frames, "mix: expected a sequence of bytes")
    cdef Py_ssize_t number, count = PySequence_Fast_GET_SIZE(runs), size
    cdef PyObject **items = PySequence_Fast_ITEMS(runs)
    if not 1 <= count <= MIX_MAX_RUNS:
        raise ValueError(f"mix: expected 1 to {MIX_MAX_RUNS} runs, got {count}")
    for number in range(count):
        if not PyBytes_CheckExact(<object>items[number]):
            raise TypeError(f"mix: expected runs of bytes, got {type(<object>items[number]).__name__}")
    size = len(<bytes>items[0])
    for number in range(count):
        if len(<bytes>items[number]) != size or size % 2:
            raise ValueError(
                "mix: expected runs of one length in whole samples of 2 bytes, got"
                f" {size} and {len(<bytes>items[number])} bytes"
            )
    cdef bytes out = PyBytes_FromStringAndSize(NULL, size)
    cdef int32_t sums[MIX_BLOCK]
    cdef Py_ssize_t begin = 0, samples
    while begin < size // 2:
        samples = min(size // 2 - begin, <Py_ssize_t>MIX_BLOCK)
        memset(sums, 0, sizeof(sums))
        for number in range(count):
            mix_add(sums, <const int16_t *>PyBytes_AS_STRING(<bytes>items[number]) + begin, samples)
        mix_pack(sums, samples, <int16_t *>PyBytes_AS_STRING(out) + begin)
        begin += samples
    return out


def crossfade(before, after):
    """
    Return ``after``, faded in over its beginning while ``before`` fades out; weights go straight from one to the other.

    Args:
        before: what would have come, L16; it sets the length of the fade.
        after: at least as long. Neither is kept after return.

    Raises:
        ValueError: ``before`` is longer than ``after`` or than 4800 samples, or either ends inside a sample.
    """
    cdef Py_buffer old, new
    cdef bytes out
    PyObject_GetBuffer(before, &old, PyBUF_SIMPLE)
    try:
        PyObject_GetBuffer(after, &new, PyBUF_SIMPLE)
        try:
            if old.len % 2 or new.len % 2 or old.len > new.len or old.len > 2 * CROSSFADE_MAX_SAMPLES:
                raise ValueError(
                    f"crossfade: expected at most {2 * CROSSFADE_MAX_SAMPLES} bytes before as many or more, in whole"
                    f" samples of 2 bytes, got {old.len} and {new.len} bytes"
                )
            out = PyBytes_FromStringAndSize(<const char *>new.buf, new.len)
            crossfade_run(old.buf, old.len // 2, <int16_t *>PyBytes_AS_STRING(out))
            return out
        finally:
            PyBuffer_Release(&new)
    finally:
        PyBuffer_Release(&old)


def level_dbfs(pcm):
    """
    Return the RMS level of a run of L16 in dB relative to a full-scale square wave (dBov of ITU-T G.100.1).

    A full-scale sine is at -3.01, a run of the lowest sample alone at 0, a square of the values 1 and -1 at -90.3;
    digital silence, and no samples at all, at ``-inf``.

    Args:
        pcm: any whole number of samples. Not kept after return.

    Raises:
        ValueError: ``pcm`` ends inside a sample.
    """
    cdef Py_buffer view
    cdef uint64_t squares
    PyObject_GetBuffer(pcm, &view, PyBUF_SIMPLE)
    try:
        if view.len % 2:
            raise ValueError(f"level_dbfs: expected whole samples of 2 bytes, got {view.len} bytes")
        squares = sum_of_squares(view.buf, view.len // 2)
        return 10 * log10(squares / (32768.0 * 32768.0 * (view.len // 2))) if squares else -INFINITY
    finally:
        PyBuffer_Release(&view)
