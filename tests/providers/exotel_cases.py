"""Exotel's sessions at each rate and in each case, what its adapter takes as well, and what it refuses."""

from typing import Any

from relay.conformance import Case, Clear, Mark, Play, Step, read_session
from relay.conformance.mutations import compact
from relay.media.format import AudioFormat
from relay.providers.base import AudioReceived, DtmfReceived, Event, MarkReached, StreamStarted, StreamStopped
from relay.providers.exotel import ExotelAdapter
from tests.providers.samples import changed_sample

STREAM_ID = "a1b2c3d4e5f60718293a4b5c6d7e8f90"
SNAKE_CALL_ID, CAMEL_CALL_ID = "cf2b3f4a1d0e4c5b8a7962514d3e2f10", "f0e1d2c3b4a5968778695a4b3c2d1e0f"
RECEIVED, SENT = bytes(1600), bytes(3200)


def started(rate_hz: int) -> list[Event]:
    custom = {"leg": "agent-7", "token": "t0k3n"}
    return [StreamStarted(STREAM_ID, SNAKE_CALL_ID, AudioFormat("l16le", rate_hz), custom)]


def _snake_case(rate_hz: int) -> Case:
    received = AudioFormat("l16le", rate_hz).size_bytes(100)
    words = {'"8000"': f'"{rate_hz}"'}
    session = changed_sample("exotel_session.json", words, {RECEIVED: bytes(received)})
    steps: list[Step] = [
        [],  # connected
        started(rate_hz),
        *([AudioReceived(bytes(received), sequence, 100 * sequence)] for sequence in (1, 2, 3)),
        Play(SENT),
        Mark("m1"),
        [DtmfReceived("1", 100)],
        [MarkReached("m1")],
        Play(RECEIVED * 2),
        Clear(),
        [StreamStopped("callended")],
    ]
    return Case(new_adapter=ExotelAdapter, session=read_session(session), steps=steps, variant=f"{rate_hz} Hz")


def _camel_case() -> Case:
    session = read_session(changed_sample("exotel_camelcase_session.json", {}, {}))
    audio = AudioFormat("l16le", 8000)
    steps: list[Step] = [
        [],  # connected
        [StreamStarted(STREAM_ID, CAMEL_CALL_ID, audio, {"leg": "agent-7"})],
        *([AudioReceived(RECEIVED, sequence, 100 * sequence)] for sequence in (1, 2, 3)),
        Play(SENT),
        Mark("m1"),
        [DtmfReceived("1", 100)],
        [MarkReached("m1")],
        Clear(),
        [StreamStopped("stopped")],
    ]
    return Case(new_adapter=ExotelAdapter, session=session, steps=steps, variant="camel case", numbers_audio=True)


EXOTEL, EXOTEL_CAMEL = _snake_case(8000), _camel_case()
CASES = [EXOTEL, _snake_case(16000), _snake_case(24000), EXOTEL_CAMEL]

START = EXOTEL.of(StreamStarted)[0].value
MEDIA = EXOTEL.of(AudioReceived)[0].value
STOP = EXOTEL.of(StreamStopped)[0].value
FORMAT = {"encoding": "raw", "sample_rate": "8000", "bit_rate": "128"}
AUDIO: list[Event] = [AudioReceived(RECEIVED, 1, 100)]


def with_start(**values: Any) -> bytes:
    return compact({**START, "start": {**START["start"], **values}})


def with_format(**values: Any) -> bytes:
    return with_start(media_format={**FORMAT, **values})


def with_media(**values: Any) -> bytes:
    return compact({**MEDIA, "media": {**MEDIA["media"], **values}})


# As the first message of a stream.
STARTS_TAKEN: dict[str, tuple[bytes, list[Event]]] = {
    "`sequence_number` as a number": (compact({**START, "sequence_number": 1}), started(8000)),
    "`sample_rate` as a number": (with_format(sample_rate=16000), started(16000)),
    "no `media_format`: 8 kHz": (with_start(media_format=None), started(8000)),
    "`audio/x-raw`, and any `bit_rate`": (with_format(encoding="audio/x-raw", bit_rate="16"), started(8000)),
    "`stream_sid` at the top only": (with_start(stream_sid=None), started(8000)),
    "`callSid` beside names in snake case": (
        compact({**START, "start": {**START["start"], "call_sid": None, "callSid": SNAKE_CALL_ID}}),
        started(8000),
    ),
}

# As a message of an open stream.
MESSAGES_TAKEN: dict[str, tuple[bytes, list[Event]]] = {
    "numbers as numbers": (with_media(chunk=1, timestamp=100), AUDIO),
    "no numbers": (with_media(chunk=None, timestamp=None), [AudioReceived(RECEIVED)]),
    "names in camel case beside a start in snake case": (
        compact({"event": "media", "sequenceNumber": 2, "streamSid": STREAM_ID, "media": MEDIA["media"]}),
        AUDIO,
    ),
    "a `stop` without a reason": (compact({**STOP, "stop": {}}), [StreamStopped()]),
    "a `stop` that says nothing": (compact({"event": "stop"}), [StreamStopped()]),
    "`closed` and other events: no event": (compact({"event": "closed"}), []),
}

# As the first message of a stream.
STARTS_REFUSED: dict[str, tuple[bytes, str]] = {
    "another encoding": (
        with_format(encoding="audio/x-mulaw"),
        "exotel start.media_format.encoding: expected 'raw' or 'audio/x-raw', got 'audio/x-mulaw'",
    ),
    "another rate": (
        with_format(sample_rate="48000"),
        "exotel start.media_format.sample_rate: expected 8000 or 16000 or 24000, got 48000",
    ),
    "no call id": (with_start(call_sid=None), "exotel start.call_sid: expected a string that is not empty, got null"),
    "no stream id": (
        compact({"event": "start", "start": {"call_sid": SNAKE_CALL_ID}}),
        "exotel stream_sid: expected a string that is not empty, got nothing",
    ),
}
