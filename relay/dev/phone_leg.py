"""Measure one simulated phone leg through the native core: level, aliases, delay, gaps and time per frame."""

from __future__ import annotations

import base64
import itertools
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from relay._codec import Concealer, Decoder, Encoder, Field, MediaTemplate, instruction_set

PHONE_HZ, ROOM_HZ = 8000, 16000
PTIME_MS = 20
FULL_SCALE = 32767
STREAM_ID = "MZ00000000000000000000000000000000"

FROM_CARRIER = MediaTemplate(
    {
        "event": "media",
        "sequenceNumber": Field.NUMBER,
        "media": {
            "track": "inbound",
            "chunk": Field.SEQUENCE,
            "timestamp": Field.TIMESTAMP,
            "payload": Field.PAYLOAD,
        },
        "streamSid": STREAM_ID,
    }
)
TO_CARRIER = MediaTemplate({"event": "media", "streamSid": STREAM_ID, "media": {"payload": Field.PAYLOAD}})


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured property of the leg."""

    what: str
    value: float
    unit: str


def pcm_of(samples: list[float]) -> bytes:
    """L16 little-endian of samples in full scale, -1 to 1."""
    return b"".join(round(sample * FULL_SCALE).to_bytes(2, "little", signed=True) for sample in samples)


def samples_of(pcm: bytes) -> list[float]:
    """Samples in full scale of L16 little-endian."""
    return [int.from_bytes(pcm[i : i + 2], "little", signed=True) / FULL_SCALE for i in range(0, len(pcm), 2)]


def tone(frequency_hz: float, rate_hz: int, *, seconds: float = 1.0, level: float = 0.5) -> list[float]:
    """A sine of ``level`` full scale."""
    return [level * math.sin(2 * math.pi * frequency_hz * n / rate_hz) for n in range(int(seconds * rate_hz))]


def level_db(samples: list[float], frequency_hz: float, rate_hz: int) -> float:
    """The level of one frequency in dB below full scale, by correlation with it; the signal has whole periods."""
    angle = 2 * math.pi * frequency_hz / rate_hz
    cosine = sum(s * math.cos(angle * n) for n, s in enumerate(samples))
    sine = sum(s * math.sin(angle * n) for n, s in enumerate(samples))
    return 20 * math.log10(max(2 * math.hypot(cosine, sine) / len(samples), 1e-9))


def frames(data: bytes, frame_bytes: int) -> Iterator[bytes]:
    """The whole frames of ``data``, in order."""
    yield from (data[at : at + frame_bytes] for at in range(0, len(data) - frame_bytes + 1, frame_bytes))


def carrier_messages(pcm: bytes) -> list[bytes]:
    """What the simulated carrier sends for 8 kHz PCM: PCMU in JSON, 20 ms a message."""
    encoder = Encoder("pcmu", PHONE_HZ, PHONE_HZ)
    return [
        orjson.dumps(
            {
                "event": "media",
                "sequenceNumber": str(chunk + 1),
                "media": {
                    "track": "inbound",
                    "chunk": str(chunk),
                    "timestamp": str(chunk * PTIME_MS),
                    "payload": encoder.push_base64(frame).decode(),
                },
                "streamSid": STREAM_ID,
            }
        )
        for chunk, frame in enumerate(frames(pcm, PHONE_HZ * PTIME_MS // 1000 * 2), start=1)
    ]


def agent_to_room(messages: list[bytes]) -> bytes:
    """Room PCM of the carrier's messages."""
    decoder = Decoder("pcmu", PHONE_HZ, ROOM_HZ)
    return b"".join(decoder.push_message(message, FROM_CARRIER) or b"" for message in messages)


