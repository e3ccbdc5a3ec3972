"""However a call ends, it ends once, for the right reason, with nothing left behind."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeAlias

import pytest

from relay.bridge.events import Ended, Joined
from relay.bridge.settings import BridgeSettings
from relay.dev.phone import HangUp, SimulatedPhone
from relay.transfers.reasons import Reason
from tests.e2e.call import Call, check_over
from tests.signals import dbfs, pcm, tone

Run = Callable[[Coroutine[Any, Any, None]], None]
End: TypeAlias = Callable[[Call, SimulatedPhone], Awaitable[None]]

QUICK = BridgeSettings(media_timeout_s=0.6, reconnect_timeout_s=0.3, customer_grace_s=0.3, tick_s=0.1)
AGENT = pcm(tone(440, 8000, 10 * 8000, amplitude=dbfs(-20)))


async def stopped(call: Call, phone: SimulatedPhone) -> None:
    phone.stop(frames_after=5)


async def closed(call: Call, phone: SimulatedPhone) -> None:
    phone.hang_up(HangUp.CLOSE)


async def reset(call: Call, phone: SimulatedPhone) -> None:
    phone.hang_up(HangUp.RESET)


async def fin(call: Call, phone: SimulatedPhone) -> None:
    phone.hang_up(HangUp.FIN)


async def silent(call: Call, phone: SimulatedPhone) -> None:
    phone.hang_up(HangUp.SILENCE)


async def customer_left(call: Call, phone: SimulatedPhone) -> None:
    await call.customer.leave()


async def ejected(call: Call, phone: SimulatedPhone) -> None:
    await call.server.eject(call.relay_id)


async def room_server_closed(call: Call, phone: SimulatedPhone) -> None:
    await call.close_server()


async def room_cut(call: Call, phone: SimulatedPhone) -> None:
    call.server._connections[call.relay_id].transport.abort()


async def canceled(call: Call, phone: SimulatedPhone) -> None:
    call.bridge.end(Reason.CANCELED_BY_API)
    call.bridge.end(Reason.INTERNAL_ERROR, "too late to count")


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        (stopped, Reason.AGENT_HUNG_UP),
        (closed, Reason.AGENT_HUNG_UP),
        (reset, Reason.MEDIA_LOST),
        (fin, Reason.MEDIA_LOST),
        (silent, Reason.MEDIA_LOST),
        (customer_left, Reason.CUSTOMER_LEFT),
        (ejected, Reason.ROOM_ENDED),
        (room_server_closed, Reason.ROOM_ENDED),
        (room_cut, Reason.ROOM_LOST),
        (canceled, Reason.CANCELED_BY_API),
    ],
    ids=lambda each: getattr(each, "__name__", each.value if isinstance(each, Reason) else None),
)
@pytest.mark.long
def test_each_end_is_told_once_for_its_reason_and_leaves_nothing(end: End, reason: Reason, run: Run) -> None:
    async def scenario() -> None:
        async with Call(settings=QUICK) as call, call.phone(AGENT) as phone:
            await call.until_event(Joined)
            await end(call, phone)
            ended = await check_over(call, phone, reason)
            assert ended.was_joined
            assert "teardown_failed" not in ended.stats.faults

    run(scenario())


def test_a_call_has_its_longest_time(run: Run) -> None:
    async def scenario() -> None:
        settings = BridgeSettings(max_duration_s=0.5, tick_s=0.1)
        async with Call(settings=settings) as call, call.phone(AGENT) as phone:
            await check_over(call, phone, Reason.MAX_DURATION)
            assert 20 < len(phone.sent_ns) < 60

    run(scenario())


@pytest.mark.long
def test_a_customer_back_within_the_grace_finds_the_call_going_on(run: Run) -> None:
    async def scenario() -> None:
        settings = BridgeSettings(customer_grace_s=0.6, tick_s=0.1)
        async with Call(settings=settings) as call, call.phone(AGENT) as phone:
            await call.until_event(Joined)
            await call.customer.leave()
            await call.until_stats(lambda stats: stats.participants == 0, "nobody there")
            customer = await call.enter("customer")
            await customer.until_heard(50)
            assert call.of(Ended) == []
            assert any(any(pcm) for _, pcm in customer.frames)
            await customer.leave()
            await check_over(call, phone, Reason.CUSTOMER_LEFT)

    run(scenario())
