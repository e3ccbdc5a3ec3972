"""A worker in a process of its own, driven over its socket pair: a real room server, a real carrier's socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from websockets.frames import CloseCode

from relay.bridge.messages import (
    Admit,
    End,
    Join,
    Over,
    Ready,
    Ring,
    Statistics,
)
from relay.transfers import ports
from relay.transfers.reasons import Reason
from tests.bridge import messages
from tests.bridge.worker_processes import worker
from tests.bridge.worker_scene import RINGBACK_HZ, Scene, closed, heard, in_room, talk_on, talking
from tests.rooms.listener import Listener, level

Run = Callable[[Coroutine[Any, Any, None]], None]


def test_whole_call_is_carried_told_counted_and_ended(run: Run) -> None:
    async def test(scene: Scene) -> None:
        async with worker() as here:
            carrier = await talking(here, scene)
            assert scene.server.names("call") == ["customer", "relay"]
            await scene.ear.until(lambda: level_of_last(scene.ear, 1000) > 1000)
            while len(set(await heard(carrier))) < 10:  # the customer's tone comes behind silence
                pass
            assert (await here.first(Statistics)).stats.participants == 1
            here.channel.send(End(Reason.CUSTOMER_LEFT))
            assert await closed(carrier) == CloseCode.NORMAL_CLOSURE
            over = await here.first(Over)
            assert (over.ended.reason, over.ended.was_joined) == (Reason.CUSTOMER_LEFT, True)
            assert over.ended.stats.agent_to_room is not None
            assert over.ended.stats.agent_to_room.frames == 25
            assert await here.exited() == 0
            await scene.until_alone()
            assert here.kinds() == [
                *(Ready, ports.RoomJoined, ports.MediaStarted, ports.BothHeard, ports.BridgeEnded, Over)
            ]
            assert await here.told(ports.MediaStarted) == ports.MediaStarted(messages.CALL_ID)
            assert await here.told(ports.BridgeEnded) == ports.BridgeEnded(Reason.CUSTOMER_LEFT, "")

    run(in_room(test))


def level_of_last(ear: Listener, tone_hz: float) -> float:
    """Of the latest 20 ms that it heard."""
    return level(memoryview(ear.heard[-1][1]).cast("h"), tone_hz) if ear.heard else 0.0


def test_call_that_ends_by_itself_ends_the_worker(run: Run) -> None:
    async def test(scene: Scene) -> None:
        async with worker() as here:
            carrier = await talking(here, scene)
            carrier.send(messages.dtmf("5"), messages.stop())
            assert (await here.told(ports.BridgeEnded)).reason is Reason.AGENT_HUNG_UP
            assert await closed(carrier) == CloseCode.NORMAL_CLOSURE
            assert await here.exited() == 0
            assert here.kinds()[-3:] == [ports.KeyPressed, ports.BridgeEnded, Over]
            await scene.until_alone()

    run(in_room(test))


def test_customer_hears_that_the_phone_rings(run: Run) -> None:
    async def test(scene: Scene) -> None:
        async with worker() as here:
            await here.assign(scene.url)
            here.channel.send(Join())
            here.channel.send(Ring())
            await scene.ear.until(lambda: level_of_last(scene.ear, RINGBACK_HZ) > 300)
            here.channel.send(End(Reason.NO_ANSWER))
            assert (await here.first(Over)).ended.was_joined is False
            assert await here.exited() == 0

    run(in_room(test))


def test_agent_who_is_held_is_heard_when_admitted(run: Run) -> None:
    async def test(scene: Scene) -> None:
        async with worker() as here:
            await here.assign(scene.url, held=True)
            here.channel.send(Join())
            carrier = await here.call()
            carrier.send(messages.start(), *(messages.media(chunk) for chunk in range(1, 6)), messages.dtmf("1"))
            await here.told(ports.KeyPressed)
            talking_on = asyncio.ensure_future(talk_on(carrier, 6))
            assert ports.BothHeard not in here.kinds()
            here.channel.send(Admit())
            await here.told(ports.BothHeard)
            talking_on.cancel()
            await asyncio.wait([talking_on])

    run(in_room(test))


def test_room_that_cannot_be_joined_is_told_and_ends_the_worker(run: Run) -> None:
    async def test() -> None:
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            url = f"http://127.0.0.1:{nobody.getsockname()[1]}/rooms/blue"
        async with worker() as here:
            await here.assign(url)
            here.channel.send(Join())
            assert (await here.told(ports.BridgeEnded)).reason is Reason.ROOM_UNREACHABLE
            assert (await here.first(Over)).ended.reason is Reason.ROOM_UNREACHABLE
            assert await here.exited() == 0

    run(test())


# The front is gone
