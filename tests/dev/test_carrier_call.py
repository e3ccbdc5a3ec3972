"""A call is shown as it is, says that it is simulated, and can be waited for."""

import pytest

from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_outcomes import NO_ANSWER
from tests.dev.conftest import RunWithCarrier
from tests.dev.stand_in_service import NUMBER, StandInService


def test_a_call_says_that_it_is_simulated_and_not_which_number_it_is(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        await service.dial()
        call = await carrier.until_call()
        assert repr(call) == f"<simulated call {call.sid}, {call.status}>"
        assert call.to == NUMBER

    run_with_carrier(scenario)


def test_hanging_up_ends_a_call_once(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = NO_ANSWER
        await service.dial()
        call = await carrier.until_call()
        call.hang_up()
        assert (call.status, carrier.live_calls) == ("canceled", [])
        call.hang_up()
        await carrier.until_idle()
        assert service.statuses.count("canceled") == 1

    run_with_carrier(scenario)


def test_a_key_can_be_pressed_on_a_live_stream_only(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        await service.dial()
        call = await carrier.until_call()
        call.press("1")  # nobody has answered
        await call.until_phone()
        call.press("2")
        await service.until(lambda service: bool(service.events("dtmf")))
        call.hang_up()
        await carrier.until_idle()
        call.press("3")
        assert [message["dtmf"]["digit"] for message in service.events("dtmf")] == ["2"]

    run_with_carrier(scenario)


def test_what_the_relay_does_wrong_on_the_stream_is_a_violation_of_the_call(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        async def misbehave(websocket: object) -> None:
            await websocket.send_str("{}")  # type: ignore[attr-defined]  # aiohttp's

        service.media = misbehave
        await service.dial()
        await carrier.until_idle()
        (violation,) = carrier.calls[0].violations
        assert violation.startswith("expected streamSid ")

    run_with_carrier(scenario)


def test_waiting_for_what_does_not_come_names_the_call(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = NO_ANSWER
        await service.dial()
        call = await carrier.until_call()
        with pytest.raises(TimeoutError, match=r"simulated call .* a media stream"):
            await call.until_phone(timeout_s=0.01)

    run_with_carrier(scenario)
