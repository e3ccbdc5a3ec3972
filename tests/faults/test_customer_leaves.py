"""Whoever is in the room may go, at any time: rows F9 to F11, F13 and F40."""

from __future__ import annotations

import asyncio
import sys

import pytest

from relay.dev.carrier_call import EndedBy
from relay.dev.carrier_outcomes import Accepts, Answers, Delivery, Outcome, Rings
from relay.media.tones import NOTICE_DBFS
from relay.transfers.reasons import Reason
from relay.transfers.states import UNJOINED, State
from tests.e2e.person import Person
from tests.faults.conftest import SetStage
from tests.faults.ears import Stopwatch, notice_dbfs, until_heard_at_phone, until_heard_in_room
from tests.faults.stage import AGENT_HZ, AGENT_SAYS, BOT_HZ, BOT_SAYS, CUSTOMER_HZ

HUNG_UP_MS = 1000
"""From the customer's leaving to the end of the phone call: it costs money, and somebody would pick up for nobody."""
DIALING = Outcome(callee=Rings(), delivery=Delivery(copies=0))
"""The carrier has taken the call, and says nothing more."""
RINGING = Outcome(reply=Accepts(late_s=5), callee=Rings())
"""It rings before the carrier has answered the dial."""
ENTRIES = 6
"""Of the log of a transfer that is joined: requested, dialed, placed, rang, answered, joined."""
BOT = """
import asyncio, sys
from relay.client import RelayClient

async def main(base_url, room_url):
    async with RelayClient(base_url) as relay:
        transfer = await relay.transfer(room_url=room_url, destination="billing", bot_id="bot")
        print(transfer.transfer_id, flush=True)
        await relay.wait(transfer.transfer_id)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("outcome", "state"), [(DIALING, State.DIALING), (RINGING, State.RINGING)], ids=["dialing", "ringing"]
)
@pytest.mark.long
async def test_f9_phone_stops_ringing_when_the_customer_leaves(
    set_stage: SetStage, outcome: Outcome, state: State
) -> None:
    async with set_stage(outcome, dial_timeout_s=1.0) as stage:
        transfer_id = await stage.ask()
        call = await stage.carrier.until_call()
        await stage.until(transfer_id, state)
        await stage.store.wait(transfer_id, lambda transfer: transfer.provider_call_id is not None, timeout_s=5)
        await stage.until_in_room()
        leaving = Stopwatch()
        await stage.customer.leave()
        await stage.ended(transfer_id, State.CANCELED, Reason.CUSTOMER_LEFT)
        await call.until(lambda call: not call.is_live, "hung up", timeout_s=2)
        print(f"F9 {state}: phone hung up {leaving.hung_up_ms(call):.0f} ms after the customer left")
        assert leaving.hung_up_ms(call) < HUNG_UP_MS
        assert call.hung_up_by is EndedBy.RELAY


@pytest.mark.long
async def test_f9_dial_that_is_on_its_way_is_hung_up_when_the_carrier_says_what_it_made(set_stage: SetStage) -> None:
    late_s = 3.0  # by then we are in the room
    on_its_way = Outcome(reply=Accepts(late_s=late_s), callee=Rings(), delivery=Delivery(copies=0))
    async with set_stage(on_its_way) as stage:
        transfer_id = await stage.ask()
        call = await stage.carrier.until_call()
        placed = Stopwatch()
        await stage.until_in_room()
        await stage.customer.leave()
        await stage.ended(transfer_id, State.CANCELED, Reason.CUSTOMER_LEFT)
        assert call.is_live
        await call.until(lambda call: not call.is_live, "hung up", timeout_s=2)
        print(f"F9: phone hung up {placed.hung_up_ms(call) - 1000 * late_s:.0f} ms after its id was known")
        assert placed.hung_up_ms(call) < 1000 * late_s + HUNG_UP_MS


async def test_f9_customer_who_was_gone_before_we_came_is_waited_for_no_longer_than_the_grace(
    set_stage: SetStage,
) -> None:
    async with set_stage(DIALING, customer_grace_s=0.5) as stage:
        await stage.customer.leave()
        transfer_id = await stage.ask()
        await stage.until_in_room()
        leaving = Stopwatch()  # the grace begins now
        call = await stage.carrier.until_call()
        await stage.ended(transfer_id, State.CANCELED, Reason.CUSTOMER_LEFT)
        await call.until(lambda call: not call.is_live, "hung up", timeout_s=2)
        print(f"F9: phone hung up {leaving.hung_up_ms(call) - 500:.0f} ms after the grace")
        assert leaving.hung_up_ms(call) < 500 + HUNG_UP_MS


@pytest.mark.long
async def test_f10_agent_hears_a_notice_when_the_customer_leaves_before_they_are_joined(set_stage: SetStage) -> None:
    async with set_stage() as stage:
        on = await stage.on_call(State.ANSWERED, accept="press_1")
        await on.phone.until_heard(25)
        await stage.until_in_room()
        leaving = Stopwatch()
        await stage.customer.leave()
        await stage.ended(on.transfer_id, State.CANCELED, Reason.CUSTOMER_LEFT)
        await on.call.until(lambda call: not call.is_live, "hung up", timeout_s=2)
        level = notice_dbfs(on.phone.heard.since(leaving.began_ns))
        print(f"F10: notice at {level:.0f} dBFS, hung up {leaving.hung_up_ms(on.call):.0f} ms after the customer left")
        assert level == pytest.approx(NOTICE_DBFS, abs=3)
        assert leaving.hung_up_ms(on.call) < HUNG_UP_MS


@pytest.mark.long
async def test_f10_customer_who_leaves_at_any_moment_leaves_no_phone(set_stage: SetStage) -> None:
    numbers = [f"+1415555{number:04}" for number in range(4000, 4000 + ENTRIES)]
    async with set_stage(Outcome(callee=Answers(after_s=0.1, says=AGENT_SAYS)), customer_grace_s=0.0) as stage:
        stage.expected.add("media: expected a WebSocket")  # the end came between the document and its stream

        async def leave_after(entries: int, number: str) -> None:
            customer = await Person.enter(stage.room_url(number[1:]), "customer")
            transfer_id = await stage.ask(room=number[1:], to=number)
            async for event in stage.relay.events(transfer_id):
                if event.version == entries:
                    break
            leaving = Stopwatch()
            await customer.leave()
            view = await stage.relay.wait(transfer_id, until=State.DISCONNECTED, timeout_s=5)
            assert view.reason is Reason.CUSTOMER_LEFT
            for call in [call for call in stage.carrier.calls if call.to == number]:
                await call.until(lambda call: not call.is_live, "hung up", timeout_s=2)
                assert leaving.hung_up_ms(call) < 2 * HUNG_UP_MS  # all of them at once

        await asyncio.gather(*(leave_after(entries, number) for entries, number in enumerate(numbers, start=1)))


@pytest.mark.long
async def test_f11_transfer_goes_on_when_the_bot_dies(set_stage: SetStage) -> None:
    async with set_stage(Outcome(callee=Answers(after_s=1.0, says=AGENT_SAYS))) as stage:
        bot = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", BOT, stage.service.base_url, stage.room_url()), stdout=asyncio.subprocess.PIPE
        )
        assert bot.stdout is not None
        transfer_id = (await bot.stdout.readline()).decode().strip()
        stage.transfer_ids.append(transfer_id)
        bot.kill()
        await asyncio.gather(bot.wait(), stage.bot.leave())
        assert (await stage.relay.get(transfer_id)).state in UNJOINED
        await stage.until(transfer_id, State.JOINED)
        await until_heard_in_room(stage.customer, AGENT_HZ)
        phone = stage.carrier.calls[0].phone
        assert phone is not None
        phone.stop()
        await stage.ended(transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)


@pytest.mark.long
async def test_customer_whose_id_is_nobodys_in_the_room_is_not_taken_for_absent(set_stage: SetStage) -> None:
    grace_s = 0.2
    async with set_stage(
        Outcome(callee=Answers(after_s=5 * grace_s, says=AGENT_SAYS)), customer_grace_s=grace_s
    ) as stage:
        on = await stage.on_call(customer_id="c-1138")
        told = [entry["level"] for entry in stage.worker_logs() if entry["event"] == "customer_id_unmatched"]
        assert told == ["warning"]
        await stage.customer.leave()
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.CUSTOMER_LEFT)


@pytest.mark.long
async def test_without_ids_the_bot_passes_for_a_customer_and_the_phone_rings_on_until_it_leaves_too(
    set_stage: SetStage,
) -> None:
    async with set_stage(RINGING, dial_timeout_s=1.0) as stage:
        transfer_id = await stage.ask(bot_id=None)
        await stage.until(transfer_id, State.RINGING)
        await stage.until_in_room()
        await stage.customer.leave()
        await stage.bot.until_heard(50)
        assert (await stage.relay.get(transfer_id)).state is State.RINGING
        await stage.bot.leave()
        await stage.ended(transfer_id, State.CANCELED, Reason.CUSTOMER_LEFT)


@pytest.mark.parametrize("grace_s", [0.0, pytest.param(0.5, marks=pytest.mark.long)])
async def test_f13_phone_is_hung_up_when_the_customer_has_left_the_call(set_stage: SetStage, grace_s: float) -> None:
    async with set_stage(customer_grace_s=grace_s) as stage:
        on = await stage.on_call()
        leaving = Stopwatch()
        await stage.customer.leave()
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.CUSTOMER_LEFT)
        await on.call.until(lambda call: not call.is_live, "hung up", timeout_s=2)
        late_ms = leaving.hung_up_ms(on.call) - 1000 * grace_s
        print(f"F13: phone hung up {late_ms:.0f} ms after a grace of {grace_s:g} s")
        assert late_ms < HUNG_UP_MS
        assert notice_dbfs(on.phone.heard.since(leaving.began_ns)) == pytest.approx(NOTICE_DBFS, abs=3)


@pytest.mark.long
async def test_f40_bot_that_stays_and_listens_to_nothing_is_the_third_in_the_call(set_stage: SetStage) -> None:
    async with set_stage(Outcome(callee=Answers(says=AGENT_SAYS)), customer_grace_s=0.0) as stage:
        stage.bot.say(BOT_SAYS)
        transfer_id = await stage.ask()
        # A follower that reads nothing of what it asked for.
        url = f"{stage.service.base_url}/v1/transfers/{transfer_id}/events"
        async with stage.http.get(url) as unread:
            assert unread.status == 200
            call = await stage.carrier.until_call()
            phone = await call.until_phone()
            await stage.until(transfer_id, State.JOINED)
            for person, voices in ((stage.customer, (AGENT_HZ, BOT_HZ)), (stage.bot, (AGENT_HZ, CUSTOMER_HZ))):
                for hz in voices:
                    await until_heard_in_room(person, hz)
            for hz in (BOT_HZ, CUSTOMER_HZ):
                await until_heard_at_phone(phone, hz)
            await stage.customer.leave()
            await stage.ended(transfer_id, State.DISCONNECTED, Reason.CUSTOMER_LEFT)
