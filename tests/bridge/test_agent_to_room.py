"""Agent to room: what is audio and what is not, on both paths."""

from __future__ import annotations

from collections.abc import Callable

import orjson
import pytest

from relay._codec import Decoder
from relay.bridge.agent_to_room import AgentToRoom
from relay.errors import RemoteProtocolError
from relay.media.format import AudioFormat
from relay.providers.base import DtmfReceived, Event, MediaAdapter, StreamStarted
from relay.providers.twilio import TwilioAdapter
from tests.bridge import messages
from tests.bridge.made_up import BinaryAdapter

MS = 1_000_000


class WithoutTemplates(TwilioAdapter):
    """Every message takes the adapter's own path."""

    def parse(self, message: bytes | str) -> list[Event]:
        events = super().parse(message)
        self.media_in = None
        return events


def direction(adapter: MediaAdapter) -> AgentToRoom:
    return AgentToRoom(adapter, room_rate_hz=16000, microphone_ptime_ms=20, profile="balanced")


def heard(agent: AgentToRoom, frames: int) -> bytes:
    """Frames with the room's clock 1 ms after the carrier's."""
    return b"".join(agent.pull(at_ms * MS) for at_ms in range(1, 20 * frames, 20))


def talk(agent: AgentToRoom, count: int, message: Callable[[int], bytes] = messages.media) -> bytes:
    """``count`` frames, pulled as they come."""
    out = []
    for chunk in range(1, count + 1):
        assert list(agent.take(message(chunk), 20 * chunk * MS)) == []
        out.append(agent.pull((20 * chunk + 1) * MS))
    return b"".join(out)


def payload(chunk: int) -> bytes:
    return bytes((chunk * 7 + n) % 256 for n in range(160))


def test_audio_comes_out_as_the_codec_makes_it() -> None:
    agent = direction(TwilioAdapter())
    (started,) = agent.take(messages.start(), 0)
    assert isinstance(started, StreamStarted)
    said = talk(agent, 30, lambda chunk: messages.media(chunk, payload(chunk)))
    decoder = Decoder("pcmu", 8000, 16000)
    whole = b"".join(decoder.push(payload(chunk)) for chunk in range(1, 31))
    first = said.index(whole[:640])
    assert whole.startswith(said[first:])
    assert len(said) - first >= 27 * 640
    assert (agent.frames, agent.decoded, agent.in_room) == (30, True, True)
    assert agent.last_audio_ns == 600 * MS


def test_other_order_of_keys_is_the_same_audio() -> None:
    def reordered(chunk: int) -> bytes:
        return orjson.dumps(dict(reversed(orjson.loads(messages.media(chunk, payload(chunk))).items())))

    plain, other = direction(TwilioAdapter()), direction(TwilioAdapter())
    plain.take(messages.start(), 0)
    other.take(messages.start(), 0)
    assert talk(plain, 10, lambda chunk: messages.media(chunk, payload(chunk))) == talk(other, 10, reordered)


def test_sequence_of_the_native_path_and_of_the_adapters_is_one() -> None:
    fast, slow = direction(TwilioAdapter()), direction(WithoutTemplates())
    fast.take(messages.start(), 0)
    slow.take(messages.start(), 0)
    lost = [chunk for chunk in range(1, 40) if chunk % 9]
    for agent in (fast, slow):
        for chunk in lost:
            agent.take(messages.media(chunk, payload(chunk)), 20 * chunk * MS)
            agent.pull((20 * chunk + 1) * MS)
    first, second = (agent.stats(whole_call=True).playout for agent in (fast, slow))
    assert first.frames_lost == 3  # and the fourth is not due yet
    assert first == second


def test_everything_else_is_returned() -> None:
    agent = direction(TwilioAdapter())
    agent.take(messages.start(), 0)
    assert list(agent.take(messages.dtmf("5"), 0)) == [DtmfReceived("5")]
    assert (agent.frames, agent.decoded, agent.last_audio_ns) == (0, False, None)


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (b"no JSON", "message"),
        (messages.media(1).replace(b"fn5", b"f*5", 1), "media.payload"),
        (messages.media(1).replace(b"MZ0123", b"MZ9999"), "streamSid"),
    ],
)
def test_bad_message_names_its_field_and_changes_nothing(message: bytes, field: str) -> None:
    agent = direction(TwilioAdapter())
    agent.take(messages.start(), 0)
    with pytest.raises(RemoteProtocolError, match=f"twilio {field}: expected"):
        agent.take(message, 0)
    assert agent.frames == 0
    agent.take(messages.media(1), 0)
    assert agent.frames == 1


def test_silence_before_the_agent_speaks() -> None:
    agent = direction(TwilioAdapter())
    assert heard(agent, 3) == bytes(3 * 640)
    assert not agent.in_room


def test_binary_carrier_is_carried_too() -> None:
    agent = direction(BinaryAdapter())
    agent.take(b"hello", 0)
    frames = [bytes([number, 1]) * 320 for number in range(10)]
    said = talk(agent, 10, lambda chunk: frames[chunk - 1])
    first = said.index(frames[0])
    assert b"".join(frames).startswith(said[first:])


def test_waits_are_of_the_last_interval_and_of_the_whole_call() -> None:
    agent = direction(TwilioAdapter())
    agent.take(messages.start(), 0)
    talk(agent, 20)
    assert agent.stats(whole_call=False).wait.p50_ms > 0
    assert agent.stats(whole_call=False).wait.max_ms == 0
    assert agent.stats(whole_call=True).wait.p50_ms > 0
    assert agent.chain(AudioFormat("pcmu", 8000)) == "PCMU/8000 -> jitter -> L16/16000 -> room"
