"""A worker in a process of its own, driven over its socket pair: a real room server, a real carrier's socket."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import socket
import struct
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import orjson
import pytest
from websockets.frames import CloseCode, Frame, Opcode

from relay.bridge.messages import (
    Admit,
    Assign,
    Configure,
    End,
    HandOver,
    Join,
    Over,
    Ready,
    Ring,
    RoomSpec,
    Statistics,
    Told,
    encode,
)
from relay.bridge.worker import DETAIL_MAX, _shortened
from relay.dev.room_server import RoomServer
from relay.rooms.local import LocalRoom
from relay.transfers import ports
from relay.transfers.reasons import Reason
from tests.bridge import messages
from tests.bridge.peers import RawPeer
from tests.bridge.worker_processes import GONE_S, WorkerUnderTest, assigned, worker
from tests.rooms.listener import Listener, level

Run = Callable[[Coroutine[Any, Any, None]], None]

TONE = (b"\x00" * 4 + b"\x80" * 4) * 20
"""20 ms of 1 kHz in mu-law, as loud as it gets."""
RINGBACK_HZ = 440


class Scene:
    """A room with a customer in it, whom a worker's bridge joins."""

    def __init__(self, server: RoomServer, customer: LocalRoom, ear: Listener) -> None:
        self.server, self.customer, self.ear = server, customer, ear
        self.url = server.room_url("call")

    async def until_alone(self) -> None:
        """Nobody but the customer is there."""
        names = self.server.names
        await self.server.changes.until(lambda: names("call") == ["customer"], "relay's leaving", timeout_s=GONE_S)


async def in_room(test: Callable[[Scene], Coroutine[Any, Any, None]]) -> None:
    async with RoomServer(port=0) as server:
        ear = Listener(700)
        customer = LocalRoom(server.room_url("call"), name="customer")
        await customer.join(ear)
        try:
            await test(Scene(server, customer, ear))
        finally:
            await customer.leave()


async def talking(here: WorkerUnderTest, scene: Scene, **others: Any) -> RawPeer:
    """A call whose two sides hear each other."""
    await here.assign(scene.url, **others)
    here.channel.send(Join())
    await here.told(ports.RoomJoined)
    carrier = await here.call()
    carrier.send(messages.start(), *(messages.media(chunk, TONE) for chunk in range(1, 26)))
    await here.told(ports.BothHeard)
    return carrier


async def heard(carrier: RawPeer) -> bytes:
    """The next 20 ms that the agent hears."""
    while True:
        frame = await carrier.receive()
        said = orjson.loads(frame.data) if frame.opcode is Opcode.TEXT else {}
        if "media" in said:
            return base64.b64decode(said["media"]["payload"])


async def talk_on(carrier: RawPeer, chunk: int) -> None:
    """Say as much as is heard, from this chunk on."""
    while True:
        await heard(carrier)
        carrier.send(messages.media(chunk))
        chunk += 1


async def closed(carrier: RawPeer) -> int:
    """The code of the close frame that the carrier gets; it answers, and closes its end."""
    while True:
        frame = await carrier.receive()
        if frame.opcode is Opcode.CLOSE:
            carrier.send_frames(Frame(Opcode.CLOSE, frame.data))
            carrier.writer.write_eof()
            return int(struct.unpack(">H", frame.data[:2])[0])


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


def test_when_the_front_is_gone_both_sides_are_said_goodbye_to(run: Run) -> None:
    async def test(scene: Scene) -> None:
        async with worker() as here:
            carrier = await talking(here, scene)
            here.channel.close()
            async with asyncio.timeout(GONE_S):
                assert await closed(carrier) == CloseCode.GOING_AWAY
                await scene.until_alone()
                assert await here.exited() == 0

    run(in_room(test))


def test_when_the_front_is_gone_a_carrier_that_answers_no_goodbye_is_dropped(run: Run) -> None:
    async def test(scene: Scene) -> None:
        async with worker() as here:
            await talking(here, scene)
            here.channel.close()
            assert await here.exited(within_s=GONE_S) in {0, 1}
            await scene.until_alone()

    run(in_room(test))


@pytest.mark.parametrize("is_ready", [True, False])
def test_spare_whose_front_is_gone_exits(run: Run, *, is_ready: bool) -> None:
    async def test() -> None:
        async with worker() as here:
            if is_ready:
                await here.until_ready()
                here.channel.close()
                assert await here.exited(within_s=GONE_S) == 0
            else:  # it may not have begun yet
                here.channel.close()
                assert await here.exited() == 0

    run(test())


