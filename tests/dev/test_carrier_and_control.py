"""Relay's control of Twilio and the simulated carrier, written apart from each other, understand each other."""

import aiohttp

from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_outcomes import NO_ANSWER, LosesReply, Loss, Outcome, Refuses
from relay.providers.control import (
    CallOrder,
    CallPlaced,
    CallRefused,
    CallStatus,
    CallUnclear,
    CarrierBusy,
    HttpReply,
    HttpRequest,
    Refusal,
    Webhook,
)
from relay.providers.twilio_control import TwilioControl
from tests.dev.conftest import RunWithCarrier
from tests.dev.stand_in_service import NUMBER, OWN_NUMBER, StandInService, close_at_once


def control_of(carrier: SimulatedCarrier) -> TwilioControl:
    return TwilioControl(account_sid=carrier.account_sid, auth_token=carrier.auth_token, api_url=carrier.api_url)


def order_to(service: StandInService) -> CallOrder:
    return CallOrder(
        to=NUMBER,
        from_number=OWN_NUMBER,
        answer_url=f"{service.url}/answer/0",
        status_url=f"{service.url}/status",
        detection_url=f"{service.url}/detection",
        ring_timeout_s=30,
        max_duration_s=3600,
    )


async def sent(request: HttpRequest) -> HttpReply:
    async with (
        aiohttp.ClientSession() as session,
        session.request(request.method, request.url, headers=request.headers, data=request.body) as reply,
    ):
        return HttpReply(
            reply.status, {name.lower(): value for name, value in reply.headers.items()}, await reply.read()
        )


def test_a_call_is_placed_verified_reported_and_over(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        control = control_of(carrier)
        documents = [
            control.stream_document(service.media_url, then_url=f"{service.url}/answer/1", say="One moment, please."),
            control.hang_up_document(),
        ]
        service.documents, service.media = [document.body.decode() for document in documents], close_at_once
        placed = control.read_dial(await sent(control.dial(order_to(service))))
        await carrier.until_idle()
        (call,) = carrier.calls
        assert placed == CallPlaced(call.sid)
        assert (call.spoken, call.violations, carrier.violations) == (["One moment, please."], [], [])
        webhooks = [
            Webhook("POST", service.url + request.path, _lower(request.headers), request.body)
            for request in service.requests
            if request.path != "/media/t0k3n"
        ]
        (upgrade,) = service.at("/media")
        assert control.verify_upgrade(Webhook("GET", service.media_url, _lower(upgrade.headers)))
        assert all(control.verify(webhook) for webhook in webhooks)
        reports = [control.read_report(webhook) for webhook in webhooks]
        assert {report.call_id for report in reports} == {call.sid}
        assert {CallStatus.DIALING, CallStatus.RINGING, CallStatus.ANSWERED, CallStatus.COMPLETED} <= {
            report.status for report in reports
        }

    run_with_carrier(scenario)


def test_a_call_is_found_and_hung_up(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = NO_ANSWER
        control = control_of(carrier)
        await sent(control.dial(order_to(service)))
        (call,) = carrier.calls
        await call.until(lambda call: call.status == "ringing")
        order = order_to(service)
        found = [control.read_find_calls(await sent(request), order) for request in control.find_calls(order)]
        assert [sid for page in found for sid in page or ()] == [call.sid]
        for _ in range(2):  # the second time it is over already
            assert control.read_hang_up(await sent(control.hang_up(call.sid)))
        assert (call.status, carrier.violations) == ("canceled", [])

    run_with_carrier(scenario)


def test_refusals_are_told_apart(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        control = control_of(carrier)
        replies = []
        for reply in (
            Refuses(),
            Refuses(code=21215),
            Refuses(status=429, code=20429, retry_after_s=2),
            LosesReply(how=Loss.ERROR_500, places_call=False),
        ):
            carrier.script = Outcome(reply=reply)
            replies.append(control.read_dial(await sent(control.dial(order_to(service)))))
        invalid, rejected, busy, unclear = replies
        assert isinstance(invalid, CallRefused)
        assert isinstance(rejected, CallRefused)
        assert (invalid.refusal, rejected.refusal) == (Refusal.INVALID_NUMBER, Refusal.REJECTED)
        assert isinstance(busy, CarrierBusy)
        assert busy.retry_after_s == 2
        assert isinstance(unclear, CallUnclear)
        assert carrier.dials == 0

    run_with_carrier(scenario)


def _lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
