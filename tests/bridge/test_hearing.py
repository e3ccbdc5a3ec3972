"""Who hears what: ringback, the prompt of an agent who is held, and each other."""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from websockets.frames import Opcode

from relay._codec import Decoder, Encoder
from relay.bridge.events import BridgeEvent, Dtmf, Joined, MediaLost, MediaStarted, RoomJoined
from relay.bridge.settings import BridgeSettings
from relay.media.tones import PROMPT_DBFS, RINGBACK_DBFS
from relay.rooms.loopback import LoopbackRoom, Recording
from relay.transfers.reasons import Reason
from tests.bridge import messages
from tests.bridge.case import NEVER_TICKS, Case, bridged
from tests.bridge.peers import RawPeer
from tests.signals import dbfs, pcm, tone, tone_dbfs

Run = Callable[[Coroutine[Any, Any, None]], None]

AGENT_HZ, CUSTOMER_HZ, PROMPT_HZ = 1000, 1500, 600
NOT_HEARD_DBFS = -60.0


def said_by_agent(frames: int, first_chunk: int = 1) -> list[bytes]:
    """A tone as the carrier sends it."""
    payloads = Encoder("pcmu", 8000, 8000).push(pcm(tone(AGENT_HZ, 8000, 160 * frames, amplitude=dbfs(-20))))
    return [messages.media(first_chunk + at, payloads[160 * at : 160 * (at + 1)]) for at in range(frames)]


def customer_says(now_ns: int) -> bytes:
    """20 ms of a tone that has whole periods in them."""
    return pcm(tone(CUSTOMER_HZ, 16000, 320, amplitude=dbfs(-20)))


async def heard_by_agent(carrier: RawPeer, frames: int) -> bytes:
    decoder = Decoder("pcmu", 8000, 8000)
    heard: list[bytes] = []
    while len(heard) < frames:
        frame = await carrier.receive()
        if frame.opcode is Opcode.TEXT:
            message = orjson.loads(frame.data)
            if message["event"] == "media":
                heard.append(decoder.push(base64.b64decode(message["media"]["payload"])))
    return b"".join(heard)


def recorded(microphone: Recording) -> Callable[..., LoopbackRoom]:
    return functools.partial(LoopbackRoom, microphone=microphone, speaker=customer_says)


async def run_for(case: Case, frames: int, first_chunk: int = 1) -> None:
    """The agent talks for so many frames of 20 ms, and is heard as it talks."""
    for message in said_by_agent(frames, first_chunk):
        case.carrier.send(message)
        await case.read_by_bridge()
        case.clock.advance(20)


def kinds(case: Case) -> list[type[BridgeEvent]]:
    return [kind for kind in case.kinds() if kind is not Dtmf]


def test_f3_held_nobody_hears_anybody_and_the_agent_hears_a_prompt(run: Run) -> None:
    async def test() -> None:
        microphone = Recording()
        async with bridged(recorded(microphone), held=True) as case:
            case.carrier.send(messages.start())
            await case.started.wait()
            await run_for(case, 40)
            assert kinds(case) == [RoomJoined, MediaStarted]
            assert not any(microphone.pcm)
            heard = await heard_by_agent(case.carrier, 40)
            assert tone_dbfs(heard, 8000, CUSTOMER_HZ) < NOT_HEARD_DBFS
            assert abs(tone_dbfs(heard, 8000, PROMPT_HZ) - PROMPT_DBFS) < 6  # of a block, a beep is on for a part
            assert case.bridge.stats(0).faults == {}

    run(test())


def test_f21_agent_hears_a_prompt_while_the_room_is_away_and_then_the_room(run: Run) -> None:
    async def test() -> None:
        microphone = Recording()
        rooms: list[LoopbackRoom] = []

        def room(*args: Any, **options: Any) -> LoopbackRoom:
            rooms.append(recorded(microphone)(*args, **options))
            return rooms[-1]

        async with bridged(room) as case:
            case.carrier.send(messages.start())
            await case.started.wait()
            await run_for(case, 20)
            assert kinds(case)[-1] is Joined
            await heard_by_agent(case.carrier, 20)
            rooms[0].interrupt()
            await run_for(case, 40, 21)
            away = await heard_by_agent(case.carrier, 40)
            assert tone_dbfs(away[640:], 8000, CUSTOMER_HZ) < NOT_HEARD_DBFS
            assert abs(tone_dbfs(away, 8000, PROMPT_HZ) - PROMPT_DBFS) < 6
            rooms[0].restore()
            await run_for(case, 40, 61)
            back = await heard_by_agent(case.carrier, 40)
            assert abs(tone_dbfs(back[640:], 8000, CUSTOMER_HZ) + 20) < 1
            assert tone_dbfs(back[640:], 8000, PROMPT_HZ) < NOT_HEARD_DBFS
            assert case.bridge.stats(0).faults == {"room_interrupted": 1}

    run(test())


def test_f21_agent_whose_first_word_comes_while_the_room_is_away_is_not_heard_by_it(run: Run) -> None:
    async def test() -> None:
        rooms: list[LoopbackRoom] = []

        def room(*args: Any, **options: Any) -> LoopbackRoom:
            rooms.append(recorded(Recording())(*args, **options))
            return rooms[-1]

        async with bridged(room) as case:
            case.carrier.send(messages.start())
            await case.started.wait()
            case.clock.advance(100)
            rooms[0].interrupt()
            await run_for(case, 20)
            assert Joined not in kinds(case)
            rooms[0].restore()
            await run_for(case, 2, 21)
            assert kinds(case)[-1] is Joined

    run(test())


