"""The agent's leg: its bad messages, its pings, its ends."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from websockets.frames import CloseCode, Opcode

from relay.bridge.bridge import Bridge
from relay.bridge.events import Ended
from relay.bridge.media_connection import MediaConnection
from relay.bridge.settings import BridgeSettings
from relay.providers.twilio import TwilioAdapter
from relay.rooms.device_clock import ManualClock
from relay.rooms.loopback import LoopbackRoom
from relay.transfers.reasons import Reason
from tests.bridge import messages
from tests.bridge.case import S, bridged, ignore
from tests.bridge.peers import RawPeer, relay

Run = Callable[[Coroutine[Any, Any, None]], None]


def test_few_bad_messages_are_counted_and_many_end_it(run: Run) -> None:
    async def test() -> None:
        async with bridged() as case:
            await case.talk()
            case.carrier.send(*[b"no JSON"] * 20)
            await case.read_by_bridge()
            assert case.bridge.stats(0).faults == {"bad_message": 20}
            assert Ended not in case.kinds()
            case.carrier.send(b"no JSON")
            ended = await case.ended()
            assert ended.reason is Reason.PROVIDER_ERROR
            assert "twilio message: expected" in ended.detail

    run(test())


@pytest.mark.parametrize("answers", [True, False])
@pytest.mark.long
def test_half_open_is_a_carrier_that_answered_pings_and_stopped(run: Run, answers: bool) -> None:  # noqa: FBT001 - a case
    async def test() -> None:
        patient = BridgeSettings(tick_s=1000, media_timeout_s=10_000, room_timeout_s=10_000, customer_grace_s=10_000)
        async with bridged(settings=patient) as case:
            case.carrier.send(messages.start())
            ping = await case.carrier.receive()
            assert ping.opcode is Opcode.PING
            if answers:
                case.carrier.flush()  # the library has its pong ready
            await case.read_by_bridge()
            for second in range(40):
                case.bridge.check(case.clock.now_ns() + second * S)
                if case.kinds()[-1] is Ended:
                    break
            if answers:
                ended = await case.ended()
                assert ended.reason is Reason.MEDIA_LOST
                assert "pong" in ended.detail
            else:
                assert Ended not in case.kinds()

    run(test())


@pytest.mark.parametrize("started", [True, False])
@pytest.mark.long
def test_carrier_that_closes_has_hung_up_only_if_there_was_a_stream(run: Run, started: bool) -> None:  # noqa: FBT001 - a case
    async def test() -> None:
        async with bridged() as case:
            if started:
                case.carrier.send(messages.start())
                await case.started.wait()
            case.carrier.protocol.send_close(CloseCode.NORMAL_CLOSURE)
            case.carrier.flush()
            ended = await case.ended()
            assert ended.reason is (Reason.AGENT_HUNG_UP if started else Reason.MEDIA_LOST)

    run(test())


def test_carrier_that_was_gone_before_anybody_looked_is_a_loss(run: Run) -> None:
    async def test() -> None:
        bridge = Bridge(LoopbackRoom(clock=ManualClock()), transfer_id="t", on_event=ignore)

        async def serve_late(connection: MediaConnection) -> None:
            await connection.wait_closed()  # a token is being looked up
            await bridge.serve(connection, TwilioAdapter())

        async with relay(serve=serve_late) as served:
            peer = await RawPeer.connect(served)
            peer.send(messages.start())
            await peer.close()
            assert (await bridge.ended()).reason is Reason.MEDIA_LOST

    run(test())


def test_frame_that_was_held_goes_out_by_the_next_tick(run: Run) -> None:
    async def test() -> None:
        async with bridged() as case:
            await case.talk()
            leg = case.bridge._legs.current
            assert leg is not None
            sending = leg.room_to_agent
            assert sending is not None
            outbox = sending.outbox
            outbox._socket_max_ms, usual_ms = 0, outbox._socket_max_ms
            case.clock.advance(20)
            assert outbox.stalled_since_ns is not None
            outbox._socket_max_ms = usual_ms
            case.bridge.check(case.clock.now_ns())
            assert outbox.stalled_since_ns is None

    run(test())
