"""When the customer is gone: at once before both are heard, after the grace from then on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import pytest
import structlog

from relay.bridge.customer import LATE_S, CustomerWatch
from relay.bridge.presence import Presence
from relay.rooms.base import Participant

CUSTOMER, BOT = Participant("c-1", "Ada"), Participant("b-1", "bot")


@dataclass
class Timer:
    due_s: float
    call: Callable[[], None]
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True


@dataclass
class Case:
    """A watch whose time passes when the test says so."""

    grace_s: float = 5.0
    customer_id: str = "c-1"
    now_s: float = 100.0
    gone: list[str] = field(default_factory=list)
    timers: list[Timer] = field(default_factory=list)
    watch: CustomerWatch = field(init=False)

    def __post_init__(self) -> None:
        self.watch = CustomerWatch(
            Presence(customer_id=self.customer_id, bot_id="b-1"),
            log=structlog.get_logger(),
            grace_s=self.grace_s,
            on_gone=self.gone.append,
            clock=lambda: round(self.now_s * 1e9),
            call_later=self._call_later,
        )

    def _call_later(self, after_s: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        self.timers.append(Timer(self.now_s + after_s, call))
        return cast("asyncio.TimerHandle", self.timers[-1])

    def fire(self, *, late_s: float = 0.0) -> None:
        """Let the latest timer be due."""
        timer = self.timers[-1]
        assert not timer.is_cancelled
        self.now_s = timer.due_s + late_s
        timer.call()


def talking(grace_s: float = 5.0) -> Case:
    """Agent and customer are joined."""
    case = Case(grace_s)
    case.watch.joined_room([CUSTOMER, BOT])
    case.watch.joined()
    return case


def test_f9_before_both_are_heard_leaving_counts_at_once() -> None:
    case = Case()
    case.watch.joined_room([CUSTOMER, BOT])
    case.watch.left(BOT)
    assert case.gone == []
    case.watch.left(CUSTOMER)
    assert case.gone == ["the customer left before both were heard"]
    assert case.timers == []


def test_f9_customer_who_left_while_the_room_was_being_joined_is_gone_at_once() -> None:
    case = Case()
    case.watch.left(CUSTOMER)
    assert case.gone == []
    case.watch.joined_room([CUSTOMER, BOT])
    assert len(case.gone) == 1


def test_customer_who_was_never_seen_has_the_grace_to_come() -> None:
    case = Case()
    case.watch.joined_room([BOT])
    assert case.gone == []
    case.fire()
    assert case.gone == ["no customer in the room for 5 s"]


def test_f13_after_it_the_grace_is_kept_to_the_moment() -> None:
    case = talking()
    case.now_s += 7
    case.watch.left(CUSTOMER)
    assert case.timers[-1].due_s == pytest.approx(case.now_s + 5)
    case.fire(late_s=-0.001)
    assert case.gone == []
    case.fire(late_s=0.001)
    assert case.gone == ["no customer in the room for 5 s"]


def test_customer_who_comes_back_stops_the_timer() -> None:
    case = talking()
    case.watch.left(CUSTOMER)
    case.watch.came(Participant("c-1", "Ada"))
    assert case.timers[-1].is_cancelled
    case.watch.left(CUSTOMER)
    case.fire()
    assert len(case.gone) == 1


def test_who_else_comes_and_goes_changes_nothing() -> None:
    case = talking()
    case.watch.left(CUSTOMER)
    case.watch.left(BOT)
    case.watch.came(BOT)
    assert len(case.timers) == 1
    assert case.watch.count == 1


@pytest.mark.parametrize(("customer_id", "warned"), [("c-1138", 1), ("c-1", 0)])
def test_id_that_is_nobodys_is_told_once_and_ends_nothing(customer_id: str, warned: int) -> None:
    with structlog.testing.capture_logs() as logs:
        case = Case(customer_id=customer_id)
        case.watch.joined_room([CUSTOMER, BOT])
        case.watch.came(Participant("o-1", "Oz"))
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("customer_id_unmatched", "warning")] * warned
    assert case.timers == []
    assert case.gone == []


def test_no_grace_means_at_once() -> None:
    case = talking(grace_s=0)
    case.watch.left(CUSTOMER)
    assert case.gone == ["no customer in the room for 0 s"]


def test_timer_that_is_very_late_gives_those_who_came_back_a_second_to_be_read() -> None:
    case = talking()
    case.watch.left(CUSTOMER)
    case.fire(late_s=LATE_S + 0.1)
    assert case.gone == []
    case.watch.came(CUSTOMER)
    assert case.timers[-1].is_cancelled
    case.watch.left(CUSTOMER)
    case.fire(late_s=LATE_S + 0.1)
    case.fire()
    assert len(case.gone) == 1


def test_stopped_it_says_nothing_more() -> None:
    case = talking()
    case.watch.left(CUSTOMER)
    case.watch.stop()
    assert case.timers[-1].is_cancelled
