"""What the adapter for Twilio takes although it is unusual, and what it refuses; docs/carriers.md shows both."""

import copy
import json
from collections.abc import Callable
from typing import Any

from relay.conformance import Clear, Mark, Play, read_case
from relay.conformance.mutations import compact, nested
from relay.media.format import AudioFormat
from relay.providers.base import AudioReceived, DtmfReceived, Event, MarkReached, StreamStarted, StreamStopped
from relay.providers.twilio import TwilioAdapter
from tests.providers.samples import SAMPLES

STREAM_ID, CALL_ID = "MZ00000000000000000000000000000001", "CA00000000000000000000000000000001"
SILENCE = b"\xff" * 160  # 20 ms of PCMU
STARTED: list[Event] = [
    StreamStarted(STREAM_ID, CALL_ID, AudioFormat("pcmu", 8000), {"leg": "agent-7", "token": "t0k3n"})
]
AUDIO: list[Event] = [AudioReceived(SILENCE, sequence=1, timestamp_ms=5)]

TWILIO = read_case(
    TwilioAdapter,
    SAMPLES / "twilio_session.json",
    [
        [],
        STARTED,
        AUDIO,
        [AudioReceived(SILENCE, sequence=2, timestamp_ms=25)],
        [AudioReceived(SILENCE, sequence=3, timestamp_ms=45)],
        Play(SILENCE),
        Play(SILENCE * 5),
        Mark("m1"),
        [DtmfReceived("1")],
        [MarkReached("m1")],
        Play(SILENCE),
        Mark("m2"),
        Clear(),
        [MarkReached("m2")],
        [StreamStopped()],
    ],
)
CASES = [TWILIO]

START = TWILIO.of(StreamStarted)[0].value
MEDIA = TWILIO.of(AudioReceived)[0].value
DTMF = TWILIO.of(DtmfReceived)[0].value
MARK = TWILIO.of(MarkReached)[0].value


def changed(message: Any, change: Callable[[Any], object]) -> bytes:
    """The message, written after ``change`` has had its way with a copy."""
    result = copy.deepcopy(message)
    change(result)
    return compact(result)


def with_media(**values: Any) -> bytes:
    return changed(MEDIA, lambda message: message["media"].update(values))


def with_format(**values: Any) -> bytes:
    return changed(START, lambda message: message["start"]["mediaFormat"].update(values))


def of_another_stream(message: Any) -> bytes:
    return compact({**message, "streamSid": "MZ2"})


def without(message: Any, *keys: str) -> bytes:
    """The message without these keys, at its top and in the object named as its event."""
    kept = {key: value for key, value in message.items() if key not in keys}
    inner = {key: value for key, value in message[message["event"]].items() if key not in keys}
    return compact({**kept, message["event"]: inner})


# As the first message of a stream.
STARTS_TAKEN: dict[str, bytes] = {
    "`start` without `connected` before it": compact(START),
    "no `mediaFormat`: PCMU/8000": without(START, "mediaFormat"),
    "an empty `mediaFormat`: PCMU/8000": changed(START, lambda message: message["start"].update(mediaFormat={})),
    "numbers of `mediaFormat` as strings": with_format(sampleRate="8000", channels="1"),
    "no `sequenceNumber`, `accountSid`, `tracks`": without(START, "sequenceNumber", "accountSid", "tracks"),
    "`streamSid` in `start` only": changed(START, lambda message: message.pop("streamSid")),
    "`streamSid` at the top only": changed(START, lambda message: message["start"].pop("streamSid")),
}

