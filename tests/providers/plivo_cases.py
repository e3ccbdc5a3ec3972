"""Plivo's session, in each of its formats."""

from relay.conformance import Case, Clear, Mark, NotOurs, Play, Step, read_session
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
        NotOurs(),  # sendDTMF
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
