"""Requests, carriers, bridges, callers and time in any order: no phone is left, and none rings twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any, Final

import pytest
import uvloop
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from relay.errors import TransferError
from relay.transfers.coordinator import Grant
from relay.transfers.coordinator_settings import CoordinatorSettings
from relay.transfers.ports import (
    BothHeard,
    BridgeEnded,
    BridgeEvent,
    DialAnswer,
    KeyPressed,
    MachineDetected,
    MediaBack,
    MediaLost,
    MediaStarted,
    PhoneAlive,
    PhoneAnswered,
    PhoneEnded,
    PhoneNews,
    PhoneRang,
    PhoneReport,
    Refused,
    TryLater,
    Unclear,
)
from relay.transfers.reasons import Reason
from relay.transfers.record import Accept
from tests.transfers.coordinated import ROOM, coordinated

SETTINGS: Final = CoordinatorSettings(max_transfers=3, transfers_per_minute=10_000, transfers_per_day=100_000)
TURNS: Final = st.integers(0, 60)
"""How far everything gets before the next thing happens: the store takes some 30 turns of the loop."""
ANY: Final = st.integers(0, 20)
NEWS: Final = st.sampled_from(
    [
        *(PhoneAlive(), PhoneRang(), PhoneAnswered()),
        *(MachineDetected(is_machine=True), MachineDetected(is_machine=False)),
        *(PhoneEnded(Reason.BUSY, "486"), PhoneEnded(Reason.AGENT_HUNG_UP)),
    ]
)
BRIDGE_EVENTS: Final = st.sampled_from(
    [
        *(BothHeard(), MediaLost("reset"), MediaBack(), KeyPressed("1"), KeyPressed("2"), MediaStarted("CA999")),
        *(BridgeEnded(Reason.CUSTOMER_LEFT, ""), BridgeEnded(Reason.ROOM_DENIED, "")),
    ]
)
DIAL_ANSWERS: Final[st.SearchStrategy[DialAnswer]] = st.sampled_from(
    [
        *(TryLater(None, "429"), TryLater(5.0, "429"), Unclear("504")),
        Refused(Reason.INVALID_NUMBER, "21211", "no such number"),
    ]
)


class Interleavings(RuleBasedStateMachine):
    """
    One node; every rule lets everything go on for some turns of the loop, and rarely to its end.

    No rule has a precondition: what there is depends on a real store's time, and what is drawn must not.
    """

    store_url = ""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self.coordinated = coordinated(self.store_url, SETTINGS)
        self.case = self.run(self.coordinated.__aenter__())
        self.asked: list[asyncio.Task[Any]] = []
        self.grants: list[tuple[str, Grant]] = []
        self.unclear = 0

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def turn(self, times: int, work: Coroutine[Any, Any, Any] | None = None) -> None:
        """Begin some work, and let everything go on for so many turns."""

        async def turns() -> None:
            if work is not None:
                self.asked.append(asyncio.create_task(work))
            for _ in range(times):
                await asyncio.sleep(0)

        self.run(turns())

    # What can happen

    @rule(room=st.integers(0, 2), key=st.none() | st.integers(0, 2), accept=st.sampled_from(Accept), turns=TURNS)
    def request(self, room: int, key: int | None, accept: Accept, turns: int) -> None:
        name = None if key is None else str(key)
        self.turn(turns, self.case.request(name, f"f{key}", room_url=f"{ROOM}{room}", accept=accept))

    @rule(answer=DIAL_ANSWERS, makes_call=st.booleans())
    def the_next_dial_is_answered_so(self, answer: DialAnswer, makes_call: bool) -> None:  # noqa: FBT001
        self.unclear += 1
        is_made = makes_call and isinstance(answer, Unclear)
        self.case.carrier.script(answer, makes=f"UNCLEAR{self.unclear}" if is_made else None)

    @rule(is_open=st.booleans(), turns=TURNS)
    def the_carrier_answers_dials(self, is_open: bool, turns: int) -> None:  # noqa: FBT001
        _open(self.case.carrier.may_dial, is_open=is_open)
        self.turn(turns)

    @rule(is_open=st.booleans(), failing=st.integers(0, 3), turns=TURNS)
    def the_carrier_hangs_up(self, is_open: bool, failing: int, turns: int) -> None:  # noqa: FBT001
        _open(self.case.carrier.may_hang_up, is_open=is_open)
        self.case.carrier.failing_hang_ups = failing
        self.turn(turns)

    @rule(is_listed=st.booleans())
    def the_carrier_lists_its_calls(self, is_listed: bool) -> None:  # noqa: FBT001
        self.case.carrier.lists_calls = is_listed

    @rule(which=ANY, news=NEWS, turns=TURNS)
    def report(self, which: int, news: PhoneNews, turns: int) -> None:
        if not self.case.carrier.made:
            return
        call_id, order = _pick(self.case.carrier.made, which)
        if isinstance(news, PhoneEnded):
            self.case.carrier.alive.pop(call_id, None)
        report = PhoneReport(call_id, news, f"{call_id}/{type(news).__name__}")
        self.turn(turns, self.case.coordinator.report(order.transfer_id, "twilio", report))

    @rule(which=ANY, stream=st.integers(0, 2), turns=TURNS)
    def answer(self, which: int, stream: int, turns: int) -> None:
        if not self.case.carrier.made:
            return
        call_id, order = _pick(self.case.carrier.made, which)

        async def ask() -> None:
            grant = await self.case.answer(order.transfer_id, stream, call_id=call_id)
            if grant is not None:
                self.grants.append((order.transfer_id, grant))

        self.turn(turns, ask())

    @rule(which=ANY, turns=TURNS)
    def open_stream(self, which: int, turns: int) -> None:
        if not self.grants:
            return
        transfer_id, grant = _pick(self.grants, which)

        async def upgrade() -> None:
            if await self.case.admits(transfer_id, grant):
                call_id = next(call for call, order in self.case.carrier.made if order.transfer_id == transfer_id)
                self.case.bridge(transfer_id).emit(MediaStarted(call_id))

        self.turn(turns, upgrade())

    @rule(which=ANY, turns=st.integers(0, 300))
    def agent_picks_up_and_talks(self, which: int, turns: int) -> None:
        """What mostly happens, which single things rarely come to."""
        if not self.case.carrier.made:
            return
        call_id, order = _pick(self.case.carrier.made, which)

        async def talk() -> None:
            grant = await self.case.answer(order.transfer_id, call_id=call_id)
            if await self.case.admits(order.transfer_id, grant):
                person = PhoneReport(call_id, MachineDetected(is_machine=False), "person")
                await self.case.coordinator.report(order.transfer_id, "twilio", person)
                for event in (MediaStarted(call_id), KeyPressed("1"), BothHeard()):
                    self.case.bridge(order.transfer_id).emit(event)

        self.turn(turns, talk())

    @rule(which=ANY, event=BRIDGE_EVENTS, turns=TURNS)
    def bridge_tells(self, which: int, event: BridgeEvent, turns: int) -> None:
        if self.case.bridges.made:
            _pick(self.case.bridges.made, which).emit(event)
            self.turn(turns)

    @rule(which=ANY, turns=TURNS)
    def cancel(self, which: int, turns: int) -> None:
        if self.case.latest:
            self.turn(turns, self.case.coordinator.cancel(_pick(sorted(self.case.latest), which)))

    @rule(duration_s=st.sampled_from([0.25, 0.5, 1.0, 5.0, 10.0, 30.0, 61.0]), turns=TURNS)
    def time_passes(self, duration_s: float, turns: int) -> None:
        self.case.clock.advance(duration_s)
        self.turn(turns)

    # What always holds

    @invariant()
    def no_phone_is_called_twice(self) -> None:
        calls = Counter(order.transfer_id for _, order in self.case.carrier.made)
        assert max(calls.values(), default=0) <= 1

    @invariant()
    def no_room_has_two_live_transfers(self) -> None:
        live = Counter(transfer.room_url for transfer in self.case.latest.values() if not transfer.is_terminal)
        assert max(live.values(), default=0) <= 1

    @invariant()
    def no_more_places_are_taken_than_there_are(self) -> None:
        assert self.case.coordinator.live_count <= SETTINGS.max_transfers

    def teardown(self) -> None:
        """Everything comes to its end, and the five invariants hold."""
        try:
            self.run(self._end())
            self.run(self.coordinated.__aexit__(None, None, None))
            self.run(_nothing_is_left())
        finally:
            self.runner.close()

    async def _end(self) -> None:
        carrier, coordinator = self.case.carrier, self.case.coordinator
        carrier.failing_hang_ups, carrier.lists_calls = 0, True
        for gate in (carrier.may_dial, carrier.may_hang_up):
            gate.set()
        await self._as_time_passes(coordinator.shut_down(drain_timeout_s=0))
        # Of a dial that was unclear the carrier may have told nothing yet: it does at last, and the call is ended.
        for call_id, order in carrier.made:
            if call_id in carrier.alive:
                await coordinator.report(order.transfer_id, "twilio", PhoneReport(call_id, PhoneAlive(), "late"))
        await self._as_time_passes(coordinator.shut_down(drain_timeout_s=0))
        results = await asyncio.gather(*self.asked, return_exceptions=True)
        assert [result for result in results if isinstance(result, BaseException) and not _is_refusal(result)] == []

    async def _as_time_passes(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        while not task.done():
            self.case.clock.advance(0.25)
            await asyncio.sleep(0)
        await task


def _pick(choices: Any, which: int) -> Any:
    return choices[which % len(choices)]


def _open(gate: asyncio.Event, *, is_open: bool) -> None:
    if is_open:
        gate.set()
    else:
        gate.clear()


def _is_refusal(result: BaseException) -> bool:
    return isinstance(result, TransferError)


async def _nothing_is_left() -> None:
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.long
def test_whatever_happens_in_whatever_order_no_phone_is_left(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Interleavings, "store_url", store_url)
    run_state_machine_as_test(Interleavings, settings=settings(max_examples=200, stateful_step_count=40))
