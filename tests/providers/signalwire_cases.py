"""SignalWire's session, in each of its formats."""

from relay.conformance import Case, Clear, Mark, NotOurs, Play, Step, read_session
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
        NotOurs(),  # dtmf
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
