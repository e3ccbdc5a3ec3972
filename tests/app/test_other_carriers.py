"""What other carriers than Twilio need: JSON, one URL for all events, a proof in it, a stream that the dial opens."""

from __future__ import annotations

import os
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvloop
from structlog.testing import capture_logs

from relay.app.carrier_urls import CarrierUrls
from relay.app.carriers import CarrierAccount, carrier_session
from relay.app.metrics import Metrics
from relay.app.phone_reports import phone_reports
from relay.providers.control import CallReport
from relay.transfers.ports import DialOrder, MediaStarted, PhoneReport, Placed, StreamFailed
from relay.transfers.reasons import Reason
from relay.transfers.record import Transfer
from relay.transfers.states import State
from tests.app.accounts import PUBLIC, TRANSFER
from tests.app.conftest import RunServed
from tests.app.made_up_control import PROOF, MadeUpControl
from tests.app.served import Reply, Served, assert_problem
from tests.app.stand_in_rest import StandInRest, reply
from tests.threats.raw import connected, status_of, upgrade

CALL, REQUEST = "call-1", "request:1"
TOKEN = "t" * 43
AUTHORIZED = ("Authorization", "Basic made-up")


def using(served: Served, control: MadeUpControl) -> MadeUpControl:
    """The carrier is this one from here on."""
    served.services.controls["twilio"] = control  # type: ignore[index] # a test may change what the service does not
    served.carrier.opens_stream_at_dial = control.capabilities.opens_stream == "dial"
    return control


async def post(served: Served, transfer_id: str, place: str, **said: Any) -> Reply:
    return await served.ask("POST", f"/carriers/twilio/{transfer_id}/{place}", said, key=None)


async def until(served: Served, transfer_id: str, state: State) -> Transfer:
    transfer = await served.store.wait(transfer_id, lambda transfer: transfer.state is state, timeout_s=10.0)
    assert transfer is not None
    assert transfer.state is state
    return transfer


async def dialled(served: Served, **body: Any) -> str:
    served.carrier.script(Placed(CALL))
    return await served.make(**body)


# --- Webhooks ---


