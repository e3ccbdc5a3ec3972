"""Exotel's session, in snake case and in camel case, at each of its rates."""

from relay.conformance import Case, Clear, Mark, Play, Step, read_session
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
    return Case(new_adapter=ExotelAdapter, session=session, steps=steps, variant="camel case")


EXOTEL, EXOTEL_CAMEL = _snake_case(8000), _camel_case()
CASES = [EXOTEL, _snake_case(16000), _snake_case(24000), EXOTEL_CAMEL]
