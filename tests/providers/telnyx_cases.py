"""Telnyx's session in each of its formats, what its adapter takes although it is unusual, and what it refuses."""

from typing import Any

from relay.conformance import Case, Clear, Mark, Play, Step, read_session
from relay.conformance.mutations import compact
from relay.media.format import AudioFormat
from relay.providers.base import (
    AudioReceived,
    CarrierFault,
    DtmfReceived,
    Event,
    MarkReached,
    StreamStarted,
    StreamStopped,
)
from relay.providers.telnyx import TelnyxAdapter
from tests.providers.samples import changed_sample

STREAM_ID = "32DE0DEA-53CB-4B21-89A4-9E1819C043BC"
CALL_ID = "v3:T02llQxIyaRkhfRKxgAP8nY511EhFLizdvdUKJiSw8d6A9BborherQ"
MULAW_SILENCE = b"\xff" * 160


def started(audio: AudioFormat) -> list[Event]:
    return [StreamStarted(STREAM_ID, CALL_ID, audio, {"leg": "agent-7", "token": "t0k3n"})]


def _case(audio: AudioFormat, words: dict[str, str], silence: bytes) -> Case:
    session = read_session(changed_sample("telnyx_session.json", words, {MULAW_SILENCE: silence}))
    session[3], session[4] = session[4], session[3]  # they may come in any order
    steps: list[Step] = [
        [],  # connected
        started(audio),
        *([AudioReceived(silence, sequence, 20 * sequence)] for sequence in (1, 3, 2)),
        Play(silence),
        Mark("m1"),
        [DtmfReceived("1")],
        [MarkReached("m1")],
        Play(silence),
        Mark("m2"),
        Clear(),
        [MarkReached("m2")],
        [CarrierFault("malformed_frame")],
        [StreamStopped()],
    ]
    return Case(new_adapter=TelnyxAdapter, session=session, steps=steps, variant=str(audio))


TELNYX = _case(AudioFormat("pcmu", 8000), {}, MULAW_SILENCE)
CASES = [
    TELNYX,
    _case(AudioFormat("pcma", 8000), {"PCMU": "PCMA"}, b"\xd5" * 160),
    _case(AudioFormat("l16be", 16000), {"PCMU": "L16", ": 8000": ": 16000"}, bytes(640)),
    _case(AudioFormat("l16be", 24000), {"PCMU": "L16", ": 8000": ": 24000"}, bytes(960)),
]

START = TELNYX.of(StreamStarted)[0].value
MEDIA = TELNYX.of(AudioReceived)[0].value
FAULT = TELNYX.of(CarrierFault)[0].value
FORMAT = {"encoding": "PCMU", "sample_rate": 8000, "channels": 1}
STARTED = started(AudioFormat("pcmu", 8000))
AUDIO: list[Event] = [AudioReceived(MULAW_SILENCE, 1, 20)]


def with_format(**values: Any) -> bytes:
    return compact({**START, "start": {**START["start"], "media_format": {**FORMAT, **values}}})


def with_media(**values: Any) -> bytes:
    return compact({**MEDIA, "media": {**MEDIA["media"], **values}})


# As the first message of a stream.
STARTS_TAKEN: dict[str, tuple[bytes, list[Event]]] = {
    "numbers as strings": (with_format(sample_rate="8000", channels="1"), STARTED),
    "no `channels`": (with_format(channels=None), STARTED),
    "L16 without a rate: 16 kHz": (
        with_format(encoding="L16", sample_rate=None),
        started(AudioFormat("l16be", 16000)),
    ),
    "no `custom_parameters`, as with Call Control": (
        compact({**START, "start": {"call_control_id": CALL_ID, "media_format": FORMAT}}),
        [StreamStarted(STREAM_ID, CALL_ID, AudioFormat("pcmu", 8000))],
    ),
}

# As a message of an open stream.
MESSAGES_TAKEN: dict[str, tuple[bytes, list[Event]]] = {
    "numbers as numbers": (with_media(chunk=1, timestamp=20), AUDIO),
    "audio out of order, with its number": (with_media(chunk="3"), [AudioReceived(MULAW_SILENCE, 3, 20)]),
    '`track` "outbound": no event': (with_media(track="outbound"), []),
    "no `stream_id`": (compact({key: value for key, value in MEDIA.items() if key != "stream_id"}), AUDIO),
    "an `error` without a title": (compact({"event": "error", "payload": {"code": 1}}), [CarrierFault("no title")]),
    "an `error` that says nothing": (compact({"event": "error"}), [CarrierFault("no title")]),
    "an `error` with a long title: its first 40 characters": (
        compact({**FAULT, "payload": {"title": "x" * 100}}),
        [CarrierFault("x" * 40)],
    ),
}

# As the first message of a stream.
STARTS_REFUSED: dict[str, tuple[bytes, str]] = {
    "another encoding": (
        with_format(encoding="G722"),
        "telnyx start.media_format.encoding: expected 'PCMU' or 'PCMA' or 'L16', got 'G722'",
    ),
    "a rate that relay does not have": (
        with_format(encoding="L16", sample_rate=22050),
        "telnyx start.media_format.sample_rate: expected 16000 or 8000 or 24000 or 48000, got 22050",
    ),
    "two channels": (with_format(channels=2), "telnyx start.media_format.channels: expected 1, got 2"),
    "no `stream_id`": (
        compact({key: value for key, value in START.items() if key != "stream_id"}),
        "telnyx stream_id: expected a string that is not empty, got nothing",
    ),
}
