"""Owns the list of what is measured: every path of the codec, in every instruction set, with its rivals."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator
from itertools import permutations

import numpy as np

from benchmarks import rivals
from benchmarks.signals import pcmu_frame, voiced_frame
from relay._codec import (
    RATES_HZ,
    Concealer,
    Decoder,
    Encoder,
    Resampler,
    retime,
)
from relay.dev.bench.measure import OURS, Contender, Path, each_instruction_set
from relay.dev.bench.messages import TWILIO_IN, TWILIO_OUT, twilio_message

MESSAGE_IN = "Twilio media message -> PCM16k"
MESSAGE_OUT = "PCM16k -> Twilio media message"
DECODE = "PCMU 8k -> PCM16k"
ENCODE = "PCM16k -> PCMU 8k"
BASE64_DECODE = "base64 -> 162 bytes"
GOOD_FRAME = "concealer, good frame of 16k"
CONCEALED_FRAME = "concealer, lost frame of 16k and the cross-fade after it"
CONCEALED_THREE = "concealer, three lost frames of 16k and the cross-fade after them"
RETIME = "re-time 320 samples by one"

PIPECAT = "Pipecat TwilioFrameSerializer"
STDLIB = "json + base64 + audioop"
FAST_PARTS = "orjson + pybase64 + audioop + soxr VHQ"
SOXR_AUDIOOP = "audioop + soxr VHQ"
SOXR_VHQ = "soxr VHQ"
SOXR_MQ = "soxr MQ"
RATECV = "audioop.ratecv"

RivalMaker = Callable[[], Callable[..., object]]


def resample_name(in_rate_hz: int, out_rate_hz: int) -> str:
    """Return the name of the path between two rates."""
    return f"resample {in_rate_hz // 1000}k -> {out_rate_hz // 1000}k"


def g711_name(encoding: str, direction: str) -> str:
    """Return the name of the path that only encodes or decodes G.711."""
    return f"{encoding.upper()} {direction}, 160 samples"


def all_paths() -> Iterator[Path]:
    """Make every path, with fresh streams."""
    yield _message_in()
    yield _message_out()
    yield _decode()
    yield _encode()
    yield from map(_resample, permutations(RATES_HZ, 2))
    for encoding in ("pcmu", "pcma"):
        yield _g711_decode(encoding)
        yield _g711_encode(encoding)
    yield _byte_order()
    yield _base64_decode()
    yield _base64_encode()
    yield from _repairs()


def _path(
    name: str, ours: Callable[[], Callable[..., object]], args: tuple[object, ...], makers: dict[str, RivalMaker]
) -> Path:
    """Build ours once per instruction set, and the rivals whose packages are here."""
    contenders = [Contender(OURS + chosen, ours(), args) for chosen in each_instruction_set()]
    missing = []
    for rival, make in makers.items():
        try:
            contenders.append(Contender(rival, make(), args))
        except rivals.Missing as reason:
            missing.append(f"{rival}: {reason}")
    return Path(name, tuple(contenders), tuple(missing))


def _message_in() -> Path:
    makers: dict[str, RivalMaker] = {
        PIPECAT: rivals.pipecat_in,
        STDLIB: rivals.stdlib_in,
        FAST_PARTS: rivals.fast_parts_in,
    }
    message = twilio_message(pcmu_frame())
    path = _path(MESSAGE_IN, lambda: Decoder("pcmu", 8000, 16000).push_message, (message,), makers)
    # Only ours is told beforehand what the carrier sends.
    return _with_own_args(path, (message, TWILIO_IN))


def _message_out() -> Path:
    pcm = voiced_frame(16000)
    makers: dict[str, RivalMaker] = {
        PIPECAT: lambda: _ignoring_the_argument(rivals.pipecat_out(pcm)),
        STDLIB: rivals.stdlib_out,
        FAST_PARTS: rivals.fast_parts_out,
    }
    path = _path(MESSAGE_OUT, lambda: Encoder("pcmu", 8000, 16000).push_message, (pcm,), makers)
    return _with_own_args(path, (pcm, TWILIO_OUT))


def _with_own_args(path: Path, args: tuple[object, ...]) -> Path:
    own = tuple(Contender(who.name, who.call, args) if who.name.startswith(OURS) else who for who in path.contenders)
    return Path(path.name, own, path.missing)


def _ignoring_the_argument(call: Callable[[], object]) -> Callable[[object], object]:
    return lambda _: call()


def _decode() -> Path:
    makers: dict[str, RivalMaker] = {
        SOXR_AUDIOOP: lambda: rivals.then(rivals.audioop_call("ulaw2lin", 2), rivals.soxr_stream(8000, 16000, "VHQ")),
        "numpy table + soxr VHQ": lambda: rivals.then(
            rivals.numpy_table("pcmu", encode=False), rivals.soxr_stream(8000, 16000, "VHQ")
        ),
        "audioop, unfiltered": lambda: rivals.then(rivals.audioop_call("ulaw2lin", 2), rivals.ratecv(8000, 16000)),
    }
    return _path(DECODE, lambda: Decoder("pcmu", 8000, 16000).push, (pcmu_frame(),), makers)


def _encode() -> Path:
    makers: dict[str, RivalMaker] = {
        SOXR_AUDIOOP: lambda: rivals.then(rivals.soxr_stream(16000, 8000, "VHQ"), rivals.audioop_call("lin2ulaw", 2)),
        "soxr VHQ + numpy table": lambda: rivals.then(
            rivals.soxr_stream(16000, 8000, "VHQ"), rivals.numpy_table("pcmu", encode=True)
        ),
        "audioop, unfiltered": lambda: rivals.then(rivals.ratecv(16000, 8000), rivals.audioop_call("lin2ulaw", 2)),
    }
    return _path(ENCODE, lambda: Encoder("pcmu", 8000, 16000).push, (voiced_frame(16000),), makers)


def _resample(rates_hz: tuple[int, ...]) -> Path:
    in_rate_hz, out_rate_hz = rates_hz
    makers: dict[str, RivalMaker] = {
        SOXR_VHQ: lambda: rivals.soxr_stream(in_rate_hz, out_rate_hz, "VHQ"),
        SOXR_MQ: lambda: rivals.soxr_stream(in_rate_hz, out_rate_hz, "MQ"),
        RATECV: lambda: rivals.ratecv(in_rate_hz, out_rate_hz),
    }
    name = resample_name(in_rate_hz, out_rate_hz)
    return _path(name, lambda: Resampler(in_rate_hz, out_rate_hz).push, (voiced_frame(in_rate_hz),), makers)


def _g711_decode(encoding: str) -> Path:
    makers: dict[str, RivalMaker] = {
        "audioop": lambda: rivals.audioop_call({"pcmu": "ulaw2lin", "pcma": "alaw2lin"}[encoding], 2),
        "numpy table": lambda: rivals.numpy_table(encoding, encode=False),
    }
    ours = lambda: Decoder(encoding, 8000, 8000).push  # type: ignore[arg-type] # noqa: E731 # a str from the list above
    return _path(g711_name(encoding, "decode"), ours, (pcmu_frame(),), makers)


def _g711_encode(encoding: str) -> Path:
    makers: dict[str, RivalMaker] = {
        "audioop": lambda: rivals.audioop_call({"pcmu": "lin2ulaw", "pcma": "lin2alaw"}[encoding], 2),
        "numpy table": lambda: rivals.numpy_table(encoding, encode=True),
    }
    ours = lambda: Encoder(encoding, 8000, 8000).push  # type: ignore[arg-type] # noqa: E731 # a str from the list above
    return _path(g711_name(encoding, "encode"), ours, (voiced_frame(8000),), makers)


def _byte_order() -> Path:
    makers: dict[str, RivalMaker] = {
        "audioop.byteswap": lambda: rivals.audioop_call("byteswap", 2),
        "numpy byteswap": lambda: lambda pcm: np.frombuffer(pcm, np.int16).byteswap().tobytes(),
    }
    return _path(
        "L16 byte order, 320 samples", lambda: Decoder("l16be", 16000, 16000).push, (voiced_frame(16000),), makers
    )


def _base64_decode() -> Path:
    """L16 at equal rates is copied, so that push_base64 is base64 and nothing else."""
    text = base64.b64encode(voiced_frame(8000)[:162])
    makers: dict[str, RivalMaker] = {
        "binascii": rivals.binascii_decode,
        "pybase64": rivals.pybase64_decode,
    }
    return _path(BASE64_DECODE, lambda: Decoder("l16le", 8000, 8000).push_base64, (text,), makers)


def _base64_encode() -> Path:
    makers: dict[str, RivalMaker] = {
        "binascii": lambda: lambda data: binascii.b2a_base64(data, newline=False),
        "pybase64": lambda: rivals.package("pybase64").b64encode,
    }
    return _path(
        "162 bytes -> base64", lambda: Encoder("l16le", 8000, 8000).push_base64, (voiced_frame(8000)[:162],), makers
    )


def _repairs() -> Iterator[Path]:
    """The repairs choose no instruction set at run time; nothing in common use fills gaps, so that has no rival."""
    frame = voiced_frame(16000)
    concealer = Concealer(16000)
    yield Path(GOOD_FRAME, (Contender("relay", concealer.push, (frame,)),))
    yield Path(CONCEALED_FRAME, (Contender("relay", _lose, (Concealer(16000), 1, frame)),))
    yield Path(CONCEALED_THREE, (Contender("relay", _lose, (Concealer(16000), 3, frame)),))
    linear = Contender("numpy.interp, linear", rivals.linear_retime(1), (frame,))
    yield Path(RETIME, (Contender("relay", retime, (frame, 1)), linear))


def _lose(concealer: Concealer, frames: int, next_frame: bytes) -> bytes:
    """A gap of one frame is the dearest, for each: the search for the pitch, and the cross-fade, come once a gap."""
    for _ in range(frames):
        concealer.conceal(320)
    return concealer.push(next_frame)
