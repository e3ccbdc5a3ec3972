"""The simulated carrier's REST interface answers as Twilio's, also to Twilio's own library."""

import asyncio
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_outcomes import NO_ANSWER, SILENT, Accepts, LosesReply, Loss, Outcome, Refuses
from tests.dev.conftest import RunWithCarrier
from tests.dev.stand_in_service import NUMBER, OWN_NUMBER, StandInService, basic

OTHER_NUMBER = "+15550100002"


def lost(how: Loss, *, places_call: bool = True) -> Outcome:
    return Outcome(reply=LosesReply(how=how, places_call=places_call), callee=SILENT.callee)


class TwilioHere(TwilioHttpClient):  # type: ignore[misc]  # the SDK has no types
    """Twilio's own client, but for the host."""

    def __init__(self, api_url: str) -> None:
        super().__init__(pool_connections=False)
        self._api_url = api_url

    def request(self, method: str, url: str, *args: Any, **options: Any) -> Any:
        return super().request(method, url.replace("https://api.twilio.com", self._api_url), *args, **options)


def test_twilios_own_library_places_finds_lists_and_ends_a_call(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = NO_ANSWER
        client = Client(carrier.account_sid, carrier.auth_token, http_client=TwilioHere(carrier.api_url))

        def use() -> None:
            call = client.calls.create(to=NUMBER, from_=OWN_NUMBER, url=f"{service.url}/answer/0", timeout=30)
            assert (call.status, call.direction, call.to) == ("queued", "outbound-api", NUMBER)
            assert client.calls(call.sid).fetch().date_created == call.date_created
            assert [found.sid for found in client.calls.list(to=NUMBER)] == [call.sid]
            assert client.calls(call.sid).update(status="completed").status == "canceled"
            with pytest.raises(TwilioRestException) as refused:
                client.calls.create(to="123", from_=OWN_NUMBER, url=f"{service.url}/answer/0")
            assert (refused.value.status, refused.value.code) == (400, 21211)

        await asyncio.to_thread(use)
        assert [call.violations for call in carrier.calls] == [[]]
        assert carrier.violations == []

    run_with_carrier(scenario)


@pytest.mark.parametrize("credentials", [None, ("AC0", "simulated"), ("", "")], ids=["none", "wrong", "empty"])
def test_without_the_accounts_secret_nothing_is_placed(
    run_with_carrier: RunWithCarrier, credentials: tuple[str, str] | None
) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        headers = {"Authorization": basic(*credentials)} if credentials else {}
        url = f"{carrier.api_url}/2010-04-01/Accounts/{carrier.account_sid}/Calls.json"
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, headers=headers, data=service.order()) as reply,
        ):
            assert (reply.status, (await reply.json())["code"]) == (401, 20003)
        assert (carrier.dials, carrier.dial_requests) == (0, [])

    run_with_carrier(scenario)


