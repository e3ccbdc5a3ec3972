"""SignalWire's session in each of its formats, what its adapter takes although it is unusual, and what it refuses."""

from typing import Any

from relay.conformance import Case, Clear, Dtmf, Mark, Play, Step, read_session
from relay.conformance.mutations import compact
from relay.media.format import AudioFormat
from relay.providers.base import AudioReceived, DtmfReceived, Event, MarkReached, StreamStarted, StreamStopped
from relay.providers.signalwire import SignalWireAdapter
from tests.providers.samples import changed_sample

STREAM_ID, CALL_ID = "c0ffee00-0000-4000-8000-000000000001", "b5d63b2e-f75b-4dc8-b6d4-269b635f96c0"
MULAW_SILENCE = b"\xff" * 160


def started(audio: AudioFormat) -> list[Event]:
    return [StreamStarted(STREAM_ID, CALL_ID, audio, {"leg": "agent-7", "token": "t0k3n"})]


def _case(audio: AudioFormat, words: dict[str, str], silence: bytes) -> Case:
    session = changed_sample("signalwire_session.json", words, {MULAW_SILENCE: silence})
    steps: list[Step] = [
        [],  # connected
        started(audio),
        *([AudioReceived(silence, sequence, 20 * sequence)] for sequence in (1, 2, 3)),
        Play(silence),
        Mark("m1"),
        [DtmfReceived("1", 100)],
        [MarkReached("m1")],
        Clear(),
        Dtmf("5"),
        [StreamStopped()],
    ]
    return Case(new_adapter=SignalWireAdapter, session=read_session(session), steps=steps, variant=str(audio))


L16 = {"audio/x-mulaw": "audio/x-L16"}
SIGNALWIRE = _case(AudioFormat("pcmu", 8000), {}, MULAW_SILENCE)
CASES = [
    SIGNALWIRE,
    _case(AudioFormat("l16le", 16000), {**L16, ": 8000": ": 16000"}, bytes(640)),
    _case(AudioFormat("l16le", 24000), {**L16, ": 8000": ": 24000"}, bytes(960)),
]

START = SIGNALWIRE.of(StreamStarted)[0].value
MEDIA = SIGNALWIRE.of(AudioReceived)[0].value
MARK = SIGNALWIRE.of(MarkReached)[0].value
FORMAT = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}


def with_format(**values: Any) -> bytes:
    return compact({**START, "start": {**START["start"], "mediaFormat": {**FORMAT, **values}}})


# As the first message of a stream.
STARTS_TAKEN: dict[str, tuple[bytes, list[Event]]] = {
    "`streamSid` at the top too": (compact({**START, "streamSid": STREAM_ID}), started(AudioFormat("pcmu", 8000))),
    "`audio/x-l16`": (
        with_format(encoding="audio/x-l16", sampleRate="24000"),
        started(AudioFormat("l16le", 24000)),
    ),
    "L16 without a rate: 16 kHz": (
        with_format(encoding="audio/x-L16", sampleRate=None),
        started(AudioFormat("l16le", 16000)),
    ),
    "no `customParameters`": (
        compact({"event": "start", "start": {"streamSid": STREAM_ID, "callSid": CALL_ID, "mediaFormat": FORMAT}}),
        [StreamStarted(STREAM_ID, CALL_ID, AudioFormat("pcmu", 8000))],
    ),
}

# As a message of an open stream.
MESSAGES_TAKEN: dict[str, tuple[bytes, list[Event]]] = {
    "`streamSid` of a `media`, which is not looked at": (
        compact({**MEDIA, "streamSid": "another"}),
        [AudioReceived(MULAW_SILENCE, 1, 20)],
    ),
    "`sequenceNumber` of a `mark`": (compact({**MARK, "sequenceNumber": "6"}), [MarkReached("m1")]),
    "`duration` as a string": (
        compact({"event": "dtmf", "dtmf": {"digit": "1", "duration": "100"}}),
        [DtmfReceived("1", 100)],
    ),
    "a `stop` with more": (
        compact({"event": "stop", "streamSid": STREAM_ID, "stop": {"callSid": CALL_ID}}),
        [StreamStopped()],
    ),
}

# As the first message of a stream.
STARTS_REFUSED: dict[str, tuple[bytes, str]] = {
    "another encoding": (
        with_format(encoding="audio/opus"),
        "signalwire start.mediaFormat.encoding: expected 'audio/x-mulaw' or 'audio/x-L16' or 'audio/x-l16', got ",
    ),
    "L16 at 48 kHz": (
        with_format(encoding="audio/x-L16", sampleRate=48000),
        "signalwire start.mediaFormat.sampleRate: expected 16000 or 24000 or 8000, got 48000",
    ),
    "`start` with two ids": (
        compact({**START, "streamSid": "another"}),
        f"signalwire streamSid: expected '{STREAM_ID}', got 'another'",
    ),
}
