"""Owns the list of what is measured: every stream of the conformance cases, both ways, by the calls of the bridge."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from benchmarks import rivals
from benchmarks.signals import FRAME_MS, voiced_frame
from relay._codec import Decoder, Encoder, Resampler
from relay.conformance import Case
from relay.dev.bench.measure import Contender, Path, PathResult, measure
from relay.media.format import AudioFormat
from relay.providers.base import MediaAdapter
from tests.providers.all_cases import CASES

ROOM_RATE_HZ: Final = 16000
RELAY: Final = "relay"
CODEC: Final = "codec alone"
PARTS: Final = "json + base64 + audioop"
AUDIOOP: Final = "audioop"
FAINT: Final = "faint noise"

Way = Literal["fused", "direct"]


@dataclass(frozen=True, slots=True)
class Stream:
    """One direction of one carrier's stream in one format."""

    case: Case
    carrier: str
    """And which of its streams of this format, if there are several."""
    audio: str
    to_room: bool
    way: Way
    """Whether the codec reads or writes the message, or the adapter hands over the payload."""
    frames: int
    """Of 20 ms, in one message."""
    path: Path
    """One call moves a message."""


@dataclass(frozen=True, slots=True)
class StreamResult:
    """What was measured of a stream: ns for each frame, not for each message."""

    stream: Stream
    per_frame: PathResult


def measure_streams(rounds: int) -> list[StreamResult]:
    """Time every stream in turns, by CPU time: nothing in it waits for anything."""
    streams = list(all_streams())
    results = measure([stream.path for stream in streams], rounds, clock=time.thread_time)
    pairs = zip(streams, results, strict=True)
    return [StreamResult(stream, per_frame(result, stream.frames)) for stream, result in pairs]


def per_frame(result: PathResult, frames: int) -> PathResult:
    """Share out what a message took."""
    shares = {who: tuple(time_ns / frames for time_ns in turns) for who, turns in result.rounds_ns.items()}
    return PathResult(result.name, shares, result.missing)


def all_streams() -> Iterator[Stream]:
    """Every stream, first all towards the room; cases whose audio goes over the wire alike count once."""
    streams = list(_labelled())
    yield from (_to_room(label, case) for label, case in streams)
    for label, case in streams:
        yield _to_carrier(label, case, voiced_frame)
        if _changes(case, faint_noise):
            yield _to_carrier(f"{label}, {FAINT}", case, faint_noise)


