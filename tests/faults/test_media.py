"""What can happen to the carrier's media stream, and that each end is one: rows F12 and F14 to F17."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from websockets.exceptions import InvalidStatus

from relay.dev.carrier_call import EndedBy
from relay.dev.carrier_outcomes import Answers, Outcome
from relay.dev.phone import HangUp, Network, SimulatedPhone
from relay.errors import StoreUnavailable
from relay.transfers.reasons import Reason
from relay.transfers.states import Event, State
from tests.e2e.machine import AFTER_NS, LoopWatch
from tests.faults.conftest import SetStage
from tests.faults.ears import Stopwatch, last_heard_ns, longest_gap_ms, until_heard_at_phone, until_heard_in_room
from tests.faults.stage import AGENT_HZ, AGENT_SAYS, CUSTOMER_HZ, OnCall, Stage, black_hole

TAIL_MS = 100
"""How long an agent who has hung up may still be heard."""
GAP_MS = 1000
"""From the last of a stream to the first of the next. Measured: 50 to 120 ms, and up to 500 ms on a busy machine."""
SPEAKS = Outcome(callee=Answers(says=AGENT_SAYS))
COMES_BACK = Outcome(callee=Answers(says=AGENT_SAYS, reconnects=True))
MEDIA_URL = re.compile(r'url="([^"]+)"')


async def until_heard(stage: Stage, phone: SimulatedPhone) -> None:
    """Return when agent and customer hear each other."""
    await until_heard_in_room(stage.customer, AGENT_HZ)
    await until_heard_at_phone(phone, CUSTOMER_HZ)


async def until_reconnecting(stage: Stage, transfer_id: str, *, value: bool) -> None:
    transfer = await stage.store.wait(transfer_id, lambda transfer: transfer.reconnecting is value, timeout_s=25)
    assert transfer is not None
    assert (transfer.state, transfer.reconnecting) == (State.JOINED, value)


async def events_of(stage: Stage, transfer_id: str) -> list[Event | None]:
    return [entry.event for entry in await stage.store.events(transfer_id)]


async def test_f12_agent_who_hangs_up_is_not_heard_any_longer(set_stage: SetStage) -> None:
    async with set_stage(SPEAKS) as stage:
        on = await stage.on_call()
        await until_heard(stage, on.phone)
        watch = LoopWatch()
        watch.start()
        hanging_up = Stopwatch()
        on.phone.stop()
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)
        await stage.customer.until_heard(15)
        watch.stop()
        tail_ms = (last_heard_ns(stage.customer, AGENT_HZ) - hanging_up.began_ns) / 1e6
        stalled_ms = sum(end_ns - AFTER_NS - start_ns for start_ns, end_ns in watch.stalls_ns) / 1e6
        print(f"F12: heard for {tail_ms:.0f} ms after hanging up; the machine stalled for {stalled_ms:.0f} ms")
        assert -100 < tail_ms < TAIL_MS + stalled_ms
        assert stage.customer.is_in


@pytest.mark.parametrize("how", [HangUp.RESET, HangUp.FIN, HangUp.SILENCE])
@pytest.mark.long
async def test_f14_call_goes_on_over_the_stream_that_the_carrier_opens_next(
    set_stage: SetStage, soon: None, how: HangUp
) -> None:
    async with set_stage(COMES_BACK) as stage:
        await check_reconnects(stage, how, unheard_ms=900 if how is HangUp.SILENCE else 0)


@pytest.mark.long
async def test_f14_black_hole_is_noticed_within_the_real_bounds(set_stage: SetStage) -> None:
    async with set_stage(COMES_BACK) as stage:
        await check_reconnects(stage, HangUp.SILENCE, unheard_ms=13_000)


async def check_reconnects(stage: Stage, how: HangUp, *, unheard_ms: float) -> None:
    on = await stage.on_call()
    await until_heard(stage, on.phone)
    breaking = Stopwatch()
    on.phone.hang_up(how)
    await until_reconnecting(stage, on.transfer_id, value=True)
    await until_reconnecting(stage, on.transfer_id, value=False)
    await on.call.until(lambda call: len(call.phones) == 2, "the next stream")
    await until_heard(stage, on.call.phones[1])
    gap_ms = longest_gap_ms(stage.customer, AGENT_HZ, breaking.began_ns)
    print(f"F14 {how.name}: the agent was not heard for {gap_ms:.0f} ms")
    assert gap_ms < GAP_MS + unheard_ms
    first_url, second_url = (MEDIA_URL.search(document)[1] for document in on.call.answer_documents)  # type: ignore[index]
    assert first_url != second_url
    for used_url in (first_url, second_url):
        assert await status_of_upgrade(stage, used_url) == 403
    assert (await events_of(stage, on.transfer_id)).count(Event.MEDIA_LOST) == 1
    on.call.phones[1].stop()
    await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)


async def test_f39_call_whose_media_come_byte_by_byte_is_as_any_other(set_stage: SetStage) -> None:
    """Every byte of the upgrade and of the media in a segment of its own; two processes read them."""
    crumbs = Network(segment_bytes=1)
    async with set_stage(Outcome(callee=Answers(says=AGENT_SAYS, network=crumbs))) as stage:
        on = await stage.on_call()
        await until_heard(stage, on.phone)
        on.phone.stop()
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)


async def status_of_upgrade(stage: Stage, url: str) -> int:
    """What somebody is answered who has the carrier's signature, and brings a media URL again."""
    _, headers = stage.carrier._sending.signed_upgrade(url)
    with pytest.raises(InvalidStatus) as refused:
        async with SimulatedPhone(url, headers=headers):
            pass
    return int(refused.value.response.status_code)


