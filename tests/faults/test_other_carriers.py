"""Rows of which other carriers than Twilio make something else, each with the simulated carrier that does."""

from __future__ import annotations

import pytest

from relay.dev.carrier_call import EndedBy, SimulatedCall
from relay.dev.carrier_outcomes import (
    NO_ANSWER,
    NO_LINE,
    NO_SUCH_NUMBER,
    Answers,
    Delivery,
    LosesReply,
    Loss,
    Outcome,
    Rings,
)
from relay.dev.carrier_webhooks import Message
from relay.dev.carriers.asterisk import Asterisk
from relay.dev.carriers.by_name import CARRIERS
from relay.dev.carriers.exotel import Exotel
from relay.dev.carriers.plivo import Plivo
from relay.dev.carriers.telnyx import Telnyx
from relay.errors import StoreUnavailable
from relay.media.tones import RINGBACK_DBFS
from relay.transfers.reasons import Reason
from relay.transfers.states import State
from tests.faults.conftest import SetStage
from tests.faults.ears import Stopwatch, until_heard_in_room
from tests.faults.stage import AGENT_HZ, AGENT_SAYS

RINGBACK_HZ = 440
TELL_WHY = [name for name, make in CARRIERS.items() if make().traits.tells_why]
SHORT = {"vonage", "telnyx"}
RINGS_ON = Outcome(callee=Answers(after_s=3.0, says=AGENT_SAYS))


@pytest.mark.parametrize("carrier", ["exotel", "telnyx"])
async def test_customer_hears_ringing_though_the_carrier_never_tells_of_it(set_stage: SetStage, carrier: str) -> None:
    async with set_stage(RINGS_ON, dialect=CARRIERS[carrier]()) as stage:
        transfer_id = await stage.ask()
        await stage.until(transfer_id, State.DIALING)
        await until_heard_in_room(stage.customer, RINGBACK_HZ, dbfs=RINGBACK_DBFS)
        assert (await stage.relay.get(transfer_id)).state is State.DIALING
        assert stage.carrier.calls[0].status == "ringing"
        await stage.until(transfer_id, State.JOINED)
        await until_heard_in_room(stage.customer, AGENT_HZ)
        await stage.relay.cancel(transfer_id)


@pytest.mark.parametrize(
    "carrier", [pytest.param(name, marks=() if name in SHORT else pytest.mark.long) for name in TELL_WHY]
)
@pytest.mark.parametrize(
    ("outcome", "reason"),
    [(NO_SUCH_NUMBER, Reason.INVALID_NUMBER), (NO_LINE, Reason.PROVIDER_BUSY)],
    ids=["404", "503"],
)
async def test_f5_f6_carrier_that_takes_the_dial_says_later_why_there_is_no_call(
    set_stage: SetStage, carrier: str, outcome: Outcome, reason: Reason
) -> None:
    async with set_stage(outcome, dialect=CARRIERS[carrier]()) as stage:
        view = await stage.ended(await stage.ask(), State.FAILED, reason)
        assert view.retryable is (reason is Reason.PROVIDER_BUSY)
        assert len(stage.carrier.dial_requests) == 1


@pytest.mark.parametrize("places_call", [False, True])
async def test_f7_carrier_that_can_be_asked_for_the_very_call_is_asked_at_once(
    set_stage: SetStage, *, places_call: bool
) -> None:
    """An endpoint that is unknown is told so at once; a call that is there after all goes on."""
    reply = LosesReply(how=Loss.ERROR_500, places_call=places_call)
    outcome = Outcome(reply=reply, callee=Answers(after_s=0.5, says=AGENT_SAYS))
    async with set_stage(outcome, dialect=Asterisk()) as stage:
        transfer_id = await stage.ask()
        if places_call:
            await stage.until(transfer_id, State.JOINED)
            await stage.relay.cancel(transfer_id)
        else:
            view = await stage.ended(transfer_id, State.FAILED, Reason.PROVIDER_ERROR, within_s=2)
            assert view.provider_code == "500"
        assert len(stage.carrier.dial_requests) == 1


async def test_f14_stream_that_the_carrier_cannot_open_ends_the_call_at_once(
    set_stage: SetStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuses(*_upgrade: str) -> bool:
        raise StoreUnavailable("a second in which nobody can say")

    async with set_stage(Outcome(callee=Answers(after_s=0.2)), dialect=Telnyx()) as stage:
        stage.expected.add("media: expected a WebSocket")
        monkeypatch.setattr(stage.service.services.coordinator, "admits", refuses)
        transfer_id = await stage.ask()
        call = await stage.carrier.until_call()
        await call.until(lambda call: call.answered_at is not None, "answered")
        await stage.ended(transfer_id, State.FAILED, Reason.MEDIA_LOST, within_s=2)
        await call.until(lambda call: not call.is_live, "hung up", timeout_s=1)
        assert [log["detail"] for log in stage.logs if log["event"] == "stream_failed"] == ["connection_failed"]


async def test_f9_phone_that_cannot_be_stopped_rings_on_for_its_time_without_an_error(set_stage: SetStage) -> None:
    async with set_stage(NO_ANSWER, dialect=Exotel(), ring_timeout_s=10.0) as stage:  # the carrier rings for 3 s
        transfer_id = await stage.ask()
        call = await stage.carrier.until_call()
        await call.until(lambda call: call.status == "ringing", "ringing")
        await stage.until_in_room()
        await stage.customer.leave()
        await stage.ended(transfer_id, State.CANCELED, Reason.CUSTOMER_LEFT)
        assert call.is_live
        await call.until(lambda call: call.status == "no-answer", "the end of the ringing", timeout_s=4)


async def test_f9_phone_stops_ringing_though_its_request_is_not_found_and_no_callback_comes(
    set_stage: SetStage,
) -> None:
    lost = Outcome(callee=Rings(), delivery=Delivery(copies=0))
    async with set_stage(lost, dialect=Plivo(forgets_requests=True)) as stage:
        transfer_id = await stage.ask()
        call = await stage.carrier.until_call()
        await call.until(lambda call: call.status == "ringing", "ringing")
        await stage.until_in_room()
        await stage.customer.leave()
        cancelled = Stopwatch()
        await stage.ended(transfer_id, State.CANCELED, Reason.CUSTOMER_LEFT)
        await call.until(lambda call: not call.is_live, "hung up", timeout_s=1)
        assert call.hung_up_by is EndedBy.RELAY
        assert cancelled.hung_up_ms(call) < 2000


class NormallyCleared(Telnyx):
    """Telnyx, if every end without an answer is ``normal_clearing``: its pages do not say that it is not."""

    def progress(self, call: SimulatedCall, event: str, status: str) -> Message | None:
        return super().progress(call, event, "completed" if event == "completed" else status)


async def test_f2_carrier_that_says_completed_of_a_phone_nobody_answered(set_stage: SetStage) -> None:
    async with set_stage(NO_ANSWER, dialect=NormallyCleared(), ring_timeout_s=8.0) as stage:
        transfer_id = await stage.ask()
        (await stage.carrier.until_call()).end("no-answer", EndedBy.CARRIER)
        view = await stage.ended(transfer_id, State.FAILED, Reason.NO_ANSWER)
        assert view.retryable
