"""A call's media streams: what the agent says, presses and hears, and what is done when a stream ends."""

import base64
import time

import pytest
from aiohttp import web

from relay._codec import Decoder
from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_outcomes import Press
from relay.dev.phone import HangUp
from relay.dev.speech import speech
from tests.dev.conftest import RunWithCarrier
from tests.dev.stand_in_relay import FRAME
from tests.dev.stand_in_service import StandInService, answers, close_at_once, read_to_the_end, stream

HEARD = Decoder("pcmu", 8000, 8000).push(FRAME)


def test_what_the_agent_says_and_hears_is_recorded(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        async def speak(websocket: web.WebSocketResponse) -> None:
            await websocket.receive()
            await websocket.receive()
            media = {"payload": base64.b64encode(FRAME).decode()}
            sid = service.events("start")[0]["streamSid"]
            await websocket.send_json({"event": "media", "streamSid": sid, "media": media})
            await read_to_the_end(websocket)

        said = speech(1)
        carrier.script, service.media = answers(says=said), speak
        await service.dial()
        call = await carrier.until_call()
        phone = await call.until_phone()
        await phone.until_said(10)
        await phone.until_heard(1)
        call.hang_up()
        await carrier.until_idle()
        assert said.startswith(phone.said.pcm)
        assert HEARD in phone.heard.pcm
        start = service.events("start")[0]["start"]
        assert (start["callSid"], start["accountSid"]) == (call.sid, carrier.account_sid)
        await service.until(lambda here: here.messages[-1:] == here.events("stop") != [])

    run_with_carrier(scenario)


def test_parameters_of_the_document_come_in_start(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        parameter = '<Parameter name="leg" value="agent-7"/></Stream>'
        document = stream(service.media_url).replace("/>", ">" + parameter, 1)
        service.documents, service.media = [document], close_at_once
        await service.whole_call()
        assert carrier.calls[0].violations == []
        await service.until(lambda service: bool(service.events("connected")))
        assert carrier.calls[0].phones[0].call.custom_parameters == {"leg": "agent-7"}

    run_with_carrier(scenario)


def test_keys_are_pressed_when_they_are_due(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = answers(presses=(Press("2", after_s=0.1), Press("1", after_s=0.02)))
        await service.dial()
        await service.until(lambda service: len(service.events("dtmf")) == 2)
        assert [message["dtmf"]["digit"] for message in service.events("dtmf")] == ["1", "2"]

    run_with_carrier(scenario)


def test_an_agent_may_never_be_heard_and_still_hear(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = answers(media_for_s=0.0)
        await service.dial()
        phone = await (await carrier.until_call()).until_phone()
        await phone.until(lambda phone: len(phone.depths_ms) >= 5)  # 100 ms of the carrier's clock
        carrier.calls[0].hang_up()
        await carrier.until_idle()
        assert [message["event"] for message in service.messages] == ["connected", "start", "stop"]

    run_with_carrier(scenario)


def test_an_agent_may_be_heard_for_a_while_only(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = answers(media_for_s=0.1)
        await service.dial()
        phone = await (await carrier.until_call()).until_phone()
        await phone.until(lambda phone: len(phone.depths_ms) >= 15)  # 300 ms of the carrier's clock
        assert 1 <= len(phone.sent_ns) < 10

    run_with_carrier(scenario)


def test_what_follows_a_stream_is_done_when_the_relay_closes_it(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        bye = "<Response><Pause length='0'/><Say>Goodbye.</Say><Hangup/><Say>Never said.</Say></Response>"
        service.documents = [stream(service.media_url, "1"), stream(service.media_url, f"{service.url}/answer/2"), bye]
        service.media = close_at_once
        await service.whole_call()
        (call,) = carrier.calls
        assert [request.path for request in service.at("/answer")] == ["/answer/0", "/answer/1", "/answer/2"]
        assert (len(call.phones), call.spoken, call.hung_up_by) == (2, ["Goodbye."], "document")
        assert len({phone.call.stream_sid for phone in call.phones}) == 2
        assert call.violations == []

    run_with_carrier(scenario)


def test_f3_what_is_said_takes_its_time_and_keys_pressed_meanwhile_are_lost(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = answers(speech_characters_per_s=50.0)
        said = "After the tones, press 1."
        service.documents = [stream(service.media_url).replace("<Connect>", f"<Say>{said}</Say><Connect>")]
        await service.dial()
        call = await carrier.until_call()
        await call.until(lambda call: call.spoken == [said])
        began_s = time.monotonic()
        call.press("1")
        phone = await call.until_phone()
        assert time.monotonic() - began_s > 0.9 * len(said) / 50
        call.press("2")
        await service.until(lambda service: service.events("dtmf") != [])
        assert [event["dtmf"]["digit"] for event in service.events("dtmf")] == ["2"]
        phone.stop()
        await carrier.until_idle()

    run_with_carrier(scenario)


def test_a_call_that_ends_while_something_is_said_is_over_at_once(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = answers(speech_characters_per_s=0.001)
        service.documents = [stream(service.media_url).replace("<Connect>", "<Say>For hours.</Say><Connect>")]
        await service.dial()
        call = await carrier.until_call()
        await call.until(lambda call: call.spoken != [])
        call.hang_up()
        await carrier.until_idle()
        assert (call.phones, service.statuses[-1]) == ([], "completed")

    run_with_carrier(scenario)


@pytest.mark.parametrize("how", [HangUp.RESET, HangUp.FIN])
@pytest.mark.parametrize("reconnects", [False, True])
def test_what_follows_a_lost_stream_is_done_if_the_outcome_says_so(
    run_with_carrier: RunWithCarrier,
    how: HangUp,
    reconnects: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = answers(reconnects=reconnects)
        service.documents = [stream(service.media_url, "/answer/1"), stream(service.media_url)]
        await service.dial()
        call = await carrier.until_call()
        phone = await call.until_phone()
        phone.hang_up(how)
        if reconnects:
            await call.until(lambda call: len(call.phones) == 2)
            await call.phones[1].until_said(1)
            call.hang_up()
        await carrier.until_idle()
        assert call.hung_up_by == ("agent" if reconnects else "network")
        assert len(service.at("/answer")) == 1 + reconnects

    run_with_carrier(scenario)


def test_a_silent_network_is_noticed_when_the_relay_gives_up(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = answers(reconnects=True)
        service.documents = [stream(service.media_url, "/answer/1"), stream(service.media_url)]
        await service.dial()
        call = await carrier.until_call()
        phone = await call.until_phone()
        phone.hang_up(HangUp.SILENCE)
        assert service.media_transport is not None
        service.media_transport.abort()
        await call.until(lambda call: len(call.phones) == 2)
        assert len(service.at("/answer")) == 2

    run_with_carrier(scenario)


def test_a_refused_upgrade_is_a_lost_stream_and_a_violation(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        service.documents = [stream(service.media_url + "/wrong", "/answer/1")]
        await service.whole_call()
        (call,) = carrier.calls
        assert (call.hung_up_by, call.phones) == ("network", [])
        assert call.violations == ["media: expected a WebSocket, got server rejected WebSocket connection: HTTP 404"]

    run_with_carrier(scenario)