def test_worker_whose_loop_is_blocked_is_gone_in_time_all_the_same(run: Run) -> None:
    async def test() -> None:
        async with worker(("-m", "tests.bridge.stuck_worker", "asleep")) as here:
            await stick(here)
            here.channel.close()
            assert await here.exited(within_s=GONE_S) == 1

    run(test())


def test_worker_that_native_code_holds_up_ends_itself_and_says_where(run: Run) -> None:
    async def test() -> None:
        async with worker(("-m", "tests.bridge.stuck_worker", "native")) as here:
            await stick(here)
            assert await here.exited() == 1
            assert await here.ear.until_over() == "the other end was closed"
            assert "in join" in here.logged.read_text()

    run(test())


async def stick(here: WorkerUnderTest) -> None:
    """Its loop has stopped."""
    await here.assign("http://127.0.0.1/rooms/blue")
    here.channel.send(Join())
    assert here.process.stdout is not None
    assert await asyncio.to_thread(here.process.stdout.readline) == b"stuck\n"


# What does not end it


def test_signals_are_the_fronts_business(run: Run) -> None:
    async def test(scene: Scene) -> None:
        async with worker() as here:
            carrier = await talking(here, scene)
            for number in (signal.SIGINT, signal.SIGTERM):
                os.kill(here.process.pid, number)
            carrier.send(messages.dtmf("7"))
            assert await here.told(ports.KeyPressed) == ports.KeyPressed("7")
            here.channel.send(End(Reason.CANCELED_BY_API))
            await closed(carrier)
            assert await here.exited() == 0

    run(in_room(test))


# What only a defect does


@pytest.mark.parametrize(
    "said",
    [b"no message", b'[2,{"is":"Join"}]', encode(Configure()), encode(Ready(1)), encode(HandOver(b"", "twilio"))],
    ids=["no message", "another version", "out of order", "not a front's", "no descriptor"],
)
def test_message_that_cannot_be_taken_ends_the_worker_and_what_it_holds(run: Run, said: bytes) -> None:
    async def test(scene: Scene) -> None:
        async with worker() as here:
            carrier = await talking(here, scene)
            here.channel._pair.sendall(struct.pack(">I", len(said)) + said)
            assert await closed(carrier) == CloseCode.GOING_AWAY
            assert await here.exited(within_s=GONE_S) == 0
            assert await here.ear.until_over() == "the other end was closed"
            assert "pair_broken" in here.logged.read_text()
            await scene.until_alone()

    run(in_room(test))


def test_carrier_that_nobody_knows_is_let_go_of(run: Run) -> None:
    async def test(scene: Scene) -> None:
        async with worker() as here:
            await here.assign(scene.url)
            ours, theirs = socket.socketpair()
            theirs.settimeout(0)
            here.channel.send(HandOver(b"GET / HTTP/1.1\r\n\r\n", "nobody"), ours.detach())
            assert await here.exited() == 0
            assert theirs.recv(1) == b""
            theirs.close()
            assert "message_not_handled" in here.logged.read_text()

    run(in_room(test))


def test_text_that_says_why_is_cut_to_what_can_be_sent() -> None:
    event = ports.BridgeEnded(Reason.ROOM_LOST, "\ud800" + "x" * 2000)
    told = _shortened(event)
    assert told == ports.BridgeEnded(Reason.ROOM_LOST, "\\ud800" + "x" * (DETAIL_MAX - 1))
    assert encode(Told(told))
    assert _shortened(ports.RoomJoined()) == ports.RoomJoined()


# Secrets

TOKEN = "room-token-canary-0123456789"  # noqa: S105 - of nobody
SECRET = "daily-key-canary-0123456789"  # noqa: S105 - of nobody


def test_t11_t12_no_token_is_in_a_workers_log_arguments_or_environment(run: Run) -> None:
    """The room's URL stands for an error's text that has the token in it."""

    async def test() -> None:
        async with worker() as here:
            await here.until_ready(Configure(log_level="debug", log_format="json", secrets=(SECRET,)))
            process = Path(f"/proc/{here.process.pid}")
            shown = [(process / name).read_bytes() for name in ("cmdline", "environ")]
            here.channel.send(assigned(f"http://127.0.0.1:1/rooms/{TOKEN}-{SECRET}", token=TOKEN))
            here.channel.send(Join())
            await here.told(ports.BridgeEnded)
            assert await here.exited() == 0
            shown.append(here.logged.read_bytes())
            assert b"room_unreachable" in shown[-1]
            assert all(shown)
            assert not [each for each in shown if TOKEN.encode() in each or SECRET.encode() in each]

    run(test())


def test_place_in_a_room_shows_no_token() -> None:
    room = RoomSpec(kind="daily", url="https://acme.daily.co/blue", token=TOKEN)
    assert TOKEN not in repr(Assign(transfer_id="t-1", room=room))
