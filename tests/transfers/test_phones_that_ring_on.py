"""Phones that ring at a carrier which cannot stop them: asked after for as long as they may, and no error before."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from relay.transfers.phone_leg import ASK_AGAIN_S
from relay.transfers.ports import PhoneEnded, PhoneReport
from relay.transfers.reasons import Reason
from tests.transfers.simulated import SimulatedCarrier
from tests.transfers.test_phone_leg import Case


async def ringing_on(ring_timeout_s: float, *, failing: int = 100) -> Case:
    """A call that rings at a carrier which cannot stop it, and that nobody wants any longer."""
    carrier = SimulatedCarrier()
    carrier.stops_ringing = False
    carrier.failing_hang_ups = failing
    case = Case(carrier, ring_timeout_s=ring_timeout_s)
    await case.dial()
    await case.phone.hang_up()  # which waits for nothing
    return case


async def test_a_phone_that_cannot_be_stopped_is_asked_after_until_it_has_rung_for_its_time() -> None:
    with structlog.testing.capture_logs() as logs:
        case = await ringing_on(115.0)
        settling = asyncio.create_task(case.phone.settle())
        for pause_s in (*ASK_AGAIN_S, 30.0):
            await case.clock.pass_pause(pause_s)
        await case.clock.until_pause(30.0)
        assert case.clock.now_s == pytest.approx(90.75)
        assert not logs
        case.carrier.failing_hang_ups = 0  # it has stopped, and the carrier says so
        case.clock.advance(30.0)
        await settling
    assert (case.phone.is_over, logs) == (True, [])


async def test_a_phone_that_cannot_be_stopped_and_rings_beyond_its_time_is_an_error() -> None:
    with structlog.testing.capture_logs() as logs:
        case = await ringing_on(115.0)
        settling = asyncio.create_task(case.phone.settle())
        for pause_s in (*ASK_AGAIN_S, 30.0, 30.0):
            assert not logs
            await case.clock.pass_pause(pause_s)
        await settling
    assert case.clock.now_s == pytest.approx(120.75)
    assert [log["event"] for log in logs] == ["phone_may_be_alive"]


async def test_a_phone_that_cannot_be_stopped_is_over_when_the_carrier_says_so() -> None:
    case = await ringing_on(115.0)
    await case.clock.until_pause(ASK_AGAIN_S[0])
    case.phone.see(PhoneReport("CA1", PhoneEnded(Reason.NO_ANSWER), "ended"))
    await case.phone.settle()
    assert case.phone.is_over


@pytest.mark.parametrize("passed", [0, 3, len(ASK_AGAIN_S) + 1])
async def test_who_is_in_a_hurry_waits_as_long_as_for_a_phone_that_can_be_stopped(passed: int) -> None:
    """And leaves it to the next start; that it may be alive is no error yet."""
    pauses = [*ASK_AGAIN_S, 30.0, 30.0]
    with structlog.testing.capture_logs() as logs:
        case = await ringing_on(115.0)
        settling = asyncio.create_task(case.phone.settle())
        for pause_s in pauses[:passed]:
            await case.clock.pass_pause(pause_s)
        await case.clock.until_pause(pauses[passed])
        case.phone.hurry()
        for pause_s in ASK_AGAIN_S[passed:]:
            await case.clock.pass_pause(pause_s)
        await settling
    assert case.clock.now_s == pytest.approx(max(60.75, sum(pauses[:passed])))
    assert not case.phone.is_over
    assert [(log["event"], log["log_level"]) for log in logs] == [("phone_rings_on", "warning")]
