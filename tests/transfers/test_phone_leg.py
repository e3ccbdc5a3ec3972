"""The phone of one transfer: one dial, and hang-ups until it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
import structlog

from relay.transfers.phone_leg import ASK_AGAIN_S, EMPTY_LISTS, REDIAL_S, PhoneLeg
from relay.transfers.ports import (
    DialAnswer,
    DialOrder,
    PhoneEnded,
    PhoneRang,
    PhoneReport,
    Placed,
    Refused,
    TryLater,
    Unclear,
)
from relay.transfers.reasons import Reason
from tests.transfers.clock import ManualClock
from tests.transfers.simulated import SimulatedCarrier

ORDER = DialOrder("tr_1", "+14155550123", "+14155550100", 30.0, 3600.0, detect_machine=False)


class Case:
    """A phone leg, its carrier, and its clock."""

    def __init__(
        self, carrier: SimulatedCarrier | None = None, *, others: Sequence[str] = (), ring_timeout_s: float = 30.0
    ) -> None:
        self.carrier = carrier or SimulatedCarrier()
        self.clock = ManualClock()
        self.answers: asyncio.Queue[DialAnswer] = asyncio.Queue()
        self.phone = PhoneLeg(
            self.carrier,
            replace(ORDER, ring_timeout_s=ring_timeout_s),
            on_answer=self.answers.put_nowait,
            is_anothers=lambda call_id: call_id in others,
            call_later=self.clock.call_later,
            log=structlog.get_logger(),
        )

    async def dial(self) -> DialAnswer:
        self.phone.dial()
        return await self.answers.get()

    async def dial_in_flight(self) -> None:
        """The dial has reached the carrier, which does not answer yet."""
        self.carrier.may_dial.clear()
        self.phone.dial()
        await self.carrier.until(lambda carrier: len(carrier.dials) == 1)


class BrokenCarrier(SimulatedCarrier):
    """Its adapter has a defect."""

    async def dial(self, order: DialOrder) -> DialAnswer:
        self.dials.append(order)
        raise RuntimeError("a defect")


def ended(call_id: str) -> PhoneReport:
    return PhoneReport(call_id, PhoneEnded(Reason.NO_ANSWER), "ended")


async def test_dials_once_and_tells_the_answer() -> None:
    case = Case()
    assert not case.phone.has_begun
    assert await case.dial() == Placed("CA1")
    assert (case.phone.call_id, case.carrier.dials, case.phone.has_begun) == ("CA1", [ORDER], True)
    with pytest.raises(RuntimeError, match="expected one dial"):
        case.phone.dial()
    await case.phone.hang_up()
    assert (case.carrier.hang_ups, case.carrier.alive) == (["CA1"], {})


async def test_f6_a_dial_not_taken_is_sent_again_after_growing_pauses() -> None:
    case = Case()
    for after_s in (None, None, 7.0, 0.0, None):
        case.carrier.script(TryLater(after_s, "429"))
    case.phone.dial()
    for pause_s in (REDIAL_S[0], REDIAL_S[1], 7.0, REDIAL_S[3], REDIAL_S[3]):
        await case.clock.pass_pause(pause_s)
    assert await case.answers.get() == Placed("CA6")
    await case.phone.hang_up()


async def test_is_placing_while_a_dial_is_in_flight_or_was_unclear() -> None:
    case = Case()
    case.carrier.script(TryLater(None, "429"))
    case.carrier.script(Unclear("504"), makes="CA2")
    assert not case.phone.is_placing
    await case.dial_in_flight()
    assert case.phone.is_placing
    case.carrier.may_dial.set()
    await case.clock.until_pause(0.5)
    assert not case.phone.is_placing
    case.carrier.may_dial.clear()
    case.clock.advance(0.5)
    await case.carrier.until(lambda carrier: len(carrier.dials) == 2)
    assert case.phone.is_placing, "the second dial may have made a call already"
    case.carrier.may_dial.set()
    assert await case.answers.get() == Unclear("504")
    assert case.phone.is_placing
    case.phone.know("CA2")
    assert not case.phone.is_placing
    await case.phone.hang_up()


async def test_a_refused_dial_is_not_placing() -> None:
    case = Case()
    case.carrier.script(Refused(Reason.INVALID_NUMBER, "21211", "no such number"))
    await case.dial()
    assert not case.phone.is_placing
    await case.phone.hang_up()
    assert case.carrier.hang_ups == []


async def test_a_busy_carrier_that_has_made_a_call_is_not_dialled_again() -> None:
    """It answers 429, and still rings the phone: its callback is what counts."""
    case = Case()
    case.carrier.script(TryLater(60.0, "429"), makes="CA1")
    case.phone.dial()
    await case.carrier.until(lambda carrier: "CA1" in carrier.alive)
    await case.clock.until_pause(60.0)
    assert case.phone.see(PhoneReport("CA1", PhoneRang(), "rang"))
    case.clock.advance(60.0)
    assert case.phone._dialing is not None
    await case.phone._dialing
    await case.phone.hang_up()
    assert (len(case.carrier.dials), case.carrier.alive) == (1, {})


async def test_hanging_up_ends_the_pause_before_the_next_dial() -> None:
    case = Case()
    case.carrier.script(TryLater(3600.0, "429"))
    case.phone.dial()
    await case.clock.until_pause(3600.0)
    await case.phone.hang_up()
    assert len(case.carrier.dials) == 1
    assert case.clock.delays_s == []


async def test_a_carrier_that_turns_out_busy_after_the_hang_up_is_not_waited_for() -> None:
    case = Case()
    case.carrier.script(TryLater(3600.0, "429"))
    await case.dial_in_flight()
    hanging_up = asyncio.create_task(case.phone.hang_up())
    await asyncio.sleep(0)
    case.carrier.may_dial.set()
    await hanging_up
    assert len(case.carrier.dials) == 1


async def test_nothing_is_dialled_once_no_dial_may_be_sent() -> None:
    case = Case()
    case.phone.dial_no_more()
    case.phone.dial()
    await case.phone.hang_up()
    assert (case.carrier.dials, case.phone.has_begun) == ([], False)


async def test_no_dial_is_sent_when_it_is_called_off_before_its_task_runs() -> None:
    case = Case()
    case.phone.dial()
    await case.phone.hang_up()
    assert case.carrier.dials == []


async def test_a_call_that_is_placed_after_the_hang_up_is_hung_up_at_once() -> None:
    case = Case()
    await case.dial_in_flight()
    hanging_up = asyncio.create_task(case.phone.hang_up())
    await asyncio.sleep(0)
    assert not hanging_up.done()
    case.carrier.may_dial.set()
    await hanging_up
    assert (case.carrier.hang_ups, case.carrier.alive) == (["CA1"], {})


async def test_a_call_that_a_callback_names_after_the_hang_up_is_hung_up_before_the_dial_answers() -> None:
    case = Case()
    await case.dial_in_flight()
    hanging_up = asyncio.create_task(case.phone.hang_up())
    await asyncio.sleep(0)
    case.phone.know("CA1")
    await case.carrier.until(lambda carrier: carrier.alive == {})
    case.carrier.may_dial.set()
    await hanging_up
    assert case.carrier.hang_ups == ["CA1"]


async def test_a_hang_up_that_fails_is_asked_again_until_it_is_done() -> None:
    case = Case()
    await case.dial()
    case.carrier.failing_hang_ups = 3
    hanging_up = asyncio.create_task(case.phone.hang_up())
    for pause_s in ASK_AGAIN_S[:3]:
        await case.clock.pass_pause(pause_s)
    await hanging_up
    assert (len(case.carrier.hang_ups), case.carrier.alive) == (4, {})


async def test_a_hang_up_is_given_up_after_a_minute_with_an_error() -> None:
    case = Case()
    await case.dial()
    case.carrier.failing_hang_ups = 100
    with structlog.testing.capture_logs() as logs:
        hanging_up = asyncio.create_task(case.phone.hang_up())
        for pause_s in ASK_AGAIN_S:
            await case.clock.pass_pause(pause_s)
        await hanging_up
    assert case.clock.now_s == pytest.approx(60.75)
    assert [log["event"] for log in logs if log["log_level"] == "error"] == ["phone_may_be_alive"]
    # It shows that it is alive: it is ended again.
    case.carrier.failing_hang_ups = 0
    case.phone.see(PhoneReport("CA1", PhoneRang(), "rang"))
    await case.phone.settle()
    assert case.carrier.alive == {}


async def test_a_call_that_ends_by_itself_is_not_asked_for_again() -> None:
    case = Case()
    await case.dial()
    case.carrier.failing_hang_ups = 1
    hanging_up = asyncio.create_task(case.phone.hang_up())
    await case.clock.until_pause(0.25)
    case.carrier.end("CA1")
    case.phone.see(ended("CA1"))
    await hanging_up
    assert case.carrier.hang_ups == ["CA1"]


async def test_a_call_that_is_over_is_not_hung_up() -> None:
    case = Case()
    await case.dial()
    case.carrier.end("CA1")
    assert case.phone.see(ended("CA1"))
    await case.phone.hang_up()
    assert case.carrier.hang_ups == []


async def test_a_second_call_of_one_dial_is_hung_up() -> None:
    case = Case()
    await case.dial()
    case.carrier.alive["CA2"] = ORDER
    assert not case.phone.see(PhoneReport("CA2", PhoneRang(), "rang"))
    await case.phone.settle()
    assert list(case.carrier.alive) == ["CA1"]
    await case.phone.hang_up()


@pytest.mark.parametrize(
    ("alive", "others", "hung_up"),
    [
        (["CA8"], [], ["CA8"]),
        (["CA8", "CA9"], ["CA9"], ["CA8"]),
        (["CA8", "CA9"], [], []),
        (["CA9"], ["CA9"], []),
        ([], [], []),
    ],
    ids=["the only one", "the only one that is not another's", "nobody can say which", "another's", "none"],
)
async def test_f7_a_call_that_may_have_been_made_is_looked_for(
    alive: list[str], others: list[str], hung_up: list[str]
) -> None:
    case = Case(others=others)
    case.carrier.script(Unclear("time-out"))
    case.carrier.alive.update(dict.fromkeys(alive, ORDER))
    await case.dial()
    with structlog.testing.capture_logs() as logs:
        hanging_up = asyncio.create_task(case.phone.hang_up())
        for pause_s in () if alive else ASK_AGAIN_S[:EMPTY_LISTS]:
            await case.clock.pass_pause(pause_s)
        await hanging_up
    assert case.carrier.hang_ups == hung_up
    assert [log["event"] for log in logs] == ([] if hung_up else ["dial_unknown"])


async def test_f7_a_carrier_that_cannot_be_asked_for_its_calls_is_asked_again() -> None:
    case = Case()
    case.carrier.script(Unclear("time-out"), makes="CA1")
    case.carrier.lists_calls = False
    await case.dial()
    hanging_up = asyncio.create_task(case.phone.hang_up())
    for pause_s in ASK_AGAIN_S[:2]:
        await case.clock.pass_pause(pause_s)
    await case.clock.until_pause(ASK_AGAIN_S[2])
    case.carrier.lists_calls = True
    case.clock.advance(ASK_AGAIN_S[2])
    await hanging_up
    assert case.carrier.alive == {}


async def test_f7_a_carrier_that_has_no_list_is_not_asked_for_one_and_not_taken_to_have_made_no_call() -> None:
    case = Case()
    case.carrier.script(Unclear("time-out"), makes="CA1")
    case.carrier.has_list = False
    await case.dial()
    with structlog.testing.capture_logs() as logs:
        await case.phone.hang_up()
    assert (case.carrier.sought, case.clock.delays_s) == ([], [])
    assert [(log["event"], log["found"]) for log in logs] == [("dial_unknown", None)]
    case.phone.know("CA1")  # by its callback, later
    await case.phone.settle()
    assert case.carrier.alive == {}


async def test_f7_a_list_that_lags_behind_the_dial_is_asked_for_again() -> None:
    case = Case()
    case.carrier.script(Unclear("time-out", sent_s=7.0))
    await case.dial()
    hanging_up = asyncio.create_task(case.phone.hang_up())
    await case.clock.until_pause(ASK_AGAIN_S[0])
    case.carrier.alive["CA1"] = ORDER
    case.clock.advance(ASK_AGAIN_S[0])
    await hanging_up
    assert case.carrier.sought == [7.0, 7.0], "calls of this dial"
    assert (case.carrier.alive, case.carrier.hang_ups) == ({}, ["CA1"])


async def test_f7_a_callback_ends_the_search_for_its_call() -> None:
    case = Case()
    case.carrier.script(Unclear("time-out"), makes="CA1")
    case.carrier.lists_calls = False
    await case.dial()
    hanging_up = asyncio.create_task(case.phone.hang_up())
    await case.clock.until_pause(0.25)
    case.phone.know("CA1")
    await hanging_up
    assert (case.carrier.alive, case.carrier.hang_ups) == ({}, ["CA1"])


async def test_a_carrier_that_raises_leaves_the_dial_unclear() -> None:
    case = Case(BrokenCarrier())
    assert await case.dial() == Unclear("RuntimeError")
    case.phone.know("CA1")
    await case.phone.hang_up()
    assert (len(case.carrier.dials), case.carrier.hang_ups) == (1, ["CA1"])