def room_to_agent(pcm: bytes) -> bytes:
    """8 kHz PCM that the simulated phone hears of room PCM, through the messages that carry it."""
    encoder, phone = Encoder("pcmu", PHONE_HZ, ROOM_HZ), Decoder("pcmu", PHONE_HZ, PHONE_HZ)
    sent = [encoder.push_message(frame, TO_CARRIER) for frame in frames(pcm, ROOM_HZ * PTIME_MS // 1000 * 2)]
    return b"".join(phone.push(base64.b64decode(orjson.loads(message)["media"]["payload"])) for message in sent)


def arrival_ms(samples: list[float], rate_hz: int) -> float:
    """When the middle of a single pulse arrives: its centre of energy."""
    energy = [sample * sample for sample in samples]
    return 1000 * sum(n * e for n, e in enumerate(energy)) / (rate_hz * sum(energy))


def pulse(rate_hz: int, *, at_ms: float = 100.0) -> list[float]:
    """A 1 kHz burst under a Gaussian of 5 ms, centred on ``at_ms`` of 200 ms."""
    seconds = [n / rate_hz - at_ms / 1000 for n in range(rate_hz // 5)]
    return [0.5 * math.exp(-((t / 0.005) ** 2) / 2) * math.cos(2 * math.pi * 1000 * t) for t in seconds]


def gap_step_db() -> float:
    """The largest step of a 200 Hz tone over a concealed gap of 40 ms, in dB over the tone's own largest step."""
    whole = list(frames(pcm_of(tone(200, ROOM_HZ, seconds=0.2)), ROOM_HZ * PTIME_MS // 1000 * 2))
    concealer = Concealer(ROOM_HZ)
    heard = b"".join(
        concealer.conceal(len(frame) // 2) if number in (5, 6) else concealer.push(frame)
        for number, frame in enumerate(whole)
    )
    steps = [
        max(abs(b - a) for a, b in itertools.pairwise(signal))
        for signal in (samples_of(heard), samples_of(b"".join(whole)))
    ]
    return 20 * math.log10(steps[0] / steps[1])


def frame_us(messages: list[bytes], *, rounds: int = 20) -> float:
    """Microseconds of work for one frame in and one frame out, the best of several rounds."""
    decoder, encoder = Decoder("pcmu", PHONE_HZ, ROOM_HZ), Encoder("pcmu", PHONE_HZ, ROOM_HZ)
    best = math.inf
    for _ in range(rounds):
        started = time.perf_counter()
        for message in messages:
            encoder.push_message(decoder.push_message(message, FROM_CARRIER) or b"", TO_CARRIER)
        best = min(best, time.perf_counter() - started)
    return 1e6 * best / len(messages)


def measure() -> list[Figure]:
    """Run the simulated leg and return what was measured."""
    sent = level_db(tone(1000, PHONE_HZ), 1000, PHONE_HZ)
    messages = carrier_messages(pcm_of(tone(1000, PHONE_HZ)))
    room = agent_to_room(messages)
    up = samples_of(room)
    down = samples_of(room_to_agent(pcm_of(tone(1000, ROOM_HZ))))[-PHONE_HZ // 2 :]
    alias = samples_of(room_to_agent(pcm_of(tone(5000, ROOM_HZ))))[-PHONE_HZ // 2 :]
    room_pulse = samples_of(agent_to_room(carrier_messages(pcm_of(pulse(PHONE_HZ)))))
    phone_pulse = samples_of(room_to_agent(pcm_of(pulse(ROOM_HZ))))
    return [
        Figure("messages of 20 ms from the carrier", len(messages), ""),
        Figure("bytes of room PCM for each of them", len(room) / len(messages), ""),
        Figure(
            "1 kHz, agent to room: level against what was sent",
            level_db(up[-ROOM_HZ // 2 :], 1000, ROOM_HZ) - sent,
            "dB",
        ),
        Figure("1 kHz, room to agent: level against what was sent", level_db(down, 1000, PHONE_HZ) - sent, "dB"),
        Figure(
            "5 kHz from the room, as an alias on the phone (one step: -72 dB)",
            level_db(alias, 3000, PHONE_HZ) - sent,
            "dB",
        ),
        Figure("delay agent to room", arrival_ms(room_pulse, ROOM_HZ) - arrival_ms(pulse(PHONE_HZ), PHONE_HZ), "ms"),
        Figure("delay room to agent", arrival_ms(phone_pulse, PHONE_HZ) - arrival_ms(pulse(ROOM_HZ), ROOM_HZ), "ms"),
        Figure("largest step across a concealed gap of 40 ms, over the tone's own", gap_step_db(), "dB"),
        Figure("one frame in and one out, JSON to JSON", frame_us(messages), "us"),
    ]


def main() -> None:
    """Print the figures."""
    print(f"One simulated phone leg: PCMU/8000 in JSON <-> L16/16000, instruction set {instruction_set()}\n")
    for figure in measure():
        print(f"  {figure.what:66} {figure.value:9.2f} {figure.unit}".rstrip())


if __name__ == "__main__":
    main()
