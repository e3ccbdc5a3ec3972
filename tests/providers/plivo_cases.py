"""Plivo's session in each of its formats, what its adapter takes although it is unusual, and what it refuses."""

from typing import Any

from relay.conformance import Case, Clear, Dtmf, Mark, Play, Step, read_session
from relay.conformance.mutations import compact
from relay.media.format import AudioFormat
from relay.providers.base import AudioReceived, DtmfReceived, Event, MarkReached, StreamStarted, StreamStopped
from relay.providers.plivo import PlivoAdapter
from tests.providers.samples import changed_sample

STREAM_ID, CALL_ID = "20170ada-f610-433b-8758-c02a2aab3662", "97ceeb52-58b6-11e1-86da-77300b68f8bb"
MULAW_SILENCE = b"\xff" * 160


def started(audio: AudioFormat) -> list[Event]:
    return [StreamStarted(STREAM_ID, CALL_ID, audio, {"leg": "agent7", "token": "t0k3n"})]


def _case(audio: AudioFormat, words: dict[str, str], silence: bytes) -> Case:
    session = changed_sample("plivo_session.json", words, {MULAW_SILENCE: silence})
    steps: list[Step] = [
        started(audio),
        *([AudioReceived(silence, sequence)] for sequence in (1, 2, 3)),
        Play(silence),
        Mark("m1"),
        [DtmfReceived("1")],
        [MarkReached("m1")],
        Play(silence),
        Clear(),
        [],  # clearedAudio
        Dtmf("1234#"),
        [StreamStopped("call ended")],
    ]
    return Case(new_adapter=PlivoAdapter, session=read_session(session), steps=steps, variant=str(audio))


L16 = {"audio/x-mulaw": "audio/x-l16"}
PLIVO = _case(AudioFormat("pcmu", 8000), {}, MULAW_SILENCE)
CASES = [
    PLIVO,
    _case(AudioFormat("l16le", 8000), L16, bytes(320)),
    _case(AudioFormat("l16le", 16000), {**L16, ": 8000": ": 16000"}, bytes(640)),
]

START = PLIVO.of(StreamStarted)[0].value
MEDIA = PLIVO.of(AudioReceived)[0].value
DTMF = PLIVO.of(DtmfReceived)[0].value
FORMAT = {"encoding": "audio/x-mulaw", "sampleRate": 8000}


def with_headers(headers: Any) -> bytes:
    return compact({**START, "extra_headers": headers})


def with_format(**values: Any) -> bytes:
    return compact({**START, "start": {**START["start"], "mediaFormat": {**FORMAT, **values}}})


def with_media(**values: Any) -> bytes:
    return compact({**MEDIA, "media": {**MEDIA["media"], **values}})


STARTED = started(AudioFormat("pcmu", 8000))
AUDIO: list[Event] = [AudioReceived(MULAW_SILENCE, 1)]

# As the first message of a stream.
STARTS_TAKEN: dict[str, tuple[bytes, list[Event]]] = {
    "`extra_headers` as `a=b,c=d`": (with_headers("leg=agent7,token=t0k3n"), STARTED),
    "`extra_headers` as an object": (with_headers({"leg": "agent7", "token": "t0k3n"}), STARTED),
    "`extra_headers` as JSON in a string": (with_headers('{"leg": "agent7", "token": "t0k3n"}'), STARTED),
    "`extra_headers` as `{a: b, c: d}`": (with_headers("{leg: agent7, token: t0k3n}"), STARTED),
    "`start.customParameters`": (
        compact(
            {
                **START,
                "extra_headers": "",
                "start": {**START["start"], "customParameters": {"leg": "agent7", "token": "t0k3n"}},
            }
        ),
        STARTED,
    ),
    "`streamId` at the top only": (
        compact(
            {
                **START,
                "streamId": STREAM_ID,
                "start": {key: value for key, value in START["start"].items() if key != "streamId"},
            }
        ),
        STARTED,
    ),
    "numbers as strings": (with_format(sampleRate="8000"), STARTED),
    "no `mediaFormat`: PCMU/8000": (
        compact({**START, "start": {"callId": CALL_ID, "streamId": STREAM_ID}}),
        STARTED,
    ),
}

# As a message of an open stream.
MESSAGES_TAKEN: dict[str, tuple[bytes, list[Event]]] = {
    "`chunk` as a string": (with_media(chunk="1"), AUDIO),
    "no `chunk`": (with_media(chunk=None), [AudioReceived(MULAW_SILENCE)]),
    "any `timestamp`: none is reported": (with_media(timestamp="1.5 s"), AUDIO),
    "no `extra_headers`, no `streamId`": (
        compact({key: value for key, value in MEDIA.items() if key not in ("extra_headers", "streamId")}),
        AUDIO,
    ),
    '`track` "outbound": no event': (with_media(track="outbound"), []),
    "`digit` as a number": (compact({**DTMF, "dtmf": {"digit": 1}}), [DtmfReceived("1")]),
    "a `stop` without a reason": (compact({"event": "stop", "streamId": STREAM_ID}), [StreamStopped()]),
}

# As the first message of a stream.
STARTS_REFUSED: dict[str, tuple[bytes, str]] = {
    "another encoding": (
        with_format(encoding="audio/opus"),
        "plivo start.mediaFormat.encoding: expected 'audio/x-mulaw' or 'audio/x-l16', got 'audio/opus'",
    ),
    "mu-law at 16 kHz": (
        with_format(sampleRate=16000),
        "plivo start.mediaFormat.sampleRate: expected 8000, got 16000",
    ),
    "L16 at 24 kHz": (
        with_format(encoding="audio/x-l16", sampleRate=24000),
        "plivo start.mediaFormat.sampleRate: expected 8000 or 16000, got 24000",
    ),
    "no `callId`": (
        compact({**START, "start": {"streamId": STREAM_ID}}),
        "plivo start.callId: expected a string that is not empty, got nothing",
    ),
    "`extra_headers` of other than strings": (
        with_headers({"token": ["t0k3n"]}),
        "plivo extra_headers: expected an object of strings, got an object of 1 fields",
    ),
}
