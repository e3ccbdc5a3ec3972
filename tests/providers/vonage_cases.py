"""Vonage's recorded session, what its adapter takes although it is unusual, and what it refuses."""

from dataclasses import replace
from typing import Any

from relay.conformance import Case, Clear, Closed, Mark, Play, read_session
from relay.conformance.mutations import compact
from relay.media.format import AudioFormat
from relay.providers.base import AudioReceived, DtmfReceived, Event, MarkReached, StreamStarted
from relay.providers.vonage import VonageAdapter
from tests.providers.samples import SAMPLES, base64

FORMATS = [f"audio/l16;rate={rate_hz}" for rate_hz in (8000, 16000, 24000)]
CALL_ID = "aaaaaaaa-bbbb-cccc-dddd-0123456789ab"
SILENCE = bytes(640)  # 20 ms of L16 at 16 kHz
STARTED = StreamStarted(CALL_ID, CALL_ID, AudioFormat("l16le", 16000), {"leg": "agent-7", "token": "t0k3n"})


def session(rate_hz: int) -> Case:
    """The recorded session, which has 16 kHz, at another rate."""
    silence = bytes(rate_hz // 25)  # 20 ms of L16
    text = (SAMPLES / "vonage_session.json").read_text().replace("rate=16000", f"rate={rate_hz}")
    heard: list[Event] = [AudioReceived(silence)]
    return Case(
        new_adapter=VonageAdapter,
        session=read_session(text.replace(base64(SILENCE), base64(silence))),
        steps=[
            [replace(STARTED, format=AudioFormat("l16le", rate_hz))],
            *[heard] * 3,
            *[Play(silence)] * 2,
            Mark("m1"),
            [DtmfReceived("1", duration_ms=260)],
            [MarkReached("m1")],
            Play(silence),
            Clear(),
            [],
            Closed(),
        ],
        variant=f"{rate_hz} Hz",
    )


VONAGE = session(16000)
CASES = [VONAGE, session(8000), session(24000)]

START = VONAGE.of(StreamStarted)[0].value
DTMF = VONAGE.of(DtmfReceived)[0].value
MARK = VONAGE.of(MarkReached)[0].value


def start(**changes: Any) -> bytes:
    """The first message with other values, under names with ``_`` for ``-``; without those that are None."""
    values = {**START, **{key if key == "call_uuid" else key.replace("_", "-"): changes[key] for key in changes}}
    return compact({key: value for key, value in values.items() if value is not None})


# As the first message of a stream.
STARTS_TAKEN: dict[str, bytes] = {
    "`content-type` with white space, in capitals": start(content_type="audio/L16; rate=16000"),
    "headers that are no strings, left out": start(attempt=1, tags=["a"], more={"a": "b"}),
}

# As a message of an open stream.
MESSAGES_TAKEN: dict[str, tuple[bytes, list[Event]]] = {
    "`digit` as a number": (compact({**DTMF, "digit": 1}), [DtmfReceived("1", 260)]),
    "no `duration`": (compact({"event": "websocket:dtmf", "digit": "1"}), [DtmfReceived("1")]),
    "`duration` as a string": (compact({**DTMF, "duration": "260"}), [DtmfReceived("1", 260)]),
    "further keys in a notify": (compact({**MARK, "payload": {"name": "m1", "a": 1}}), [MarkReached("m1")]),
    "`websocket:media:update`, `websocket:disconnected` and other events: no event": (
        compact({"event": "websocket:disconnected"}),
        [],
    ),
    "`websocket:connected` again: no event": (compact(START), []),
}

# As the first message of a stream.
STARTS_REFUSED: dict[str, tuple[bytes, str]] = {
    "no `call_uuid`": (start(call_uuid=None), "vonage call_uuid: expected a string that is not empty, got nothing"),
    "another rate": (
        start(content_type="audio/l16;rate=48000"),
        f"vonage content-type: expected one of {', '.join(FORMATS)}, got 'audio/l16;rate=48000'",
    ),
    "no rate": (start(content_type="audio/l16"), f"vonage content-type: expected one of {FORMATS[0]}, "),
    "no `content-type`": (start(content_type=None), f"vonage content-type: expected one of {FORMATS[0]}, "),
}

# As a message of an open stream.
REFUSED: dict[str, tuple[bytes, str]] = {
    "not JSON": (b"{", "vonage message: expected JSON, got 1 bytes: "),
    "no event": (b"{}", "vonage event: expected a string that is not empty, got nothing"),
    "another call's `websocket:connected`": (
        start(call_uuid="C2"),
        f"vonage start: expected stream '{CALL_ID}' again, got stream 'C2'",
    ),
    "no key of a phone": (compact({**DTMF, "digit": "w"}), "vonage digit: expected one of 0-9 * # A-D, got 'w'"),
    "a notify without a payload": (
        compact({"event": "websocket:notify"}),
        "vonage payload: expected an object, got nothing",
    ),
    "a notify that is no mark of ours": (
        compact({"event": "websocket:notify", "payload": {"reply_id": "m1"}}),
        "vonage payload.name: expected a string that is not empty, got nothing",
    ),
}
