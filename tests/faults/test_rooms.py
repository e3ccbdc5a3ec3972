"""A room that cannot be joined, not in time, or not any longer: rows F18 to F20."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from relay.dev.carrier_outcomes import Answers, Outcome, Rings
from relay.media.tones import NOTICE_DBFS
from relay.transfers.reasons import Reason
from relay.transfers.states import State
from tests.faults.conftest import SetStage
from tests.faults.door import Door
from tests.faults.ears import Stopwatch, notice_dbfs
from tests.faults.stage import AGENT_SAYS

HUNG_UP_MS = 1000
IMPATIENT = (sys.executable, str(Path(__file__).with_name("impatient_worker.py")))
ENDS = {"refuse": Reason.ROOM_DENIED, "slam": Reason.ROOM_UNREACHABLE}
SPEAKS = Outcome(callee=Answers(says=AGENT_SAYS))


@pytest.mark.parametrize("end", ENDS)
async def test_f18_phone_stops_ringing_when_the_room_is_not_to_be_joined(set_stage: SetStage, end: str) -> None:
    async with Door() as door, set_stage(Outcome(callee=Rings()), rooms_origin=door.origin) as stage:
        transfer_id = await stage.ask(room_url=f"{door.origin}/rooms/blue")
        await stage.until(transfer_id, State.RINGING)
        call = stage.carrier.calls[0]
        ending = Stopwatch()
        getattr(door, end)()
        await stage.ended(transfer_id, State.FAILED, ENDS[end], within_s=2)
        await call.until(lambda call: not call.is_live, "hung up", timeout_s=2)
        print(f"F18 {end}: phone hung up after {ending.hung_up_ms(call):.0f} ms")
        assert ending.hung_up_ms(call) < HUNG_UP_MS
        assert stage.customer.is_in


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.long
async def test_f18_agent_on_the_line_hears_a_notice(set_stage: SetStage, end: str) -> None:
    async with Door() as door, set_stage(rooms_origin=door.origin) as stage:
        on = await stage.on_call(State.ANSWERED, room_url=f"{door.origin}/rooms/blue")
        await on.phone.until_said(10)
        ending = Stopwatch()
        getattr(door, end)()
        await stage.ended(on.transfer_id, State.FAILED, ENDS[end], within_s=2)
        await on.call.until(lambda call: not call.is_live, "hung up", timeout_s=2)
        assert notice_dbfs(on.phone.heard.since(ending.began_ns)) == pytest.approx(NOTICE_DBFS, abs=3)
        assert ending.hung_up_ms(on.call) < HUNG_UP_MS


async def test_f18_room_server_that_is_not_there_is_unreachable(set_stage: SetStage) -> None:
    async with Door() as door:
        origin = door.origin
    async with set_stage(Outcome(callee=Rings()), rooms_origin=origin) as stage:
        transfer_id = await stage.ask(room_url=f"{origin}/rooms/blue")
        await stage.ended(transfer_id, State.FAILED, Reason.ROOM_UNREACHABLE, within_s=2)


async def test_f19_agent_who_answers_before_the_room_is_joined_is_joined_then(set_stage: SetStage) -> None:
    async with Door() as door, set_stage(SPEAKS, rooms_origin=door.origin) as stage:
        on = await stage.on_call(State.ANSWERED, room_url=f"{door.origin}/rooms/blue")
        await on.phone.until_said(25)
        assert (await stage.relay.get(on.transfer_id)).state is State.ANSWERED
        letting_in = Stopwatch()
        door.let_in(stage.rooms.port)
        await stage.until(on.transfer_id, State.JOINED)
        print(f"F19: joined {letting_in.elapsed_ms:.0f} ms after the room took us")
        on.phone.stop()
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)


async def test_f19_room_that_does_not_answer_is_given_up(set_stage: SetStage) -> None:
    ringing = Outcome(callee=Rings())
    async with Door() as door, set_stage(ringing, rooms_origin=door.origin, worker=IMPATIENT) as stage:
        transfer_id = await stage.ask(room_url=f"{door.origin}/rooms/blue")
        await door.until_knock()
        knocked = Stopwatch()
        await stage.ended(transfer_id, State.FAILED, Reason.ROOM_UNREACHABLE, within_s=3)
        assert 400 < knocked.elapsed_ms < 1500


@pytest.mark.long
async def test_f19_room_that_does_not_answer_is_given_up_after_ten_seconds(set_stage: SetStage) -> None:
    async with Door() as door, set_stage(Outcome(callee=Rings()), rooms_origin=door.origin) as stage:
        transfer_id = await stage.ask(room_url=f"{door.origin}/rooms/blue")
        await door.until_knock()
        knocked = Stopwatch()
        await stage.ended(transfer_id, State.FAILED, Reason.ROOM_UNREACHABLE, within_s=15)
        assert 9_900 < knocked.elapsed_ms < 11_000


async def test_f20_phone_is_hung_up_when_we_are_made_to_leave_the_room(set_stage: SetStage) -> None:
    async with set_stage(SPEAKS) as stage:
        on = await stage.on_call()
        ours = [seat.participant for seat in stage.rooms.rooms["blue"].seats.values()]
        [relay_id] = [each.participant_id for each in ours if each.name == "relay"]
        ejecting = Stopwatch()
        await stage.rooms.eject(relay_id)
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.ROOM_ENDED, within_s=2)
        await on.call.until(lambda call: not call.is_live, "hung up", timeout_s=2)
        print(f"F20: phone hung up {ejecting.hung_up_ms(on.call):.0f} ms after we were ejected")
        assert ejecting.hung_up_ms(on.call) < HUNG_UP_MS
        assert notice_dbfs(on.phone.heard.since(ejecting.began_ns)) == pytest.approx(NOTICE_DBFS, abs=3)
