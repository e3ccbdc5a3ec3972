"""Who picks up may be a machine, or not want to: nobody hears the other before somebody has accepted; rows F3, F4."""

from __future__ import annotations

import pytest

from relay.app.settings_entries import Destination
from relay.dev.carrier_call import EndedBy
from relay.dev.carrier_outcomes import Answers, Detection, Outcome, Press
from relay.transfers.reasons import Reason
from relay.transfers.record import Accept
from relay.transfers.states import State
from tests.faults.conftest import SetStage
from tests.faults.ears import (
    SPOKEN_DBFS,
    UNHEARD_DBFS,
    loudest_dbfs,
    until_heard_at_phone,
    until_heard_in_room,
)
from tests.faults.stage import AGENT_HZ, AGENT_SAYS, BILLING, CUSTOMER_HZ, Stage
from tests.signals import dbfs, pcm, tone

GREETING_HZ = 1500  # as the bot, who says nothing here
GREETING = pcm(tone(GREETING_HZ, 8000, 20 * 8000, amplitude=dbfs(SPOKEN_DBFS)))
"""What a voicemail says, or an agent before the key is pressed: none of the customer's business."""
BY_US = (EndedBy.RELAY, EndedBy.DOCUMENT)
"""By REST, or by the document that follows the stream: whichever is faster."""


def greets(**more: object) -> Outcome:
    return Outcome(callee=Answers(says=GREETING, **more))  # type: ignore[arg-type] # passed on as it came


async def unheard_dbfs(stage: Stage) -> float:
    """How loud the greeting has ever been to the customer, and the customer to the phone: the louder of both."""
    await stage.customer.until_heard(25)
    phone = stage.carrier.calls[0].phones[0]
    heard = (stage.customer.heard_since(), GREETING_HZ), (phone.heard, CUSTOMER_HZ)
    return max(loudest_dbfs(*each) for each in heard)


async def until_heard(stage: Stage) -> None:
    """Return when agent and customer hear each other."""
    phone = stage.carrier.calls[0].phones[0]
    phone.say(AGENT_SAYS)
    await until_heard_in_room(stage.customer, AGENT_HZ)
    await until_heard_at_phone(phone, CUSTOMER_HZ)


@pytest.mark.long
async def test_f3_voicemail_presses_nothing_and_is_never_heard(set_stage: SetStage) -> None:
    async with set_stage(greets(), accept_timeout_s=0.6) as stage:
        transfer_id = await stage.ask(accept="press_1")
        await stage.until(transfer_id, State.ANSWERED)
        view = await stage.ended(transfer_id, State.FAILED, Reason.VOICEMAIL, within_s=3)
        loudest = await unheard_dbfs(stage)
        print(f"F3: nobody pressed 1: {loudest:.0f} dBFS is the most that either heard of the other")
        assert loudest < UNHEARD_DBFS
        assert State.JOINED not in view.times
        assert stage.carrier.calls[0].hung_up_by in BY_US


async def test_f3_agent_is_heard_after_pressing_1_and_not_before(set_stage: SetStage) -> None:
    async with set_stage(greets()) as stage:
        on = await stage.on_call(State.ANSWERED, accept="press_1")
        before = await unheard_dbfs(stage)
        on.phone.say(AGENT_SAYS)  # within the same 100 ms as the key, as people do
        on.call.press("1")
        await stage.until(on.transfer_id, State.JOINED)
        await until_heard(stage)
        after = loudest_dbfs(stage.customer.heard_since(), GREETING_HZ)
        print(f"F3: 1 was pressed: the customer heard {max(before, after):.0f} dBFS of what came before")
        assert max(before, after) < UNHEARD_DBFS
        on.phone.stop()
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)


@pytest.mark.long
async def test_f3_key_that_is_pressed_during_the_announcement_lets_nobody_in(set_stage: SetStage) -> None:
    """The carrier speaks it, and tells of no key before it has opened the stream: the agent presses again."""
    billing = Destination(to=BILLING, accept=Accept.PRESS_1, say="After the tones, press 1.")
    async with set_stage(greets(speech_characters_per_s=50.0), destinations={"billing": billing}) as stage:
        transfer_id = await stage.ask()
        call = await stage.carrier.until_call()
        await call.until(lambda call: call.spoken == [billing.say], "the announcement")
        call.press("1")
        await call.until_phone()
        await stage.until(transfer_id, State.ANSWERED)
        assert await unheard_dbfs(stage) < UNHEARD_DBFS
        call.press("1")
        await stage.until(transfer_id, State.JOINED)
        await until_heard(stage)
        call.hang_up()
        await stage.ended(transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)


@pytest.mark.long
async def test_f3_machine_that_the_carrier_detects_is_never_heard(set_stage: SetStage) -> None:
    async with set_stage(greets(detected=Detection("machine_start", after_s=0.4))) as stage:
        transfer_id = await stage.ask(accept="detection")
        await stage.ended(transfer_id, State.FAILED, Reason.VOICEMAIL, within_s=3)
        assert await unheard_dbfs(stage) < UNHEARD_DBFS


@pytest.mark.long
async def test_f3_human_whom_the_carrier_detects_is_heard_and_not_before(set_stage: SetStage) -> None:
    async with set_stage(greets(detected=Detection("human", after_s=1.0))) as stage:
        on = await stage.on_call(State.ANSWERED, accept="detection")
        before = await unheard_dbfs(stage)
        assert (await stage.relay.get(on.transfer_id)).state is State.ANSWERED
        on.phone.say(AGENT_SAYS)
        await stage.until(on.transfer_id, State.JOINED)
        await until_heard(stage)
        assert max(before, loudest_dbfs(stage.customer.heard_since(), GREETING_HZ)) < UNHEARD_DBFS
        on.phone.stop()
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)


@pytest.mark.long
async def test_f3_detection_that_never_comes_lets_nobody_in(set_stage: SetStage) -> None:
    async with set_stage(greets(detected=None), accept_timeout_s=0.6) as stage:
        transfer_id = await stage.ask(accept="detection")
        await stage.ended(transfer_id, State.FAILED, Reason.VOICEMAIL, within_s=3)
        assert await unheard_dbfs(stage) < UNHEARD_DBFS


@pytest.mark.long
async def test_f3_whom_the_carrier_cannot_tell_from_a_machine_is_heard_after_pressing_1(set_stage: SetStage) -> None:
    async with set_stage(greets(detected=Detection("human", after_s=60.0)), accept_timeout_s=6) as stage:
        on = await stage.on_call(State.ANSWERED, accept="detection")
        carrier_call = stage.carrier.calls[0]
        await stage.carrier.until(lambda _: carrier_call.detected is not None, "the end of detection", timeout_s=5)
        assert carrier_call.detected == Detection("unknown", 3)
        assert await unheard_dbfs(stage) < UNHEARD_DBFS
        on.phone.say(AGENT_SAYS)
        carrier_call.press("1")
        await stage.until(on.transfer_id, State.JOINED)
        on.phone.stop()
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)


@pytest.mark.long
async def test_f4_agent_who_presses_2_has_declined(set_stage: SetStage) -> None:
    async with set_stage(greets(presses=(Press("2", after_s=0.4),))) as stage:
        transfer_id = await stage.ask(accept="press_1")
        view = await stage.ended(transfer_id, State.FAILED, Reason.DECLINED, within_s=3)
        assert view.retryable
        assert await unheard_dbfs(stage) < UNHEARD_DBFS
        assert stage.carrier.calls[0].hung_up_by in BY_US
