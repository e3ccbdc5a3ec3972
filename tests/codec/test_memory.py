"""A million frames leave nothing behind: no Python object, no heap block, no page."""

import gc
import itertools
import resource
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from relay._codec import (
    Concealer,
    Decoder,
    Encoder,
    Field,
    FrameScanner,
    MediaTemplate,
    Resampler,
    crossfade,
    level_dbfs,
    message_frame,
    mix,
    retime,
    shorten,
)

CALLS_PER_PATH = 85_000
FRAME, LONGER_FRAME = bytes(40), bytes(64)  # 20 samples: the state is carried as with 20 ms, in an eighth of the time
RUN, FRAMES = bytes(320), [FRAME, FRAME]
LONG_TEXT, LONG_PCM = "/" * 6000, bytes(17_000)  # decoded and encoded by way of the heap, not the stack
HEAP_PATHS = {"parse a message", "conceal", "decode a long payload", "encode a long payload", "refuse"}
GROWTH_BYTES = 1 << 20  # of a million calls; a leak of one byte a call would be as much

TEMPLATE = MediaTemplate({"event": "media", "media": {"payload": Field.PAYLOAD}})
MESSAGE = b'{"event":"media","media":{"payload":"' + b"/" * 40 + b'"}}'
FRAME_OF_CLIENT = b"\x81\xa8" + bytes(44)
REORDERED = b'{"media":{"payload":"' + b"/" * 40 + b'"},"event":"media"}'


def refused(push: Callable[[bytes], object], bad: bytes) -> None:
    try:
        push(bad)
    except ValueError:
        return
    raise AssertionError("bad input was taken")


def paths() -> dict[str, Callable[[], object]]:
    """Every way through the codec, each with a state of its own, bad input included."""
    up, down = Resampler(8000, 16000), Resampler(48000, 8000)
    decoder, fused, parsed = (Decoder("pcmu", 8000, 16000) for _ in range(3))
    encoder, sender = Encoder("pcma", 8000, 16000), Encoder("pcmu", 8000, 16000)
    concealer, refuser = Concealer(8000), Decoder("l16le", 8000, 16000)
    scanner = FrameScanner(65535)
    scanner.follow(b"\r\n\r\n")
    return {
        "take a frame": lambda: scanner.take(FRAME_OF_CLIENT),
        "write a frame": lambda: message_frame(MESSAGE, text=True),
        "up": lambda: up.push(FRAME),
        "down": lambda: down.push(FRAME),
        "decode": lambda: decoder.push_base64("/" * 40),
        "decode a message": lambda: fused.push_message(MESSAGE, TEMPLATE),
        "parse a message": lambda: parsed.push_message(REORDERED, TEMPLATE),
        "encode": lambda: encoder.push_base64(FRAME),
        "encode a message": lambda: sender.push_message(FRAME, TEMPLATE),
        "retime": lambda: retime(LONGER_FRAME, 1),
        "shorten": lambda: shorten(RUN, 160, 8000, least_match=0),
        "mix": lambda: mix(FRAMES),
        "fade": lambda: crossfade(FRAME, LONGER_FRAME),
        "level": lambda: level_dbfs(FRAME),
        "conceal": lambda: (concealer.conceal(20), concealer.push(FRAME)),
        "decode a long payload": lambda: decoder.push_base64(LONG_TEXT),
        "encode a long payload": lambda: sender.push_base64(LONG_PCM),
        "refuse": lambda: refused(refuser.push, b"odd"),
    }


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def run(calls: int) -> None:
    for path in paths().values():
        for _ in itertools.repeat(None, calls):
            path()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the process's size is read from Linux's /proc")
@pytest.mark.long
def test_a_million_frames_do_not_grow_the_process() -> None:
    run(1000)
    gc.collect()
    blocks, resident = sys.getallocatedblocks(), resident_bytes()
    run(CALLS_PER_PATH)
    gc.collect()
    assert len(paths()) * CALLS_PER_PATH >= 1_000_000
    assert sys.getallocatedblocks() - blocks <= 50  # the interpreter's own caches; a leak would be 85,000
    assert resident_bytes() - resident <= GROWTH_BYTES


def test_streams_made_and_dropped_leave_nothing() -> None:
    """Their filter history is on the C heap, where only the process's size shows it."""

    def churn(times: int) -> None:
        for _ in range(times):
            Resampler(48000, 8000, profile="high_quality")
            Concealer(48000)  # 9 kB

    churn(100)
    before = resident_bytes()
    churn(20_000)
    assert resident_bytes() - before <= GROWTH_BYTES


@pytest.mark.parametrize("path", sorted(paths().keys() - HEAP_PATHS - {"level"}))  # a float, of Python's free ones
def test_a_call_allocates_its_result_and_no_more(path: str) -> None:
    """The peak that tracemalloc sees is of Python objects and PyMem_Malloc together."""
    call = paths()[path]
    call()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        result = call()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0 < peak - before <= sys.getsizeof(result) + 64
