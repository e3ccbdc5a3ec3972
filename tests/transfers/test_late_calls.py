"""Calls that turn up when nobody wants them: each is hung up until it is over."""

from __future__ import annotations

import asyncio

import structlog

from relay.transfers.late_calls import RING_MAX_S, LateCalls
from relay.transfers.phone_leg import ASK_AGAIN_S
from relay.transfers.ports import DialOrder
from tests.transfers.clock import ManualClock
from tests.transfers.simulated import SimulatedCarrier

ORDER = DialOrder("tr_1", "+14155550123", "+14155550100", 30.0, 3600.0, detect_machine=False)


class Case:
    """Late calls of two carriers' accounts, each with a call ``CA1`` that is alive."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.carriers = {"twilio": SimulatedCarrier(), "plivo": SimulatedCarrier()}
        for carrier in self.carriers.values():
            carrier.alive["CA1"] = ORDER
        self.twilio = self.carriers["twilio"]
        self.late = LateCalls(self.carriers, call_later=self.clock.call_later)

    async def done(self) -> None:
        while ending := self.late.ending:
            await asyncio.wait(ending)


async def test_a_late_call_is_ended_once_however_often_it_shows() -> None:
    case = Case()
    work = {case.late.end("twilio", "CA1", transfer_id="tr_1") for _ in range(5)}
    assert list(work) == case.late.ending
    await case.done()
    assert (case.twilio.hang_ups, case.twilio.alive) == (["CA1"], {})


async def test_calls_of_two_carriers_are_two() -> None:
    case = Case()
    case.late.end("twilio", "CA1", transfer_id="tr_1")
    case.late.end("plivo", "CA1", transfer_id="tr_1")
    await case.done()
    assert [carrier.alive for carrier in case.carriers.values()] == [{}, {}]


async def test_a_carrier_that_is_not_configured_is_not_asked() -> None:
    case = Case()
    assert case.late.end("exotel", "CA1", transfer_id="tr_1") is None
    assert case.late.ending == []


async def test_a_carrier_that_does_not_hang_up_is_asked_for_a_minute_and_then_that_is_logged() -> None:
    case = Case()
    case.twilio.failing_hang_ups = 100
    with structlog.testing.capture_logs() as logs:
        case.late.end("twilio", "CA1", transfer_id="tr_1")
        for pause_s in ASK_AGAIN_S:
            await case.clock.pass_pause(pause_s)
        await case.done()
    assert [(log["event"], log["transfer_id"]) for log in logs] == [("phone_may_be_alive", "tr_1")]
    case.twilio.failing_hang_ups = 0
    case.late.end("twilio", "CA1", transfer_id="tr_1")
    await case.done()
    assert case.twilio.alive == {}


async def test_a_late_call_that_ends_by_itself_is_not_asked_for_again() -> None:
    case = Case()
    case.twilio.failing_hang_ups = 1
    case.late.end("twilio", "CA1", transfer_id="tr_1")
    await case.clock.until_pause(ASK_AGAIN_S[0])
    case.late.call_ended("plivo", "CA1")
    case.late.call_ended("twilio", "CA2")
    assert len(case.late.ending) == 1
    case.late.call_ended("twilio", "CA1")
    await case.done()
    assert case.twilio.hang_ups == ["CA1"]
    assert case.clock.delays_s == []


async def test_a_late_call_that_cannot_be_stopped_is_asked_after_for_as_long_as_any_phone_rings() -> None:
    case = Case()
    case.twilio.stops_ringing = False
    case.twilio.failing_hang_ups = 100
    with structlog.testing.capture_logs() as logs:
        case.late.end("twilio", "CA1", transfer_id="tr_1")
        for pause_s in (*ASK_AGAIN_S, 30.0, 30.0):
            assert not logs
            await case.clock.pass_pause(pause_s)
        await case.done()
    assert [(log["event"], log["transfer_id"]) for log in logs] == [("phone_may_be_alive", "tr_1")]
    assert case.clock.now_s > RING_MAX_S


async def test_who_is_in_a_hurry_waits_no_longer_for_a_late_call_than_for_one_that_can_be_stopped() -> None:
    case = Case()
    for carrier in case.carriers.values():
        carrier.stops_ringing = False
        carrier.failing_hang_ups = 100
    with structlog.testing.capture_logs() as logs:
        case.late.end("twilio", "CA1", transfer_id="tr_1")
        case.late.hurry()
        case.late.end("plivo", "CA1", transfer_id="tr_2")
        ending = asyncio.ensure_future(case.done())
        await case.clock.run(ending, ASK_AGAIN_S)
    assert [log["event"] for log in logs] == ["phone_rings_on", "phone_rings_on"]
    assert case.clock.now_s < sum(ASK_AGAIN_S) + 1