def test_f21_room_that_is_away_from_the_beginning_joins_nobody(run: Run) -> None:
    async def test() -> None:
        rooms: list[LoopbackRoom] = []

        def room(*args: Any, **options: Any) -> LoopbackRoom:
            rooms.append(LoopbackRoom(*args, **options))
            return rooms[-1]

        async with bridged(room) as case:
            rooms[0].interrupt()
            case.carrier.send(messages.start())
            await case.started.wait()
            await run_for(case, 20)
            assert Joined not in kinds(case)
            rooms[0].restore()
            await run_for(case, 1, 21)
            assert kinds(case)[-1] is Joined

    run(test())


def test_f3_admitted_they_hear_each_other_and_are_joined_then_and_not_before(run: Run) -> None:
    async def test() -> None:
        microphone = Recording()
        async with bridged(recorded(microphone), held=True) as case:
            case.carrier.send(messages.start())
            await case.started.wait()
            await run_for(case, 20)
            await heard_by_agent(case.carrier, 20)
            case.bridge.admit()
            case.clock.advance(20)
            assert Joined not in kinds(case)  # nothing of what was said before is heard
            heard_before = len(microphone.pcm)
            await run_for(case, 40, 21)
            assert kinds(case) == [RoomJoined, MediaStarted, Joined]
            assert abs(tone_dbfs(microphone.pcm[heard_before:], 16000, AGENT_HZ) + 20) < 1
            heard = await heard_by_agent(case.carrier, 40)
            assert abs(tone_dbfs(heard[640:], 8000, CUSTOMER_HZ) + 20) < 1
            case.bridge.admit()
            case.clock.advance(20)
            assert kinds(case)[-1] is Joined

    run(test())


def test_f3_prompt_that_was_sent_is_no_audio_of_the_room(run: Run) -> None:
    async def test() -> None:
        async with bridged(held=True) as case:
            case.carrier.send(messages.start())
            await case.started.wait()
            await run_for(case, 20)
            leg = case.bridge._legs.current
            assert leg is not None
            assert leg.room_to_agent is not None
            leg.room_to_agent.outbox._socket_max_ms, usual_ms = 0, leg.room_to_agent.outbox._socket_max_ms
            case.bridge.admit()
            await run_for(case, 10, 21)
            assert Joined not in kinds(case)  # the agent is in the room, and the room waits for the socket
            leg.room_to_agent.outbox._socket_max_ms = usual_ms
            case.clock.advance(20)
            assert kinds(case)[-1] is Joined

    run(test())


def test_f3_admitted_before_the_stream_is_there_nothing_is_held(run: Run) -> None:
    async def test() -> None:
        async with bridged(held=True) as case:
            case.bridge.admit()
            await case.talk()
            assert kinds(case)[-1] is Joined

    run(test())


def test_f3_stream_that_breaks_while_held_ends_it(run: Run) -> None:
    async def test() -> None:
        async with bridged(held=True) as case:
            await case.talk()
            await case.carrier.close()
            assert (await case.ended()).reason is Reason.MEDIA_LOST
            assert MediaLost not in kinds(case)

    run(test())


def test_customer_hears_ringback_until_the_agent_is_heard(run: Run) -> None:
    async def test() -> None:
        microphone = Recording()
        async with bridged(recorded(microphone)) as case:
            case.clock.advance(100)
            assert not any(microphone.pcm)
            case.bridge.ring()
            case.clock.advance(1000)
            for frequency_hz in (440, 480):
                assert abs(tone_dbfs(microphone.pcm[3200:], 16000, frequency_hz) - RINGBACK_DBFS) < 0.5
            case.carrier.send(messages.start())
            await case.started.wait()
            await run_for(case, 50)
            rest = microphone.pcm[-32000 // 2 :]
            assert tone_dbfs(rest, 16000, 440) < NOT_HEARD_DBFS
            assert abs(tone_dbfs(rest, 16000, AGENT_HZ) + 20) < 1
            case.bridge.ring()
            case.clock.advance(40)
            assert kinds(case)[-1] is Joined

    run(test())


def test_ringback_is_of_the_country_that_was_set(run: Run) -> None:
    async def test() -> None:
        microphone = Recording()
        settings = BridgeSettings(ringback="europe", tick_s=1000, close_timeout_s=NEVER_TICKS.close_timeout_s)
        async with bridged(recorded(microphone), settings=settings) as case:
            case.bridge.ring()
            case.clock.advance(800)
            assert abs(tone_dbfs(microphone.pcm, 16000, 425) - RINGBACK_DBFS) < 0.5

    run(test())


def test_f3_while_held_the_customer_goes_on_hearing_ringback(run: Run) -> None:
    async def test() -> None:
        microphone = Recording()
        async with bridged(recorded(microphone), held=True) as case:
            case.bridge.ring()
            case.carrier.send(messages.start())
            await case.started.wait()
            await run_for(case, 50)
            assert abs(tone_dbfs(microphone.pcm, 16000, 440) - RINGBACK_DBFS) < 0.5
            assert tone_dbfs(microphone.pcm, 16000, AGENT_HZ) < NOT_HEARD_DBFS

    run(test())