async def test_f14_call_whose_first_stream_could_not_be_opened_goes_on_over_the_next(
    set_stage: SetStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with set_stage(COMES_BACK) as stage:
        stage.expected.add("media: expected a WebSocket")
        coordinator = stage.service.services.coordinator
        admits = coordinator.admits

        async def refuses_once(*upgrade: str) -> bool:
            monkeypatch.setattr(coordinator, "admits", admits)
            raise StoreUnavailable("a second in which nobody can say")

        monkeypatch.setattr(coordinator, "admits", refuses_once)
        on = await stage.on_call()
        await until_heard(stage, on.phone)
        assert (len(on.call.answer_documents), len(on.call.phones)) == (2, 1)
        on.phone.stop()
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)


async def test_f14_carrier_that_ends_the_call_with_its_stream_has_lost_it(set_stage: SetStage) -> None:
    """Whose word comes first, the carrier's or the worker's, is no matter."""
    async with set_stage(SPEAKS) as stage:
        on = await stage.on_call()
        on.phone.hang_up(HangUp.RESET)
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.MEDIA_LOST, within_s=3)
        assert on.call.hung_up_by is EndedBy.NETWORK


@pytest.mark.long
async def test_f14_stream_that_does_not_come_back_is_waited_for_so_long_and_the_phone_hung_up(
    set_stage: SetStage, soon: None
) -> None:
    async with set_stage(SPEAKS, reconnect_timeout_s=0.8) as stage:
        on = await stage.on_call()
        await black_hole(stage, on)
        lost = Stopwatch()
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.MEDIA_LOST, within_s=3)
        assert 700 < lost.elapsed_ms < 1500
        await on.call.until(lambda call: not call.is_live, "hung up", timeout_s=1)
        assert on.call.hung_up_by is EndedBy.RELAY


async def test_f15_stream_without_media_from_the_start_is_no_call(set_stage: SetStage, soon: None) -> None:
    async with set_stage(Outcome(callee=Answers(media_for_s=0))) as stage:
        transfer_id = await stage.ask()
        call = await stage.carrier.until_call()
        await call.until_phone()
        view = await stage.ended(transfer_id, State.FAILED, Reason.MEDIA_TIMEOUT, within_s=3)
        assert State.JOINED not in view.times


@pytest.mark.long
async def test_f15_stream_whose_media_stops_is_replaced(set_stage: SetStage, soon: None) -> None:
    async with set_stage(SPEAKS) as stage:
        on = await stage.on_call()
        withholding = Stopwatch()
        on.phone.withhold_media()
        await until_reconnecting(stage, on.transfer_id, value=True)
        await until_reconnecting(stage, on.transfer_id, value=False)
        assert len(on.call.phones) == 2
        await until_heard(stage, on.call.phones[1])
        gap_ms = longest_gap_ms(stage.customer, AGENT_HZ, withholding.began_ns)
        print(f"F15: the agent was not heard for {gap_ms:.0f} ms, 600 of them waiting")
        assert gap_ms < 600 + GAP_MS
        on.call.phones[1].stop()
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)


def stop_without_close(on: OnCall) -> None:
    on.phone.end_media()
    on.phone.send_text(on.phone._wire.stop())


def close_without_stop(on: OnCall) -> None:
    on.phone.hang_up(HangUp.CLOSE)


def media_after_stop(on: OnCall) -> None:
    on.phone.stop(frames_after=20)


def second_start(on: OnCall) -> None:
    on.phone.start_again()
    on.phone.stop()


def second_stop(on: OnCall) -> None:
    on.phone.send_text(on.phone._wire.stop())
    on.phone.stop()


@pytest.mark.parametrize("end", [stop_without_close, close_without_stop, media_after_stop, second_start, second_stop])
@pytest.mark.long
async def test_f16_however_a_stream_ends_the_call_ends_once(set_stage: SetStage, end: Callable[[OnCall], None]) -> None:
    async with set_stage(SPEAKS) as stage:
        on = await stage.on_call()
        end(on)
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP, within_s=2)
        wanted = [None, Event.DIALED, Event.PLACED, Event.RANG, Event.ANSWERED, Event.JOINED, Event.ENDED]
        assert await events_of(stage, on.transfer_id) == wanted


async def test_f16_second_start_in_the_middle_of_a_call_changes_nothing(set_stage: SetStage) -> None:
    async with set_stage(SPEAKS) as stage:
        on = await stage.on_call()
        on.phone.start_again()
        await until_heard(stage, on.phone)
        on.phone.stop()
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)
        assert (await events_of(stage, on.transfer_id)).count(Event.JOINED) == 1


async def test_f14_stream_that_need_not_come_back_is_not_waited_for(set_stage: SetStage) -> None:
    async with set_stage(COMES_BACK, reconnect_timeout_s=0.0) as stage:
        on = await stage.on_call()
        breaking = Stopwatch()
        on.phone.hang_up(HangUp.RESET)
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.MEDIA_LOST, within_s=2)
        await on.call.until(lambda call: not call.is_live, "hung up", timeout_s=1)
        assert breaking.hung_up_ms(on.call) < 1000
        assert len(on.call.phones) == 1