def test_another_account_is_not_found(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        path = f"../{carrier.account_sid[:-1]}2/Calls.json"
        status, body = await service.request("POST", path, data=service.order())
        assert (status, body["code"], carrier.dials) == (404, 20404, 0)

    run_with_carrier(scenario)


def test_a_refused_form_places_no_call_and_is_counted(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        status, body = await service.dial(To="123")
        assert (status, body["code"], body["status"]) == (400, 21211, 400)
        assert body["more_info"] == "https://www.twilio.com/docs/errors/21211"
        assert (carrier.dials, carrier.dial_requests) == (0, ["123"])

    run_with_carrier(scenario)


@pytest.mark.parametrize(("status", "code"), [(400, 21215), (429, 20429), (503, 20503)])
def test_a_number_may_be_refused_with_any_error(run_with_carrier: RunWithCarrier, status: int, code: int) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = {NUMBER: Outcome(reply=Refuses(status=status, code=code))}
        for _ in range(2):
            got, body = await service.dial()
            assert (got, body["code"]) == (status, code)
        assert (await service.dial(To=OTHER_NUMBER))[0] == 201
        assert carrier.dials == 1

    run_with_carrier(scenario)


def test_a_number_may_be_refused_so_often_and_then_accepted(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        busy = Refuses(status=429, code=20429, retry_after_s=1, times=2)
        carrier.script = Outcome(reply=busy, callee=SILENT.callee)
        assert [(await service.dial())[0] for _ in range(3)] == [429, 429, 201]
        assert (carrier.dials, carrier.dial_requests) == (1, 3 * [NUMBER])

    run_with_carrier(scenario)


def test_when_to_try_again_is_in_the_header(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = Outcome(reply=Refuses(status=429, code=20429, retry_after_s=7))
        headers = {"Authorization": basic(carrier.account_sid, carrier.auth_token)}
        url = f"{carrier.api_url}/2010-04-01/Accounts/{carrier.account_sid}/Calls.json"
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, headers=headers, data=service.order()) as reply,
        ):
            assert (reply.status, reply.headers["Retry-After"]) == (429, "7")

    run_with_carrier(scenario)


async def dial_by_hand(
    carrier: SimulatedCarrier, service: StandInService
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send the request over a bare connection, to see all that comes back."""
    content = urlencode(service.order()).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", carrier.port)
    head = [
        f"POST /2010-04-01/Accounts/{carrier.account_sid}/Calls.json HTTP/1.1",
        f"Host: 127.0.0.1:{carrier.port}",
        f"Authorization: {basic(carrier.account_sid, carrier.auth_token)}",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(content)}",
    ]
    writer.write("\r\n".join([*head, "", ""]).encode() + content)
    return reader, writer


@pytest.mark.parametrize("places_call", [True, False])
def test_a_reset_places_the_call_or_not_and_is_a_tcp_rst(run_with_carrier: RunWithCarrier, places_call: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = lost(Loss.RESET, places_call=places_call)
        reader, writer = await dial_by_hand(carrier, service)
        with pytest.raises(ConnectionResetError):  # a FIN would be the end of the stream
            await reader.read()
        writer.close()
        assert (carrier.dials, carrier.dial_requests) == (int(places_call), [NUMBER])

    run_with_carrier(scenario)


def test_an_error_500_may_hide_a_call(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = lost(Loss.ERROR_500)
        assert (await service.dial())[0] == 500
        assert carrier.dials == 1

    run_with_carrier(scenario)


def test_a_request_that_hangs_is_answered_by_nothing_until_the_client_goes(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = lost(Loss.HANG)
        reader, writer = await dial_by_hand(carrier, service)
        call = await carrier.until_call()
        await call.until(lambda call: call.status == "ringing")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await reader.read()
        writer.close()
        await writer.wait_closed()

    run_with_carrier(scenario)


def test_a_carrier_that_is_closed_lets_no_request_hang(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        async with SimulatedCarrier(script=lost(Loss.HANG)) as other:
            reader, writer = await dial_by_hand(other, service)
            await other.until_call()
        async with asyncio.timeout(10):
            assert await reader.read() == b""
        writer.close()

    run_with_carrier(scenario)


def test_callbacks_may_come_before_the_answer_to_the_request(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = Outcome(reply=Accepts(late_s=0.3))
        dialing = asyncio.create_task(service.dial())
        await service.until(lambda service: bool(service.events("media")))
        assert not dialing.done()
        status, body = await dialing
        assert (status, body["sid"], body["status"]) == (201, carrier.calls[0].sid, "queued")

    run_with_carrier(scenario)


def test_a_call_is_looked_up_as_it_is(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        sid = (await service.dial())[1]["sid"]
        await carrier.calls[0].until_phone()
        status, body = await service.request("GET", f"Calls/{sid}.json")
        assert (status, body["status"], body["end_time"]) == (200, "in-progress", None)
        carrier.calls[0].hang_up()
        _, body = await service.request("GET", f"Calls/{sid}.json")
        assert (body["status"], body["duration"].isdecimal()) == ("completed", True)
        assert body["end_time"] is not None

    run_with_carrier(scenario)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_call_that_never_was_is_not_found(run_with_carrier: RunWithCarrier, method: str) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        status, body = await service.request(method, "Calls/CA0.json", data={"Status": "completed"})
        assert (status, body["code"]) == (404, 20404)

    run_with_carrier(scenario)


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({}, [OTHER_NUMBER, NUMBER]),
        ({"To": NUMBER}, [NUMBER]),
        ({"From": OWN_NUMBER, "Status": "ringing"}, [OTHER_NUMBER]),
        ({"Status": "busy"}, []),
    ],
)
def test_calls_are_listed_the_newest_first_by_number_and_status(
    run_with_carrier: RunWithCarrier, query: dict[str, str], numbers: list[str]
) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = SILENT
        await service.dial()
        await service.dial(To=OTHER_NUMBER)
        carrier.calls[0].hang_up()
        await carrier.calls[1].until(lambda call: call.status == "ringing")
        status, body = await service.request("GET", "Calls.json", params=query)
        assert (status, [call["to"] for call in body["calls"]]) == (200, numbers)
        assert carrier.violations == []

    run_with_carrier(scenario)


def test_a_filter_that_twilio_does_not_have_is_a_violation(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        await service.request("GET", "Calls.json", params={"CallerName": "a"})
        (violation,) = carrier.violations
        assert violation.endswith("got ['CallerName']")

    run_with_carrier(scenario)


@pytest.mark.parametrize("status", ["completed", "canceled"])
def test_a_call_that_rings_is_canceled_by_either_word(run_with_carrier: RunWithCarrier, status: str) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = NO_ANSWER
        path = f"Calls/{(await service.dial())[1]['sid']}.json"
        got, body = await service.request("POST", path, data={"Status": status})
        assert (got, body["status"]) == (200, "canceled")
        await carrier.until_idle()
        assert service.statuses[-1] == "canceled"
        got, body = await service.request("POST", path, data={"Status": status})
        assert (got, body["code"]) == (400, 21220)

    run_with_carrier(scenario)


def test_a_call_that_was_answered_is_completed_and_not_canceled(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        path = f"Calls/{(await service.dial())[1]['sid']}.json"
        await carrier.calls[0].until_phone()
        _, body = await service.request("POST", path, data={"Status": "canceled"})
        assert body["status"] == "in-progress"
        _, body = await service.request("POST", path, data={"Status": "completed"})
        assert body["status"] == "completed"
        await carrier.until_idle()
        assert carrier.calls[0].hung_up_by == "relay"
        await service.until(lambda here: here.messages[-1:] == here.events("stop") != [])

    run_with_carrier(scenario)


def test_a_change_that_is_not_simulated_is_refused_or_a_violation(run_with_carrier: RunWithCarrier) -> None:
    async def scenario(carrier: SimulatedCarrier, service: StandInService) -> None:
        carrier.script = NO_ANSWER
        path = f"Calls/{(await service.dial())[1]['sid']}.json"
        got, body = await service.request("POST", path, data={"Twiml": "<Response/>"})
        assert (got, body["code"]) == (400, 20001)
        (violation,) = carrier.calls[0].violations
        assert "got ['Twiml']" in violation

    run_with_carrier(scenario)
