"""Agent to room: what is audio and what is not, on both paths."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable

import orjson
import pytest

from relay._codec import Decoder
from relay.bridge.agent_to_room import AgentToRoom
from relay.errors import RemoteProtocolError
from relay.media.format import AudioFormat
from relay.providers.base import AudioReceived, DtmfReceived, Event, FlowChanged, MediaAdapter, StreamStarted
from relay.providers.twilio import TwilioAdapter
from tests.bridge import messages
from tests.bridge.made_up import FULL, START, BinaryAdapter
from tests.signals import largest_step, pcm, tone

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
    assert (agent.frames, agent.decoded, agent.last_audio_ns) == (0, False, 0)


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
    (started,) = agent.take(START, 0)
    assert isinstance(started, StreamStarted)
    frames = [bytes([number, 1]) * 320 for number in range(10)]
    out = []
    for number, frame in enumerate(frames):
        agent.take_binary(frame, 20 * number * MS)
        out.append(agent.pull((20 * number + 1) * MS))
    said = b"".join(out)
    first = said.index(frames[0])
    assert b"".join(frames).startswith(said[first:])
    assert (agent.frames, agent.decoded, agent.last_audio_ns) == (10, True, 180 * MS)


def test_text_of_a_binary_carrier_is_read_beside_its_audio() -> None:
    agent = direction(BinaryAdapter())
    agent.take(START, 0)
    agent.take_binary(bytes(640), 0)
    assert list(agent.take(FULL, 0)) == [FlowChanged(paused=True)]
    assert agent.frames == 1


def test_binary_message_that_holds_no_audio_is_no_news() -> None:
    agent = direction(BinaryAdapter())
    agent.take(START, 0)
    agent.take_binary(b"", 0)
    assert (agent.frames, agent.last_audio_ns) == (0, 0)


@pytest.mark.parametrize(
    ("adapter", "first", "message", "what"),
    [
        (TwilioAdapter(), messages.start(), bytes(160), "twilio message: expected text"),
        (BinaryAdapter(), None, bytes(640), "made-up message: expected a start first"),
        (BinaryAdapter(), START, bytes(641), "made-up payload: expected"),
    ],
    ids=["of a text carrier", "before the start", "half a sample"],
)
def test_bad_binary_message_says_what_is_wrong_and_changes_nothing(
    adapter: MediaAdapter, first: bytes | None, message: bytes, what: str
) -> None:
    agent = direction(adapter)
    if first is not None:
        agent.take(first, 0)
    with pytest.raises(RemoteProtocolError, match=what):
        agent.take_binary(message, 0)
    assert (agent.frames, agent.last_audio_ns) == (0, 0)


class Numbered(BinaryAdapter):
    """Its audio comes in text, one number for each frame, in no order that it promises."""

    def __init__(self, rate_hz: int = 16000) -> None:
        super().__init__(rate_hz, ordered=False)

    def parse(self, message: bytes | str) -> list[Event]:
        values = orjson.loads(message)
        if values["event"] != "media":
            return super().parse(message)
        return [AudioReceived(base64.b64decode(values["payload"]), values["number"])]


def say(agent: AgentToRoom, frames: list[bytes], order: list[int]) -> bytes:
    """What the room hears of ``frames`` that come in that order, one every 20 ms."""
    out = []
    for place, number in enumerate(order):
        payload = base64.b64encode(frames[number]).decode()
        agent.take(orjson.dumps({"event": "media", "number": number, "payload": payload}), 20 * place * MS)
        out.append(agent.pull((20 * place + 1) * MS))
    return b"".join(out)


OVERTAKEN = [*range(3), *(number + (2, 0, -2)[number % 3] for number in range(3, 240))]
"""Of each three, the first comes last and the last first."""


def test_f17_frames_of_a_carrier_that_promises_no_order_are_played_in_theirs() -> None:
    """Each is 80 ms later than the fastest at most: that is known after a second, and nothing is lost from then on."""
    agent = direction(Numbered())
    agent.take(START, 0)
    frames = [bytes([number, 1]) * 320 for number in range(240)]
    said = say(agent, frames, OVERTAKEN)
    playout = agent.stats(whole_call=True).playout
    assert OVERTAKEN[3:9] == [5, 4, 3, 8, 7, 6]
    assert (playout.frames_received, playout.frames_duplicate) == (240, 0)
    assert playout.frames_lost <= 33
    heard = [number for number, _ in itertools.groupby(said[130 * 640 :: 640])]  # re-timing moves their edges
    assert heard == list(range(heard[0], heard[0] + len(heard)))
    assert len(heard) >= 108


@pytest.mark.parametrize("rate_hz", [8000, 24000])
def test_f17_they_are_resampled_in_their_order_too(rate_hz: int) -> None:
    """Without a click where one overtook another."""
    agent = direction(Numbered(rate_hz))
    agent.take(START, 0)
    wave, size = pcm(tone(317, rate_hz, 240 * rate_hz // 50, amplitude=8000)), rate_hz // 25
    said = say(agent, [wave[at : at + size] for at in range(0, len(wave), size)], OVERTAKEN)
    own = pcm(tone(317, 16000, 16000, amplitude=8000))
    assert largest_step(said[120 * 640 :]) <= 1.06 * largest_step(own)
    assert (
        agent.chain(AudioFormat("l16le", rate_hz)) == f"L16/{rate_hz} -> L16/{rate_hz} -> jitter -> L16/16000 -> room"
    )
    assert agent.stats(whole_call=True).lateness.max_ms <= 1


@pytest.mark.parametrize("rate_hz", [8000, 16000, 24000, 48000])
@pytest.mark.parametrize("pull_ms", [10, 20])
@pytest.mark.parametrize("ordered", [True, False])
def test_room_gets_as_much_as_it_asks_for_at_every_rate(rate_hz: int, pull_ms: int, ordered: bool) -> None:  # noqa: FBT001 - a case
    agent = AgentToRoom(
        BinaryAdapter(rate_hz, ordered=ordered), room_rate_hz=16000, microphone_ptime_ms=pull_ms, profile="balanced"
    )
    agent.take(START, 0)
    for at_ms in range(0, 1000, pull_ms):
        if at_ms % 20 == 0:
            agent.take_binary(bytes(rate_hz // 25), at_ms * MS)
        assert len(agent.pull((at_ms + 1) * MS)) == 32 * pull_ms
    assert agent.in_room


def test_waits_are_of_the_last_interval_and_of_the_whole_call() -> None:
    agent = direction(TwilioAdapter())
    agent.take(messages.start(), 0)
    talk(agent, 20)
    assert agent.stats(whole_call=False).wait.p50_ms > 0
    assert agent.stats(whole_call=False).wait.max_ms == 0
    assert agent.stats(whole_call=True).wait.p50_ms > 0
    assert agent.chain(AudioFormat("pcmu", 8000)) == "PCMU/8000 -> jitter -> L16/16000 -> room"