def faint_noise(rate_hz: int, frame_ms: int) -> bytes:
    """Return PCM of a quiet line, a few steps high: samples of every small value, where a voice has few."""
    noise = np.random.default_rng(1).normal(0, 3, rate_hz * frame_ms // 1000)
    pcm: bytes = noise.round().astype("<i2").tobytes()
    return pcm


def _labelled() -> Iterator[tuple[str, Case]]:
    seen: dict[tuple[str, str], set[bytes]] = {}
    for case in CASES:
        name, audio = case.new_adapter().name, str(case.format)
        message = case.audio(_payload(case, FRAME_MS)).data
        alike = seen.setdefault((name, audio), set())
        if message not in alike:
            yield (str(case) if alike else name), case
        alike.add(message)


def _to_room(label: str, case: Case) -> Stream:
    adapter, audio = case.opened(), case.format
    frames = _frames_received(case)
    payload = _payload(case, frames * FRAME_MS)
    message = case.audio(payload).data
    own = Contender(RELAY, _receive(adapter, audio), (message,))
    if adapter.media_in is not None and _decodes_at_once(adapter, audio):
        # The bridge's one call, without anything around it.
        own = Contender(RELAY, _decoder(audio).push_message, (message, adapter.media_in))
    contenders = [own, Contender(CODEC, _decoder(audio).push, (payload,))]
    missing: list[str] = []
    is_text = adapter.capabilities.audio == "text"
    _add_rival(contenders, missing, lambda: rival_in(audio, is_text=is_text), is_text, message)
    return _stream(label, case, contenders, missing, to_room=True, frames=frames, fused=adapter.media_in is not None)


def _to_carrier(label: str, case: Case, sound: Callable[[int, int], bytes]) -> Stream:
    adapter, audio = case.opened(), case.format
    frames = adapter.frame_rule.frames(audio.size_bytes(FRAME_MS))
    pcm = sound(ROOM_RATE_HZ, frames * FRAME_MS)
    own = Contender(RELAY, _send(adapter, audio), (pcm,))
    if adapter.media_out is not None:
        own = Contender(RELAY, _encoder(audio).push_message, (pcm, adapter.media_out))
    contenders = [own, Contender(CODEC, _encoder(audio).push, (pcm,))]
    missing: list[str] = []
    is_text = adapter.capabilities.audio == "text"
    content = json.loads(case.opened().encode_audio(_encoder(audio).push(pcm))) if is_text else None
    _add_rival(contenders, missing, lambda: rival_out(audio, content), is_text, pcm)
    return _stream(label, case, contenders, missing, to_room=False, frames=frames, fused=adapter.media_out is not None)


def _stream(
    label: str,
    case: Case,
    contenders: Sequence[Contender],
    missing: Sequence[str],
    *,
    to_room: bool,
    frames: int,
    fused: bool,
) -> Stream:
    name = f"{label} {case.format} {'->' if to_room else '<-'} PCM16k"
    way: Way = "fused" if fused else "direct"
    return Stream(case, label, str(case.format), to_room, way, frames, Path(name, tuple(contenders), tuple(missing)))


def _add_rival(
    contenders: list[Contender],
    missing: list[str],
    make: Callable[[], rivals.FrameCall | None],
    is_text: bool,  # noqa: FBT001 - of the one call
    data: bytes,
) -> None:
    name = PARTS if is_text else AUDIOOP
    try:
        call = make()
    except rivals.Missing as reason:
        missing.append(f"{name}: {reason}")
        return
    if call is not None:
        contenders.append(Contender(name, call, (data,)))


# As relay.bridge.agent_to_room and relay.bridge.room_to_agent do it; tests/benchmarks/test_carriers.py compares.


def _decodes_at_once(adapter: MediaAdapter, audio: AudioFormat) -> bool:
    return adapter.capabilities.ordered or audio.rate_hz == ROOM_RATE_HZ


def _receive(adapter: MediaAdapter, audio: AudioFormat) -> rivals.FrameCall:
    """Frames out of their order are put in it before they are resampled."""
    template, payload_of = adapter.media_in, adapter.payload_of
    if template is None:
        push = _decoder(audio).push
        return lambda message: push(payload_of(message))
    resample = Resampler(audio.rate_hz, ROOM_RATE_HZ).push
    push_message = Decoder(audio.encoding, audio.rate_hz, audio.rate_hz).push_message
    return lambda message: resample(push_message(message, template) or b"")


def _send(adapter: MediaAdapter, audio: AudioFormat) -> rivals.FrameCall:
    push, encode_audio = _encoder(audio).push, adapter.encode_audio
    return lambda pcm: encode_audio(push(pcm))


def _decoder(audio: AudioFormat) -> Decoder:
    return Decoder(audio.encoding, audio.rate_hz, ROOM_RATE_HZ)


def _encoder(audio: AudioFormat) -> Encoder:
    return Encoder(audio.encoding, audio.rate_hz, ROOM_RATE_HZ)


# What a program without relay would do


def rival_in(audio: AudioFormat, *, is_text: bool) -> rivals.FrameCall | None:
    """Return a carrier's message -> PCM from the standard library; None if the message is the PCM."""
    steps = _steps(audio, "2lin", audio.rate_hz, ROOM_RATE_HZ)
    if is_text:
        return rivals.json_in(_chain(steps), json.loads, base64.b64decode)
    return _chain(steps) if steps else None


def rival_out(audio: AudioFormat, content: dict[str, dict[str, str]] | None) -> rivals.FrameCall | None:
    """Return PCM -> a carrier's message from the standard library; ``content`` is one, if it is JSON."""
    steps = _steps(audio, "lin2", ROOM_RATE_HZ, audio.rate_hz)[::-1]
    if content is None:
        return _chain(steps) if steps else None
    convert, media, dumps, encode64 = _chain(steps), content["media"], json.dumps, base64.b64encode

    def send(pcm: bytes) -> object:
        media["payload"] = encode64(convert(pcm)).decode()
        return dumps(content)

    return send


def _steps(audio: AudioFormat, by: str, in_rate_hz: int, out_rate_hz: int) -> list[rivals.FrameCall]:
    """First what is done to the carrier's bytes, then to the rate."""
    law = {"pcmu": "ulaw", "pcma": "alaw"}.get(audio.encoding)
    steps: list[rivals.FrameCall] = []
    if law is not None:
        steps.append(rivals.audioop_call(f"{law}2lin" if by == "2lin" else f"lin2{law}", 2))
    elif audio.encoding == "l16be":
        steps.append(rivals.audioop_call("byteswap", 2))
    if in_rate_hz != out_rate_hz:
        steps.append(rivals.ratecv(in_rate_hz, out_rate_hz))
    return steps


def _chain(steps: Sequence[rivals.FrameCall]) -> Callable[[bytes], bytes]:
    def convert(data: bytes) -> bytes:
        for step in steps:
            data = step(data)  # type: ignore[assignment]  # all of them return bytes
        return data

    return convert


# The messages


def _frames_received(case: Case) -> int:
    [event, *_] = [event for said in case.said for event in said if hasattr(event, "payload")]
    return round(case.format.duration_ms(len(event.payload)) / FRAME_MS)


def _payload(case: Case, duration_ms: int) -> bytes:
    audio = case.format
    return Encoder(audio.encoding, audio.rate_hz, audio.rate_hz).push(voiced_frame(audio.rate_hz, duration_ms))


def _changes(case: Case, sound: Callable[[int, int], bytes]) -> bool:
    """Whether the adapter sends other audio than what it is given: then its cost depends on the sound."""
    adapter, audio = case.opened(), case.format
    if adapter.capabilities.audio == "text":
        return False
    payload = _encoder(audio).push(sound(ROOM_RATE_HZ, FRAME_MS))
    return adapter.encode_audio(payload) != payload