# As a message of an open stream.
MESSAGES_TAKEN: dict[str, tuple[bytes | str, list[Event]]] = {
    "a str instead of bytes, other white space, other key order": (
        json.dumps(dict(reversed(MEDIA.items())), indent=1),
        AUDIO,
    ),
    "further keys": (with_media(loudness=[1, {"a": 2}]), AUDIO),
    "`chunk` and `timestamp` as numbers": (with_media(chunk=1, timestamp=5), AUDIO),
    "no `chunk`, `timestamp`, `track`, `sequenceNumber`": (
        without(MEDIA, "chunk", "timestamp", "track", "sequenceNumber"),
        [AudioReceived(SILENCE)],
    ),
    "null for `chunk`, `timestamp`, `track`": (
        with_media(chunk=None, timestamp=None, track=None),
        [AudioReceived(SILENCE)],
    ),
    "no `streamSid`: a socket carries one stream": (without(MEDIA, "streamSid"), AUDIO),
    '`track` "outbound": what relay sent itself, no event': (with_media(track="outbound"), []),
    "`digit` as a number": (changed(DTMF, lambda message: message["dtmf"].update(digit=1)), [DtmfReceived("1")]),
    "unknown events: no event": (compact({"event": "weather", "streamSid": "MZ2"}), []),
    "`start` again for the same stream: no event": (compact(START), []),
}

# As a message of an open stream, unless they say otherwise.
REFUSED: dict[str, tuple[bytes, str]] = {
    "not JSON": (b'{"event":', "twilio message: expected JSON, got 9 bytes: "),
    "over 1024 levels deep": (nested(1100), "twilio message: expected JSON, got 6601 bytes: "),
    "too long": (b" " * 65537, "twilio message: expected at most 65536 bytes, got 65537 bytes"),
    "not an object": (compact([MEDIA]), "twilio message: expected an object, got a list of 1 items"),
    "no event": (b"{}", "twilio event: expected a string that is not empty, got nothing"),
    "another stream's": (
        of_another_stream(MEDIA),
        "twilio streamSid: expected 'MZ00000000000000000000000000000001', got 'MZ2'",
    ),
    "another stream's `start`": (
        compact({"event": "start", "start": {"streamSid": "MZ2", "callSid": "CA2"}}),
        "twilio start: expected stream 'MZ00000000000000000000000000000001' again, got stream 'MZ2'",
    ),
    "`start` with two ids": (
        of_another_stream(START),
        "twilio streamSid: expected 'MZ00000000000000000000000000000001', got 'MZ2'",
    ),
    "no call id": (without(START, "callSid"), "twilio start.callSid: expected a string that is not empty, got nothing"),
    "another encoding": (
        with_format(encoding="audio/x-l16"),
        "twilio start.mediaFormat.encoding: expected 'audio/x-mulaw', got 'audio/x-l16'",
    ),
    "another rate": (with_format(sampleRate=16000), "twilio start.mediaFormat.sampleRate: expected 8000, got 16000"),
    "two channels": (with_format(channels="2"), "twilio start.mediaFormat.channels: expected 1, got 2"),
    "custom parameters that are no strings": (
        changed(START, lambda message: message["start"].update(customParameters={"token": ["t0k3n"]})),
        "twilio start.customParameters: expected an object of strings, got an object of 1 fields",
    ),
    "no payload": (with_media(payload=None), "twilio media.payload: expected a string that is not empty, got null"),
    "an empty payload": (
        with_media(payload=""),
        "twilio media.payload: expected a string that is not empty, got a string of 0 characters",
    ),
    "bad base64": (
        with_media(payload="AAA_"),
        "twilio media.payload: expected base64, padded to a multiple of 4 characters, got 4 others",
    ),
    "an unknown track": (
        with_media(track="both"),
        "twilio media.track: expected 'inbound' or 'outbound', got 'both'",
    ),
    "a `chunk` that is no number": (
        with_media(chunk="one"),
        "twilio media.chunk: expected a whole number of up to 18 digits, got 'one'",
    ),
    "no key of a phone": (
        changed(DTMF, lambda message: message["dtmf"].update(digit="w")),
        "twilio dtmf.digit: expected one of 0-9 * # A-D, got 'w'",
    ),
    "a mark without a name": (
        without(MARK, "name"),
        "twilio mark.name: expected a string that is not empty, got nothing",
    ),
}
