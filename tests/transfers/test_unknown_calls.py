"""Calls of which a carrier knows only the dial's id, and by that nothing any longer: over, or known by another id."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from relay.transfers.late_calls import RING_MAX_S, LateCalls
from relay.transfers.phone_leg import ASK_AGAIN_S
from relay.transfers.ports import PhoneEnded, PhoneRang, PhoneReport, Placed
from relay.transfers.reasons import Reason
from tests.transfers.clock import ManualClock
from tests.transfers.simulated import SimulatedCarrier
from tests.transfers.test_phone_leg import Case

REQUEST = "request:1"
RINGING_ON = (*ASK_AGAIN_S, 30.0, 30.0)


class ForgetfulCarrier(SimulatedCarrier):
    """It knows no call by its request's id; from the ``fails``-th hang-up on it does not answer either."""

    def __init__(self, *, fails: int | None = None) -> None:
        super().__init__()
        self.fails = fails
        self.script(Placed(REQUEST, is_final=False), makes="CA1")

    async def hang_up(self, call_id: str) -> bool | None:
        if call_id != REQUEST:
            return await super().hang_up(call_id)
        self.hang_ups.append(call_id)
        return False if self.fails is not None and len(self.hang_ups) >= self.fails else None


@pytest.mark.parametrize(("ring_timeout_s", "asked"), [(30.0, ASK_AGAIN_S), (115.0, RINGING_ON)])
async def test_f9_a_call_that_is_unknown_still_when_it_has_rung_for_its_time_is_over(
    ring_timeout_s: float, asked: tuple[float, ...]
) -> None:
    with structlog.testing.capture_logs() as logs:
        case = Case(ForgetfulCarrier(), ring_timeout_s=ring_timeout_s)
        await case.dial()
        hanging_up = asyncio.create_task(case.phone.hang_up())
        for pause_s in asked:
            assert (logs, case.phone.is_over) == ([], False)
            await case.clock.pass_pause(pause_s)
        await hanging_up
    assert case.phone.is_over
    assert [(log["event"], log["log_level"]) for log in logs] == [("call_unknown", "warning")]
    assert len(case.carrier.hang_ups) == len(asked) + 1


async def test_a_call_that_could_not_be_asked_for_at_last_may_be_alive() -> None:
    with structlog.testing.capture_logs() as logs:
        case = Case(ForgetfulCarrier(fails=len(ASK_AGAIN_S) + 1), ring_timeout_s=30.0)
        await case.dial()
        await case.clock.run(asyncio.create_task(case.phone.hang_up()), ASK_AGAIN_S)
    assert not case.phone.is_over
    assert [log["event"] for log in logs] == ["phone_may_be_alive"]


@pytest.mark.parametrize("news", [PhoneRang(), PhoneEnded(Reason.NO_ANSWER)])
async def test_a_report_that_says_which_call_it_is_ends_the_asking(news: PhoneRang | PhoneEnded) -> None:
    case = Case(ForgetfulCarrier(), ring_timeout_s=30.0)
    await case.dial()
    hanging_up = asyncio.create_task(case.phone.hang_up())
    await case.clock.until_pause(ASK_AGAIN_S[0])
    case.phone.see(PhoneReport("CA1", news, "event", REQUEST))
    await hanging_up
    assert case.phone.is_over
    assert case.carrier.hang_ups == ([REQUEST] if isinstance(news, PhoneEnded) else [REQUEST, "CA1"])


async def test_who_is_in_a_hurry_leaves_a_call_that_is_unknown_to_the_next_start() -> None:
    with structlog.testing.capture_logs() as logs:
        case = Case(ForgetfulCarrier(), ring_timeout_s=115.0)
        await case.dial()
        case.phone.hurry()
        await case.clock.run(asyncio.create_task(case.phone.hang_up()), ASK_AGAIN_S)
    assert not case.phone.is_over
    assert [(log["event"], log["log_level"]) for log in logs] == [("phone_rings_on", "warning")]


async def test_f30_a_call_that_is_unknown_at_the_next_start_is_no_error_when_no_phone_can_ring_any_longer() -> None:
    clock = ManualClock()
    with structlog.testing.capture_logs() as logs:
        late = LateCalls({"plivo": ForgetfulCarrier()}, call_later=clock.call_later)
        ending = late.end("plivo", REQUEST, transfer_id="tr_1")
        assert ending is not None
        for pause_s in RINGING_ON:
            assert not logs
            await clock.pass_pause(pause_s)
        await ending
    assert [(log["event"], log["transfer_id"]) for log in logs] == [("call_unknown", "tr_1")]
    assert clock.now_s > RING_MAX_S


async def test_a_carriers_word_that_a_call_is_over_counts_while_it_is_being_asked() -> None:
    case = Case(ring_timeout_s=30.0)
    await case.dial()
    case.carrier.failing_hang_ups = 1
    case.carrier.may_hang_up.clear()
    hanging_up = asyncio.create_task(case.phone.hang_up())
    await case.carrier.until(lambda carrier: carrier.hang_ups == ["CA1"])
    case.phone.see(PhoneReport("CA1", PhoneEnded(Reason.NO_ANSWER), "ended"))
    case.carrier.may_hang_up.set()
    await hanging_up
    assert case.carrier.hang_ups == ["CA1"]
