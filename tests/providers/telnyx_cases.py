"""Telnyx's session, in each of its formats."""

from relay.conformance import Case, Clear, Mark, Play, Step, read_session
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
    session = changed_sample("telnyx_session.json", words, {MULAW_SILENCE: silence})
    steps: list[Step] = [
        [],  # connected
        started(audio),
        *([AudioReceived(silence, sequence, 20 * sequence)] for sequence in (1, 2, 3)),
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
    return Case(new_adapter=TelnyxAdapter, session=read_session(session), steps=steps, variant=str(audio))


TELNYX = _case(AudioFormat("pcmu", 8000), {}, MULAW_SILENCE)
CASES = [
    TELNYX,
    _case(AudioFormat("pcma", 8000), {"PCMU": "PCMA"}, b"\xd5" * 160),
    _case(AudioFormat("l16be", 16000), {"PCMU": "L16", ": 8000": ": 16000"}, bytes(640)),
    _case(AudioFormat("l16be", 24000), {"PCMU": "L16", ": 8000": ": 24000"}, bytes(960)),
]
