"""jambonz's recorded session, what its adapter takes although it is unusual, and what it refuses."""

from dataclasses import replace
from typing import Any

from relay.conformance import Case, Clear, Closed, Mark, NotOurs, Play, read_session
from relay.conformance.mutations import compact
from relay.media.format import AudioFormat
from relay.providers.base import AudioReceived, DtmfReceived, Event, MarkReached, StreamStarted
from relay.providers.jambonz import JambonzAdapter
from tests.providers.samples import SAMPLES, base64

CALL_ID = "1a6f9c34-0000-4000-8000-000000000001"
SILENCE = bytes(320)  # 20 ms of L16 at 8 kHz
STARTED = StreamStarted(CALL_ID, CALL_ID, AudioFormat("l16le", 8000), {"leg": "agent-7", "token": "t0k3n"})


def session(rate_hz: int) -> Case:
    """The recorded session, which has 8 kHz, at another rate."""
    silence = bytes(rate_hz // 25)  # 20 ms of L16
    text = (SAMPLES / "jambonz_session.json").read_text().replace('"sampleRate": 8000', f'"sampleRate": {rate_hz}')
    heard: list[Event] = [AudioReceived(silence)]
    return Case(
        new_adapter=JambonzAdapter,
        session=read_session(text.replace(base64(SILENCE), base64(silence))),
        steps=[
            [replace(STARTED, format=AudioFormat("l16le", rate_hz))],
            *[heard] * 3,
            Play(silence),
            Mark("m1"),
            [DtmfReceived("1", duration_ms=200)],
            [MarkReached("m1")],
            Play(silence),
            Mark("m2"),
            Clear(),
            [MarkReached("m2")],
            NotOurs(),  # disconnect
            Closed(),
        ],
        subprotocols=["audio.drachtio.org"],
        variant=f"{rate_hz} Hz",
    )


JAMBONZ = session(8000)
CASES = [JAMBONZ, session(16000)]

START = JAMBONZ.of(StreamStarted)[0].value
DTMF = JAMBONZ.of(DtmfReceived)[0].value
MARK = JAMBONZ.of(MarkReached)[0].value


def start(**changes: Any) -> bytes:
    """The metadata with other values, without those that are None."""
    return compact({key: value for key, value in {**START, **changes}.items() if value is not None})


# As the first message of a stream.
STARTS_TAKEN: dict[str, bytes] = {
    "`sampleRate` as a string": start(sampleRate="8000"),
    "no `mixType`": start(mixType=None),
    '`mixType` "mixed"': start(mixType="mixed"),
    "nothing of the call but `callSid`": compact(
        {"callSid": CALL_ID, "sampleRate": 8000, "leg": "agent-7", "token": "t0k3n"}
    ),
    "metadata that are no strings, left out": start(customerData={"a": "b"}, tags=["a"], attempt=1),
}

# As a message of an open stream.
MESSAGES_TAKEN: dict[str, tuple[bytes, list[Event]]] = {
    "`duration` as a number": (compact({**DTMF, "duration": 1600}), [DtmfReceived("1", 200)]),
    "no `duration`": (compact({"event": "dtmf", "dtmf": "1"}), [DtmfReceived("1")]),
    "a mark without `event`": (compact({"type": "mark", "data": {"name": "m1"}}), [MarkReached("m1")]),
    "`playDone` and other types: no event": (compact({"type": "playDone", "data": {"id": "1"}}), []),
    "other events: no event": (compact({"event": "weather"}), []),
    "the metadata again: no event": (compact(START), []),
}

# As the first message of a stream.
STARTS_REFUSED: dict[str, tuple[bytes, str]] = {
    "no `callSid`": (start(callSid=None), "jambonz callSid: expected a string that is not empty, got nothing"),
    "another rate": (
        start(sampleRate=32000),
        "jambonz sampleRate: expected one of 8000, 16000, 24000, 48000, got 32000",
    ),
    "no rate": (start(sampleRate=None), "jambonz sampleRate: expected one of 8000, 16000, 24000, 48000, got nothing"),
    "two channels": (start(mixType="stereo"), "jambonz mixType: expected 'mono' or 'mixed', got 'stereo'"),
}

# As a message of an open stream.
REFUSED: dict[str, tuple[bytes, str]] = {
    "not JSON": (b"{", "jambonz message: expected JSON, got 1 bytes: "),
    "no event, no type and no call": (b"{}", "jambonz callSid: expected a string that is not empty, got nothing"),
    "another call's metadata": (
        start(callSid="C2"),
        f"jambonz start: expected stream '{CALL_ID}' again, got stream 'C2'",
    ),
    "no key of a phone": (compact({**DTMF, "dtmf": "w"}), "jambonz dtmf: expected one of 0-9 * # A-D, got 'w'"),
    "a mark without a name": (
        compact({"type": "mark", "data": {"event": "playout"}}),
        "jambonz data.name: expected a string that is not empty, got nothing",
    ),
    "a mark of which something else became": (
        compact({"type": "mark", "data": {"name": "m1", "event": "lost"}}),
        "jambonz data.event: expected 'playout' or 'cleared', got 'lost'",
    ),
}
