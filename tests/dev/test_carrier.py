"""The simulated carrier as a whole: where it is, what it counts, how it ends."""

import pytest

from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_order import order_of
from relay.dev.carrier_outcomes import ANSWERED, BUSY, SILENT
from tests.dev.conftest import Run, RunWithCarrier
from tests.dev.stand_in_service import NUMBER, StandInService, close_at_once, thinking

OTHER_NUMBER = "+15550100002"


def test_it_says_that_it_is_simulated(run: Run) -> None:
    async def scenario() -> None:
        async with SimulatedCarrier() as carrier:
            assert repr(carrier) == f"<simulated carrier (Twilio) on 127.0.0.1:{carrier.port}, 0 live calls>"
            assert carrier.api_url == f"http://127.0.0.1:{carrier.port}"

    run(scenario)


def test_an_ipv6_address_is_bracketed_in_its_url() -> None:
    assert SimulatedCarrier(host="::1", port=80).api_url == "http://[::1]:80"


def test_it_must_run_to_place_calls() -> None:
    order = order_of([("To", NUMBER), ("From", OTHER_NUMBER), ("Url", "http://relay.test/answer")])
    with pytest.raises(RuntimeError, match="use it as `async with`"):
        SimulatedCarrier().place(order)


def test_a_port_in_use_is_an_error_and_leaves_nothing_open(run: Run) -> None:
    async def scenario() -> None:
        async with SimulatedCarrier() as carrier:
            with pytest.raises(OSError, match="in use"):
                await SimulatedCarrier(port=carrier.port).__aenter__()

    run(scenario)


def test_calls_are_apart_from_each_other(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = {NUMBER: BUSY, OTHER_NUMBER: ANSWERED}
        await service.dial()
        await service.dial(To=OTHER_NUMBER)
        await carrier.until(lambda carrier: len(carrier.live_calls) == 1)
        await carrier.calls[1].until_phone()
        assert [call.status for call in carrier.calls] == ["busy", "in-progress"]
        assert (carrier.dials, len({call.sid for call in carrier.calls})) == (2, 2)

    run_with_carrier(scenario)


def test_all_that_are_hung_up_are_over_when_it_returns_and_another_can_be_placed(
    run_with_carrier: RunWithCarrier,
) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = {NUMBER: ANSWERED, OTHER_NUMBER: SILENT}
        await service.dial()
        await carrier.calls[0].until_phone()
        await service.dial(To=OTHER_NUMBER)
        await carrier.hang_up_all()
        assert [call.status for call in carrier.calls] == ["completed", "canceled"]
        assert service.statuses.count("completed") == 1
        carrier.script = BUSY
        await service.whole_call()
        assert carrier.calls[2].status == "busy"

    run_with_carrier(scenario)


def test_a_webhook_can_be_sent_again_and_is_the_same_to_its_signature(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        service.media = close_at_once
        await service.dial()
        await carrier.until_idle()
        before = service.at("/status")[1]
        service.callback_status = 409
        again = await carrier.replay(carrier.calls[0].callbacks_sent[1])
        assert (again.reply_status, again.call_status) == (409, "ringing")
        after = service.at("/status")[-1]
        assert (after.form, after.is_signed) == (before.form, True)
        assert after.headers["X-Twilio-Signature"] == before.headers["X-Twilio-Signature"]
        assert len(carrier.calls[0].webhooks) == 5  # it is not the call's

    run_with_carrier(scenario)


def test_a_public_origin_is_signed_and_reached_where_it_is(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        local, service.public, service.media = service.url, "https://relay.example.com", close_at_once
        carrier.reach(service.public, local)
        await service.dial()
        await carrier.until_idle()
        assert service.media_url in carrier.calls[0].answer_documents[0]
        assert service.media_url.startswith("wss://relay.example.com/")
        assert len(service.requests) == 6
        assert [request.path for request in service.requests if not request.is_signed] == []

    run_with_carrier(scenario)


def test_leaving_hangs_up_and_tells_the_relay(run: Run) -> None:
    async def scenario() -> None:
        async with SimulatedCarrier() as carrier:
            async with StandInService(carrier) as service:
                await service.dial()
                await (await carrier.until_call()).until_phone()
                await carrier.__aexit__(None, None, None)
                await service.until(lambda here: here.messages[-1:] == here.events("stop") != [])
                assert service.statuses[-1] == "completed"
            assert carrier.calls[0].hung_up_by == "carrier"

    run(scenario)


def test_leaving_does_not_wait_for_a_relay_for_long(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with thinking() as (url, asked):
            async with SimulatedCarrier(script=SILENT) as carrier, StandInService(carrier) as service:
                carrier.script = ANSWERED
                await service.dial(StatusCallback=url)
                await asked.wait()
            assert [call.status for call in carrier.calls] == ["canceled"]

    monkeypatch.setattr("relay.dev.carrier.CLOSE_TIMEOUT_S", 0.05)
    run(scenario)
