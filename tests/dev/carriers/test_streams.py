"""What is played, marked and cleared on a stream of each carrier, over real sockets: as that carrier treats it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_outcomes import ANSWERED
from relay.dev.phone import SimulatedPhone
from tests.dev.carriers.cases import CASES, Case
from tests.dev.carriers.stand_in import Media, StandIn
from tests.dev.carriers.test_calls import dial
from tests.dev.conftest import Run
from tests.providers.samples import base64

PCMU, L16, L16_WIDE = b"\x80" * 160, b"\x00\x20" * 160, b"\x00\x20" * 320
"""20 ms of something loud, as each takes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """
    How a relay speaks there.

    Args:
        play: so many frames of 20 ms.
        mark, clear: commands.
        reached: the name in what says that a mark was; None: it is something else.
        after_clear: what comes after a clear that has overtaken ``m2``.
    """

    play: Callable[[str, int], str | bytes]
    mark: Callable[[str, str], str]
    clear: Callable[[str], str]
    reached: Callable[[dict[str, Any]], str | None]
    after_clear: Callable[[dict[str, Any]], bool]
    messages: int = 1
    """In how many messages ``play`` must be cut."""


def event(name: str, key: str, stream_id: str, /, **content: object) -> str:
    return json.dumps({"event": name, key: stream_id, **content})


def plain_mark(message: dict[str, Any]) -> str | None:
    return message["mark"]["name"] if message.get("event") == "mark" else None


SPOKEN = {
    "plivo": Spoken(
        play=lambda _, frames: json.dumps(
            {
                "event": "playAudio",
                "media": {"contentType": "audio/x-mulaw", "sampleRate": 8000, "payload": base64(PCMU * frames)},
            }
        ),
        mark=lambda stream, name: event("checkpoint", "streamId", stream, name=name),
        clear=lambda stream: event("clearAudio", "streamId", stream),
        reached=lambda message: message["name"] if message["event"] == "playedStream" else None,
        after_clear=lambda message: message["event"] == "clearedAudio",
    ),
    "signalwire": Spoken(
        play=lambda stream, frames: event("media", "streamSid", stream, media={"payload": base64(PCMU * frames)}),
        mark=lambda stream, name: event("mark", "streamSid", stream, mark={"name": name}),
        clear=lambda stream: event("clear", "streamSid", stream),
        reached=plain_mark,
        after_clear=lambda message: message["event"] == "media",  # nothing of it
    ),
    "telnyx": Spoken(
        play=lambda _, frames: json.dumps({"event": "media", "media": {"payload": base64(PCMU * frames)}}),
        mark=lambda _, name: json.dumps({"event": "mark", "mark": {"name": name}}),
        clear=lambda _: json.dumps({"event": "clear"}),
        reached=plain_mark,
        after_clear=lambda message: plain_mark(message) == "m2",
    ),
    "vonage": Spoken(
        play=lambda _, frames: L16_WIDE * frames,
        mark=lambda _, name: json.dumps({"action": "notify", "payload": {"name": name}}),
        clear=lambda _: json.dumps({"action": "clear"}),
        reached=lambda message: message["payload"]["name"] if message["event"] == "websocket:notify" else None,
        after_clear=lambda message: message["event"] == "websocket:cleared",
        messages=640,
    ),
    "exotel": Spoken(
        play=lambda stream, frames: event("media", "stream_sid", stream, media={"payload": base64(L16 * frames)}),
        mark=lambda stream, name: event("mark", "stream_sid", stream, mark={"name": name}),
        clear=lambda stream: event("clear", "stream_sid", stream),
        reached=plain_mark,
        after_clear=lambda message: message["event"] == "media",  # nothing of it
    ),
    "jambonz": Spoken(
        play=lambda _, frames: L16 * frames,
        mark=lambda _, name: json.dumps({"type": "mark", "data": {"name": name}}),
        clear=lambda _: json.dumps({"type": "killAudio"}),
        reached=lambda message: message["data"]["name"] if message.get("data", {}).get("event") == "playout" else None,
        after_clear=lambda message: message.get("data") == {"name": "m2", "event": "cleared"},
    ),
}

every = pytest.mark.parametrize("name", CASES)


def texts(media: Media) -> list[dict[str, Any]]:
    return [json.loads(each) for each in media.messages if isinstance(each, str)]


def stream_id(media: Media) -> str:
    for message in texts(media):
        for name in ("streamId", "stream_id", "stream_sid", "streamSid"):
            found = message.get(name) or message.get("start", {}).get(name)
            if found:
                return str(found)
    return ""


def talking(
    run: Run, case: Case, scenario: Callable[[StandIn, Media, SimulatedPhone], Awaitable[None]], violations: int = 0
) -> None:
    async def whole() -> None:
        async with SimulatedCarrier(dialect=case.make(), script=ANSWERED) as carrier, StandIn(carrier) as here:
            here.document, here.subprotocols = case.document(here), case.subprotocols
            await dial(case, here)
            media = await here.until_media()
            await here.until(
                lambda _: bool(texts(media)) and ("start" in str(texts(media)) or bool(media.messages[1:]))
            )
            await scenario(here, media, await carrier.calls[0].until_phone())
            carrier.calls[0].hang_up()
            await carrier.until_idle()
            assert len(carrier.calls[0].violations) == violations

    run(whole)


async def play(spoken: Spoken, media: Media, frames: int) -> None:
    assert media.socket is not None
    message = spoken.play(stream_id(media), frames)
    size = spoken.messages if spoken.messages > 1 else len(message)
    for at in range(0, len(message), size):
        part = message[at : at + size]
        await (media.socket.send_str(part) if isinstance(part, str) else media.socket.send_bytes(part))


@every
def test_a_mark_comes_back_when_what_is_before_it_was_heard(run: Run, name: str) -> None:
    spoken = SPOKEN[name]

    async def scenario(here: StandIn, media: Media, phone: SimulatedPhone) -> None:
        assert media.socket is not None
        await play(spoken, media, 10)
        await media.socket.send_str(spoken.mark(stream_id(media), "m1"))
        await play(spoken, media, 10)  # some carriers have a mark go with what comes after it
        await here.until(lambda _: "m1" in [spoken.reached(each) for each in texts(media)])
        assert phone.frames_heard >= 10
        assert any(phone.heard.pcm)
        assert [each for each, _ in phone.marks] == ["m1"]

    talking(run, CASES[name], scenario)


@every
def test_a_clear_drops_what_waits_and_the_marks_are_treated_as_that_carrier_does(run: Run, name: str) -> None:
    spoken = SPOKEN[name]

    async def scenario(here: StandIn, media: Media, phone: SimulatedPhone) -> None:
        assert media.socket is not None
        await play(spoken, media, 100)
        await media.socket.send_str(spoken.mark(stream_id(media), "m2"))
        await media.socket.send_str(spoken.clear(stream_id(media)))
        await phone.until(lambda phone: bool(phone.clears_ns))
        await here.until(lambda _: any(map(spoken.after_clear, texts(media))))
        assert phone.frames_heard < 50
        is_returned = phone._wire.marks_survive_clear
        assert ("m2" in [spoken.reached(each) for each in texts(media)]) is is_returned

    talking(run, CASES[name], scenario)


@every
def test_what_a_carrier_does_not_take_is_a_violation(run: Run, name: str) -> None:
    async def scenario(here: StandIn, media: Media, phone: SimulatedPhone) -> None:
        assert media.socket is not None
        await media.socket.send_str("{}")
        await phone.until(lambda phone: bool(phone.violations))

    talking(run, CASES[name], scenario, violations=1)
