"""
Owns the exact delays: an impulse through the fused paths, and a frame through a whole bridge, in samples.

What it takes for an impulse to come out is compared with a committed table: nothing here is measured by a clock.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Final, Literal, TypeAlias, get_args

from benchmarks.gate.frame_path import CARRIER_RATE_HZ, FRAME_MS, ROOM_RATE_HZ, FramePath
from relay._codec import RATES_HZ, Decoder, Encoder
from relay.dev.bench.messages import TWILIO_IN, TWILIO_OUT, twilio_message

Profile: TypeAlias = Literal["balanced", "low_delay", "high_quality"]
Encoding: TypeAlias = Literal["pcmu", "pcma", "l16le"]

_FRAMES: Final = 6
_AT_FRAME: Final = 2
_HEIGHT: Final = 20000


def all_delays() -> dict[str, str]:
    """Every delay of the codec, by name: the first sample that the impulse changes, the highest, and their centre."""
    return dict(_codec_delays())


def _codec_delays() -> Iterator[tuple[str, str]]:
    for rate_hz, pcm_rate_hz, profile in product(RATES_HZ, RATES_HZ, get_args(Profile)):
        for encoding in _encodings(rate_hz):
            yield f"{encoding} {rate_hz} -> {pcm_rate_hz} {profile}", _decoded(encoding, rate_hz, pcm_rate_hz, profile)
            yield f"{pcm_rate_hz} -> {encoding} {rate_hz} {profile}", _encoded(encoding, rate_hz, pcm_rate_hz, profile)


def _encodings(rate_hz: int) -> tuple[Encoding, ...]:
    return ("pcmu", "pcma") if rate_hz == CARRIER_RATE_HZ else ("l16le",)


def _decoded(encoding: Encoding, rate_hz: int, pcm_rate_hz: int, profile: Profile) -> str:
    encode = Encoder(encoding, rate_hz, rate_hz).push
    heard = []
    for frames in (_frames(rate_hz, 0), _frames(rate_hz, _HEIGHT)):
        push = Decoder(encoding, rate_hz, pcm_rate_hz, profile=profile).push_message
        heard.append(b"".join(push(twilio_message(encode(pcm)), TWILIO_IN) or b"" for pcm in frames))
    return _found(heard, pcm_rate_hz)


def _encoded(encoding: Encoding, rate_hz: int, pcm_rate_hz: int, profile: Profile) -> str:
    decode = Decoder(encoding, rate_hz, rate_hz).push
    heard = []
    for frames in (_frames(pcm_rate_hz, 0), _frames(pcm_rate_hz, _HEIGHT)):
        push = Encoder(encoding, rate_hz, pcm_rate_hz, profile=profile).push_message
        heard.append(b"".join(decode(payload_of(push(pcm, TWILIO_OUT))) for pcm in frames))
    return _found(heard, rate_hz)


def payload_of(message: bytes) -> bytes:
    """What a message of ours carries, which may have a WebSocket frame's header before it."""
    return base64.b64decode(json.loads(message[message.index(b"{") :])["media"]["payload"])


def _frames(rate_hz: int, height: int) -> list[bytes]:
    """Silence, and at the beginning of one frame a sample that is none."""
    size = rate_hz * FRAME_MS // 1000 * 2
    frames = [bytes(size)] * _FRAMES
    frames[_AT_FRAME] = height.to_bytes(2, "little", signed=True) + bytes(size - 2)
    return frames


def _found(heard: Sequence[bytes], rate_hz: int) -> str:
    """Of silence, and of the impulse."""
    begin = _AT_FRAME * rate_hz * FRAME_MS // 1000
    return described(differences(*heard), begin)


def differences(silent: bytes, heard: bytes) -> list[int]:
    """What the impulse is, sample by sample: silence itself need not be 0."""
    pairs = zip(memoryview(silent).cast("h"), memoryview(heard).cast("h"), strict=True)
    return [sample - zero for zero, sample in pairs]


def described(response: Sequence[int], begin: int) -> str:
    """The first sample that is changed, the highest, and their centre, all counted from ``begin``."""
    changed = [at for at, height in enumerate(response) if height]
    if not changed:
        return "nothing comes out"
    peak = max(changed, key=lambda at: abs(response[at]))
    centre = sum(at * response[at] for at in changed) / (sum(response) or 1)
    return f"first {changed[0] - begin}, peak {peak - begin}, centre {centre - begin:.2f}"


async def bridge_delays() -> dict[str, int]:
    """
    From a frame's arrival to where its first sample is heard, in samples of who hears it.

    In: with what the jitter buffer waits, on a stream without jitter. Out: what a message holds when it is written.
    """
    path = await FramePath.open()
    try:
        return {"in": _in(path), "out": _out(path)}
    finally:
        await path.close()


def _in(path: FramePath) -> int:
    """The room's sink is told the time at which it is given a sample; an impulse begins the frame that arrives now."""
    encode = Encoder("pcmu", CARRIER_RATE_HZ, CARRIER_RATE_HZ).push
    taken: list[tuple[int, bytes]] = []
    path.taken = lambda pcm, now_ns: taken.append((now_ns, pcm))
    arrived_ns = 0
    for number, pcm in enumerate(_frames(CARRIER_RATE_HZ, _HEIGHT) * 2):
        if number == _FRAMES + _AT_FRAME:
            arrived_ns = path.clock.now_ns()
        if number == _FRAMES:  # silence has come as far as the room
            taken.clear()
        quiet = number < _FRAMES and number == _AT_FRAME
        path.turn(path.frame(encode(bytes(len(pcm)) if quiet else pcm)))
    return _peak_ns(taken, ROOM_RATE_HZ, arrived_ns)


def _out(path: FramePath) -> int:
    said = iter(_frames(ROOM_RATE_HZ, 0) + _frames(ROOM_RATE_HZ, _HEIGHT))
    read_ns: list[int] = []

    def says(now_ns: int) -> bytes:
        read_ns.append(now_ns)
        return next(said)

    path.says = says
    decode = Decoder("pcmu", CARRIER_RATE_HZ, CARRIER_RATE_HZ).push
    written: list[tuple[int, bytes]] = []
    path.wire.written = lambda message: written.append((path.clock.now_ns(), decode(payload_of(message))))
    for _ in range(2 * _FRAMES):
        path.turn(path.frame(path.payloads[0]))
    return _peak_ns(written[_FRAMES:], CARRIER_RATE_HZ, read_ns[_FRAMES + _AT_FRAME])


def _peak_ns(given: Sequence[tuple[int, bytes]], rate_hz: int, since_ns: int) -> int:
    """Where the highest sample is heard, in samples since ``since_ns``."""
    loud = [(abs(height), now_ns, at) for now_ns, pcm in given for at, height in enumerate(memoryview(pcm).cast("h"))]
    height, now_ns, at = max(loud, key=lambda each: each[0])
    if height < _HEIGHT // 10:
        raise RuntimeError(f"expected the impulse to be heard, got nothing above {height}")
    return (now_ns - since_ns) * rate_hz // 1_000_000_000 + at
