"""
Owns the alternatives: what a Python program would call if this codec did not exist, each as its users set it up.

A rival is a function that builds one stream and returns the call that moves one frame. It raises ``Missing`` when its
package is not installed; the report then says so.
"""

from __future__ import annotations

import base64
import binascii
import importlib
import json
import types
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np

from relay._codec import Decoder, Encoder
from relay.dev.bench.messages import STREAM_SID

FrameCall = Callable[[bytes], object]


class Missing(Exception):
    """A rival cannot take part; the text says why."""


def package(name: str) -> types.ModuleType:
    """Import an optional package."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # audioop's that it will leave with Python 3.13, and what Pipecat brings
            return importlib.import_module(name)
    except ImportError as error:
        raise Missing(f"{name} is not installed ({error})") from None


def ratecv(in_rate_hz: int, out_rate_hz: int) -> FrameCall:
    """Return a stream through ``audioop.ratecv``: linear interpolation, no filter at all."""
    convert = package("audioop").ratecv
    state: object = None

    def push(pcm: bytes) -> object:
        nonlocal state
        out, state = convert(pcm, 2, 1, in_rate_hz, out_rate_hz, state)
        return out

    return push


def soxr_stream(in_rate_hz: int, out_rate_hz: int, quality: str) -> FrameCall:
    """Return a stream through soxr, bytes to bytes, as Pipecat ("VHQ") and LiveKit ("MQ") call it."""
    stream = package("soxr").ResampleStream(in_rate_hz, out_rate_hz, 1, quality=quality, dtype="int16")
    resample, frombuffer, int16 = stream.resample_chunk, np.frombuffer, np.int16

    def push(pcm: bytes) -> object:
        return resample(frombuffer(pcm, dtype=int16)).tobytes()

    return push


def then(first: FrameCall, second: Callable[[Any], object]) -> FrameCall:
    """Return one call that does both."""
    return lambda data: second(first(data))


def audioop_call(name: str, *args: int) -> FrameCall:
    """Return ``audioop.<name>(data, *args)``."""
    function = getattr(package("audioop"), name)
    return lambda data: function(data, *args)


def numpy_table(encoding: str, *, encode: bool) -> FrameCall:
    """Return G.711 by a table of its whole domain, looked up by numpy."""
    if encode:
        every = np.arange(65536).astype(np.uint16).tobytes()
        table = np.frombuffer(Encoder(encoding, 8000, 8000).push(every), np.uint8)  # type: ignore[arg-type] # a str here
        return lambda pcm: table[np.frombuffer(pcm, np.uint16)].tobytes()
    codes = bytes(range(256))
    decoded = np.frombuffer(Decoder(encoding, 8000, 8000).push(codes), np.int16)  # type: ignore[arg-type] # a str here
    return lambda payload: decoded[np.frombuffer(payload, np.uint8)].tobytes()


def json_in(convert: FrameCall, loads: Callable[[bytes], Any], decode64: Callable[[str], bytes]) -> FrameCall:
    """Return a media message -> PCM from its usual parts."""

    def receive(message: bytes) -> object:
        content = loads(message)
        if content["event"] != "media":
            return None
        return convert(decode64(content["media"]["payload"]))

    return receive


def json_out(
    convert: Callable[[bytes], Any], dumps: Callable[[object], object], encode64: Callable[[bytes], bytes]
) -> FrameCall:
    """Return PCM -> a media message from its usual parts."""

    def send(pcm: bytes) -> object:
        payload = encode64(convert(pcm)).decode()
        return dumps({"event": "media", "streamSid": STREAM_SID, "media": {"payload": payload}})

    return send


def stdlib_in() -> FrameCall:
    """Return a media message -> PCM16k by json, base64 and audioop."""
    return json_in(then(audioop_call("ulaw2lin", 2), ratecv(8000, 16000)), json.loads, base64.b64decode)


def stdlib_out() -> FrameCall:
    """Return PCM16k -> a media message by json, base64 and audioop."""
    return json_out(then(ratecv(16000, 8000), audioop_call("lin2ulaw", 2)), json.dumps, base64.b64encode)


def fast_parts_in() -> FrameCall:
    """Return a media message -> PCM16k by the fastest parts that also filter: orjson, pybase64, audioop, soxr."""
    convert = then(audioop_call("ulaw2lin", 2), soxr_stream(8000, 16000, "VHQ"))
    return json_in(convert, package("orjson").loads, package("pybase64").b64decode)


def fast_parts_out() -> FrameCall:
    """Return PCM16k -> a media message by the same parts."""
    convert = then(soxr_stream(16000, 8000, "VHQ"), audioop_call("lin2ulaw", 2))
    return json_out(convert, package("orjson").dumps, package("pybase64").b64encode)


def _finish(coroutine: Coroutine[object, object, object]) -> object:
    """
    Run to its end a coroutine that never waits, as Pipecat's serializers are: one ``send``, no event loop.

    That leaves out what a task switch costs, so it flatters the rival; making the StopIteration costs it some 60 ns.
    """
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise RuntimeError("expected a coroutine that ends without waiting, got one that waits")


def _pipecat_serializer() -> Any:
    twilio = package("pipecat.serializers.twilio").TwilioFrameSerializer
    params = twilio.InputParams(auto_hang_up=False, sample_rate=16000)
    serializer = twilio(STREAM_SID, params=params)
    _finish(serializer.setup(types.SimpleNamespace(audio_in_sample_rate=16000)))
    return serializer


def pipecat_in() -> FrameCall:
    """Return a media message -> PCM16k frame by Pipecat's own Twilio serializer."""
    deserialize = _pipecat_serializer().deserialize
    return lambda message: _finish(deserialize(message))


def pipecat_out(pcm: bytes) -> Callable[[], object]:
    """Return a PCM16k frame -> media message by Pipecat's own Twilio serializer."""
    serialize = _pipecat_serializer().serialize
    frame = package("pipecat.frames.frames").OutputAudioRawFrame(pcm, 16000, 1)
    return lambda: _finish(serialize(frame))


def binascii_decode() -> FrameCall:
    """Return the standard library's base64, without the wrapper."""
    return binascii.a2b_base64


def pybase64_decode() -> FrameCall:
    """Return pybase64 (libbase64, with SIMD) in its strict form."""
    decode = package("pybase64").b64decode
    return lambda text: decode(text, validate=True)


def linear_retime(change: int) -> FrameCall:
    """Return ``np.interp`` over the frame, one sample longer or shorter."""

    def push(pcm: bytes) -> object:
        samples = np.frombuffer(pcm, np.int16)
        at = np.linspace(0, len(samples) - 1, len(samples) + change)
        return np.interp(at, np.arange(len(samples)), samples).astype(np.int16).tobytes()

    return push