def test_a_proof_behind_the_status_url_is_the_controls_to_judge(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        control = using(served, MadeUpControl())
        transfer_id = await dialled(served)
        reply = await post(served, transfer_id, f"status/{PROOF}?a=b", call=CALL, status="ringing")
        assert (reply.status, reply.text) == (204, "")
        await until(served, transfer_id, State.RINGING)
        assert [
            (await post(served, transfer_id, f"status{end}", call=CALL)).status for end in ("", f"/{'q' * 43}")
        ] == [
            403,
            403,
        ]
        status_url = f"{PUBLIC}/carriers/twilio/{transfer_id}/status"
        assert [each.url for each in control.webhooks] == [
            f"{status_url}/{PROOF}?a=b",
            status_url,
            f"{status_url}/{'q' * 43}",
        ]

    run_served(scenario)


@pytest.mark.parametrize(
    "place",
    [
        *("status/short", f"status/{'p' * 129}", f"status/{PROOF}/{PROOF}", f"status/{PROOF}/"),
        *(
            "detection/short",
            f"detection/{PROOF}/0",
            f"answer/{PROOF}",
            f"answer/{'0' * 43}",
            "answer",
            f"answer/0/{PROOF}/{PROOF}",
            "answer/0/short",
        ),
    ],
)
def test_what_is_no_proof_is_no_place(run_served: RunServed, place: str) -> None:
    async def scenario(served: Served) -> None:
        control = using(served, MadeUpControl())
        transfer_id = await dialled(served)
        assert (await post(served, transfer_id, place, call=CALL)).status in (401, 404)
        assert control.webhooks == []

    run_served(scenario)


@pytest.mark.parametrize("place", ["answer/0", "detection"])
def test_a_proof_may_be_behind_each_url(run_served: RunServed, place: str) -> None:
    async def scenario(served: Served) -> None:
        control = using(served, MadeUpControl())
        transfer_id = await dialled(served)
        assert (await post(served, transfer_id, f"{place}/{PROOF}?a=b", call=CALL)).status in (200, 204)
        assert (await post(served, transfer_id, f"{place}/{'q' * 43}", call=CALL)).status == 403
        url = f"{PUBLIC}/carriers/twilio/{transfer_id}/{place}"
        assert [each.url for each in control.webhooks] == [f"{url}/{PROOF}?a=b", f"{url}/{'q' * 43}"]

    run_served(scenario)


@pytest.mark.parametrize("reopens", [True, False])
def test_t1_who_asks_for_no_second_stream_is_not_answered_when_somebody_does(
    run_served: RunServed,
    reopens: bool,  # noqa: FBT001  # a table
) -> None:
    async def scenario(served: Served) -> None:
        control = using(served, MadeUpControl(reopens_stream=reopens))
        transfer_id = await dialled(served)
        first = await post(served, transfer_id, f"answer/0/{PROOF}", call=CALL)
        assert first.status == 200
        assert ("/answer/1" in first.text) is reopens, "nor is it told where it could ask"
        reply = await post(served, transfer_id, f"answer/1/{PROOF}", call=CALL)
        assert reply.status == (200 if reopens else 404)
        assert ("/media/" in reply.text) is reopens
        assert len(control.webhooks) == (2 if reopens else 1)

    run_served(scenario)


def test_a_webhook_says_when_it_came(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        control = using(served, MadeUpControl())
        transfer_id = await dialled(served)
        before_s = time.time()
        await post(served, transfer_id, f"status/{PROOF}", call=CALL)
        assert before_s <= control.webhooks[0].received_s <= time.time()

    run_served(scenario)


def test_the_status_url_tells_who_picked_up_too(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        using(served, MadeUpControl())
        transfer_id = await dialled(served, accept="detection")
        assert (await post(served, transfer_id, f"status/{PROOF}", call=CALL, by="machine")).status == 204
        assert (await until(served, transfer_id, State.FAILED)).reason is Reason.VOICEMAIL

    run_served(scenario)


def test_an_event_that_is_of_nothing_we_know_is_taken(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        using(served, MadeUpControl())
        transfer_id = await dialled(served)
        assert (await post(served, transfer_id, f"status/{PROOF}", call=CALL)).status == 204
        assert (await served.ask("GET", f"/v1/transfers/{transfer_id}")).json["state"] == "dialing"

    run_served(scenario)


def test_a_document_is_of_the_carriers_own_type_and_made_for_its_call(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        using(served, MadeUpControl())
        transfer_id = await dialled(served)
        answer = await post(served, transfer_id, "answer/0", call=CALL, status="answered")
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
        (verb,) = answer.json
        assert (verb["verb"], verb["call"]) == ("stream", CALL)
        assert verb["then"] == f"{PUBLIC}/carriers/twilio/{transfer_id}/answer/1"

    run_served(scenario)


def test_the_answer_webhook_may_be_what_gives_a_call_its_name(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        using(served, MadeUpControl())
        served.carrier.script(Placed(REQUEST, is_final=False))
        transfer_id = await served.make()
        served.carrier.alive[CALL] = served.carrier.alive.pop(REQUEST)
        answer = await post(served, transfer_id, "answer/0", call=CALL, placed=REQUEST, status="answered")
        assert answer.json[0]["verb"] == "stream"
        assert (await until(served, transfer_id, State.ANSWERED)).provider_call_id == CALL
        assert served.carrier.hang_ups == []

    run_served(scenario)


# --- A stream that the dial opens ---


def test_who_is_told_with_the_dial_where_the_stream_goes_has_no_answer_webhook(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        control = using(served, MadeUpControl(opens_stream="dial"))
        transfer_id = await dialled(served)
        assert (await post(served, transfer_id, "answer/0", call=CALL)).status == 404
        assert control.webhooks == []

    run_served(scenario)


@pytest.mark.parametrize("query", ["", "?sample-rate=16000"])
def test_the_stream_of_the_dial_is_authorised_by_the_control_and_the_token(run_served: RunServed, query: str) -> None:
    async def scenario(served: Served) -> None:
        control = using(served, MadeUpControl(opens_stream="dial"))
        transfer_id = await dialled(served)
        url = served.services.urls.media("twilio", transfer_id, served.carrier.dials[0].media_token or "")
        port, target = urlsplit(served.base_url).port or 0, urlsplit(url).path + query
        assert await status_of(port, upgrade(target)) == 403
        before_s = time.time()
        async with connected(port) as carrier:
            carrier.send(upgrade(target, AUTHORIZED))
            await served.bridges.last.until(lambda bridge: bridge.handed != [])
        os.close(served.bridges.last.handed.pop().descriptor)
        assert [each.url for each in control.upgrades] == [url + query] * 2
        assert before_s <= control.upgrades[1].received_s <= time.time()
        served.bridges.last.emit(MediaStarted(CALL))
        await until(served, transfer_id, State.ANSWERED)

    run_served(scenario)


def test_a_carrier_that_has_one_url_for_all_calls_says_which_in_its_query(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        control = using(served, MadeUpControl(opens_stream="dial"))
        transfer_id = await dialled(served)
        token = served.carrier.dials[0].media_token or ""
        target = f"/carriers/twilio/media?transfer={transfer_id}&token={token}"
        async with connected(urlsplit(served.base_url).port or 0) as carrier:
            carrier.send(upgrade(target, AUTHORIZED))
            await served.bridges.last.until(lambda bridge: bridge.handed != [])
        os.close(served.bridges.last.handed.pop().descriptor)
        assert [each.url for each in control.upgrades] == [served.services.urls.media("twilio", transfer_id, token)]

    run_served(scenario)


def test_no_token_of_any_url_is_logged(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        using(served, MadeUpControl())
        transfer_id = await dialled(served)
        port = urlsplit(served.base_url).port or 0
        with capture_logs() as logged:
            assert (
                await status_of(port, upgrade(f"/carriers/twilio/{transfer_id}/media/{TOKEN}?a=b", AUTHORIZED)) == 403
            )
            target = f"/carriers/twilio/media?transfer={transfer_id}&token={TOKEN}"
            assert await status_of(port, upgrade(target, AUTHORIZED)) == 403
            assert (await post(served, transfer_id, f"status/{'q' * 43}", call=CALL)).status == 403
        assert [line["event"] for line in logged if line["event"].endswith("_refused")] == [
            "upgrade_refused",
            "upgrade_refused",
            "webhook_refused",
        ]
        assert TOKEN not in str(logged)
        assert "q" * 43 not in str(logged)

    run_served(scenario)


# --- What it may say ---


def test_what_a_carrier_cannot_say_is_refused_before_anything_rings(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        using(served, MadeUpControl(can_say=False))
        reply = await served.post(destination="sales")
        assert_problem(reply, 422, "invalid-request")
        assert "speak" in reply.json["detail"]
        assert served.carrier.dials == []
        await dialled(served)  # who has nothing to say is dialled

    run_served(scenario)


# --- REST ---


ORDER = DialOrder(TRANSFER, "+14155550123", "+14155550100", 30.0, 3600.0, detect_machine=False, media_token=TOKEN)


def account(rest: StandInRest, session: Any, control: MadeUpControl) -> CarrierAccount:
    control.api_url = rest.url
    return CarrierAccount(control, session, CarrierUrls(PUBLIC), metrics=Metrics(), timeout_s=5.0)


def test_a_dial_that_opens_the_stream_says_where_it_goes() -> None:
    async def scenario() -> None:
        async with StandInRest() as rest, carrier_session() as session:
            rest.answer = reply(200, {"id": REQUEST})
            control = MadeUpControl(opens_stream="dial")
            carrier = account(rest, session, control)
            assert (carrier.opens_stream_at_dial, carrier.reopens_stream) == (True, False)
            assert await carrier.dial(ORDER) == Placed(REQUEST, is_final=False)
        assert control.orders[0].media_url == f"wss://relay.example.com/carriers/twilio/{TRANSFER}/media/{TOKEN}"
        assert TOKEN not in repr(control.orders)

    uvloop.run(scenario())


def test_a_carrier_that_has_no_list_has_not_said_that_there_is_no_call() -> None:
    async def scenario() -> None:
        async with StandInRest() as rest, carrier_session() as session:
            carrier = account(rest, session, MadeUpControl())
            assert not carrier.can_list(ORDER)
            assert await carrier.find_calls(ORDER, sent_s=None) is None
            assert rest.requests == []

    uvloop.run(scenario())


@pytest.mark.parametrize(
    ("statuses", "is_over", "asked"),
    [
        ([200], True, ["hang_up"]),
        ([500, 200], True, ["hang_up", "cancel"]),
        ([500, 500, 200], True, ["hang_up", "cancel", "look_up"]),
        ([500, 500, 500], False, ["hang_up", "cancel", "look_up"]),
    ],
)
def test_a_call_is_ended_in_as_many_steps_as_it_takes(statuses: list[int], is_over: bool, asked: list[str]) -> None:  # noqa: FBT001
    async def scenario() -> None:
        answers = iter(statuses)

        async def answer(writer: Any) -> None:
            await reply(next(answers))(writer)

        async with StandInRest() as rest, carrier_session() as session:
            rest.answer = answer
            assert await account(rest, session, MadeUpControl()).hang_up(CALL) is is_over
            assert [each.target for each in rest.requests] == [f"/{step}/{CALL}" for step in asked]

    uvloop.run(scenario())


def test_a_stream_that_failed_is_news_of_the_phone() -> None:
    said = CallReport(CALL, None, "id", placed_id=REQUEST, stream_failure="connection_failed")
    assert phone_reports(said) == [PhoneReport(CALL, StreamFailed("connection_failed"), "id", REQUEST)]
