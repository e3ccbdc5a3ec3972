"""Carriers' webhooks through the real server: what is looked at first, and the documents that are answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest
from structlog.testing import capture_logs

from relay.app.webhooks import STREAMS_MAX
from relay.dev.carrier_signature import SIGNATURE_HEADER, signature_of
from relay.transfers.ports import MediaLost, Placed
from relay.transfers.reasons import Reason
from relay.transfers.record import Transfer, new_transfer_id
from relay.transfers.states import State
from tests.app.conftest import RunServed
from tests.app.served import NOBODY, Reply, Served

AUTH_TOKEN = "c" * 32
CALL, OTHER = "CA" + "1" * 32, "CA" + "2" * 32
FORM_TYPE = "application/x-www-form-urlencoded; charset=UTF-8"
TIMEOUT_S = 10.0


async def post(
    served: Served, url: str, form: Mapping[str, str], *, signature: str | None = None, provider: str = "twilio"
) -> Reply:
    """A webhook to a public URL, signed by the carrier unless told otherwise."""
    if signature is None:
        signature = signature_of(url, form.items(), auth_token=AUTH_TOKEN)
    path = url.removeprefix("https://relay.example.com").replace("twilio", provider)
    headers = {"Content_Type": FORM_TYPE, SIGNATURE_HEADER.replace("-", "_"): signature}
    return await served.ask("POST", path, urlencode(form).encode(), key=None, **headers)


async def answer(served: Served, transfer_id: str, stream: int = 0, *, call_id: str = CALL, **form: str) -> Reply:
    url = served.services.urls.answer("twilio", transfer_id, stream)
    return await post(served, url, {"CallSid": call_id, "CallStatus": "in-progress", **form})


async def status(served: Served, transfer_id: str, call_status: str, **form: str) -> Reply:
    url = served.services.urls.status("twilio", transfer_id)
    return await post(served, url, {"CallSid": CALL, "CallStatus": call_status, **form})


async def dialled(served: Served, **body: Any) -> str:
    """A transfer whose call the carrier has placed."""
    served.carrier.script(Placed(CALL))
    return await served.make(**body)


async def until(served: Served, transfer_id: str, state: State) -> Transfer:
    def met(transfer: Transfer) -> bool:
        return transfer.state is state

    transfer = await served.store.wait(transfer_id, met, timeout_s=TIMEOUT_S)
    assert transfer is not None
    assert met(transfer), transfer
    return transfer


def verbs(reply: Reply) -> list[tuple[str, str]]:
    """The document's verbs, each with what is in it: text, or the URL of its stream."""
    assert (reply.status, reply.headers["Content-Type"].partition(";")[0]) == (200, "text/xml")
    root = ET.fromstring(reply.text.encode())  # noqa: S314 - relay's own
    streams = {each: stream.attrib["url"] for each in root for stream in each.iter("Stream")}
    return [(each.tag, streams.get(each, each.text or "")) for each in root]


def count(served: Served, kind: str, verdict: str) -> float:
    labels = {"provider": "twilio", "kind": kind, "verdict": verdict}
    return served.services.metrics.registry.get_sample_value("relay_webhooks_total", labels) or 0.0


# --- The order of checks ---


def test_an_unknown_carrier_is_not_found_before_anything_else_is_looked_at(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await dialled(served)
        for route in ("answer/0", "status", "detection"):
            url = f"https://relay.example.com/carriers/twilio/{transfer_id}/{route}"
            for signature in (None, ""):
                reply = await post(served, url, {"CallSid": CALL}, signature=signature, provider="telco")
                assert (reply.status, reply.text) == (404, "")
        await served.ask("GET", "/healthz", key=None)
        assert "telco" not in served.services.metrics.render().decode()

    run_served(scenario)


@pytest.mark.parametrize("route", ["answer/0", "status", "detection"])
def test_what_is_not_signed_is_forged_whatever_it_says(run_served: RunServed, route: str) -> None:
    """It is not parsed: a body that is no form is refused for its signature too."""

    async def scenario(served: Served) -> None:
        transfer_id = await dialled(served)
        path = f"/carriers/twilio/{transfer_id}/{route}"
        for body in (urlencode({"CallSid": CALL, "CallStatus": "busy"}).encode(), b"", b"\xff%%%=&"):
            with capture_logs() as logged:
                reply = await served.ask("POST", path, body, key=None, Content_Type=FORM_TYPE, X_Twilio_Signature="A")
            assert (reply.status, reply.text) == (403, "")
            (refusal,) = [line for line in logged if line["event"] == "webhook_refused"]
            assert (refusal["kind"], refusal["verdict"]) == (route.partition("/")[0], "forged")
            assert transfer_id not in str(refusal)
        assert count(served, route.partition("/")[0], "forged") == 3
        assert (await served.ask("GET", f"/v1/transfers/{transfer_id}")).json["state"] == "dialing"

    run_served(scenario)


@pytest.mark.parametrize("form", [{}, {"CallSid": "CA1"}, {"CallSid": "CA" + "A" * 32}, {"CallStatus": "busy"}])
def test_what_is_signed_and_names_no_call_is_malformed(run_served: RunServed, form: dict[str, str]) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await dialled(served)
        reply = await post(served, served.services.urls.status("twilio", transfer_id), form)
        assert (reply.status, reply.text) == (400, "")
        assert (count(served, "status", "malformed"), count(served, "status", "ok")) == (1, 0)
        assert (await served.ask("GET", f"/v1/transfers/{transfer_id}")).json["state"] == "dialing"

    run_served(scenario)


@pytest.mark.parametrize("place", ["tr_0/status", f"{NOBODY}/answer/-1", f"{NOBODY}/answer/{STREAMS_MAX + 1}"])
def test_a_place_that_no_carrier_was_given_is_refused(run_served: RunServed, place: str) -> None:
    async def scenario(served: Served) -> None:
        reply = await post(served, f"https://relay.example.com/carriers/twilio/{place}", {"CallSid": CALL})
        assert 400 <= reply.status < 500
        assert served.carrier.hang_ups == []

    run_served(scenario)


# --- Progress ---


def test_a_status_is_taken_with_no_content(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await dialled(served)
        reply = await status(served, transfer_id, "ringing")
        assert (reply.status, reply.text) == (204, "")
        await until(served, transfer_id, State.RINGING)
        served.carrier.end(CALL)
        await status(served, transfer_id, "failed", SipResponseCode="603", ErrorCode="32009")
        over = await until(served, transfer_id, State.FAILED)
        assert (over.reason, over.provider_code) == (Reason.REJECTED, "32009")
        assert (await status(served, transfer_id, "ringing")).status == 204, "late, and no error"
        assert count(served, "status", "ok") == 3

    run_served(scenario)


def test_a_status_that_is_new_to_us_is_no_news(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await dialled(served)
        assert (await status(served, transfer_id, "levitating")).status == 204
        assert (await served.ask("GET", f"/v1/transfers/{transfer_id}")).json["state"] == "dialing"

    run_served(scenario)


# --- Answer documents ---


def test_an_answered_call_is_given_its_stream_and_where_to_go_on(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await dialled(served)
        (connect, media_url), redirect = verbs(await answer(served, transfer_id))
        base, _, token = media_url.rpartition("/")
        assert (connect, base) == ("Connect", f"wss://relay.example.com/carriers/twilio/{transfer_id}/media")
        assert redirect == ("Redirect", f"https://relay.example.com/carriers/twilio/{transfer_id}/answer/1")
        await until(served, transfer_id, State.ANSWERED)
        assert verbs(await answer(served, transfer_id)) == [(connect, media_url), redirect], "the same when asked again"
        assert await served.coordinator.admits(transfer_id, "twilio", token)

    run_served(scenario)


def test_the_agent_is_spoken_to_before_the_first_stream_only(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await dialled(served, destination="sales", accept="none")
        said, (_, media_url), _ = verbs(await answer(served, transfer_id))
        assert said == ("Say", "Press 1 to take the call.")
        assert await served.coordinator.admits(transfer_id, "twilio", media_url.rpartition("/")[2])
        served.bridges.last.connect(CALL)
        await until(served, transfer_id, State.JOINED)
        served.bridges.last.emit(MediaLost("reset"))
        (connect, again_url), redirect = verbs(await answer(served, transfer_id, stream=1))
        assert (connect, redirect[1].rpartition("/")[2]) == ("Connect", "2")
        assert again_url != media_url

    run_served(scenario)


@pytest.mark.parametrize("stream", [1, 2, STREAMS_MAX])
def test_a_stream_that_is_not_the_next_one_is_not_opened(run_served: RunServed, stream: int) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await dialled(served)
        assert verbs(await answer(served, transfer_id, stream=stream)) == [("Hangup", "")]

    run_served(scenario)


def test_a_call_that_nobody_wants_any_longer_is_hung_up_by_its_document(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await dialled(served)
        await served.ask("DELETE", f"/v1/transfers/{transfer_id}")
        assert verbs(await answer(served, transfer_id)) == [("Hangup", "")]

    run_served(scenario)


def test_a_call_of_a_transfer_that_is_not_here_is_hung_up_both_ways(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        assert verbs(await answer(served, new_transfer_id(1, b"0123456789"))) == [("Hangup", "")]
        await served.carrier.until(lambda carrier: carrier.hang_ups == [CALL])

    run_served(scenario)


def test_a_second_call_of_one_dial_is_hung_up_and_the_first_goes_on(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await dialled(served)
        assert verbs(await answer(served, transfer_id))[0][0] == "Connect"
        assert verbs(await answer(served, transfer_id, call_id=OTHER)) == [("Hangup", "")]
        await served.carrier.until(lambda carrier: carrier.hang_ups == [OTHER])
        assert (await served.ask("GET", f"/v1/transfers/{transfer_id}")).json["state"] == "answered"

    run_served(scenario)


# --- Who picked up ---


@pytest.mark.parametrize("detected", ["machine_start", "fax"])
def test_a_machine_that_the_answer_webhook_names_gets_no_stream(run_served: RunServed, detected: str) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await dialled(served, accept="detection")
        assert verbs(await answer(served, transfer_id, AnsweredBy=detected)) == [("Hangup", "")]
        assert (await until(served, transfer_id, State.FAILED)).reason is Reason.VOICEMAIL
        assert not served.bridges.last.is_admitted

    run_served(scenario)


def test_a_person_that_the_answer_webhook_names_is_let_in(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await dialled(served, accept="detection")
        assert verbs(await answer(served, transfer_id, AnsweredBy="human"))[0][0] == "Connect"
        assert served.bridges.last.is_admitted

    run_served(scenario)


def test_a_person_that_is_detected_later_is_let_in_then(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await dialled(served, accept="detection")
        await answer(served, transfer_id)
        assert not served.bridges.last.is_admitted
        url = served.services.urls.detection("twilio", transfer_id)
        assert (await post(served, url, {"CallSid": CALL, "AnsweredBy": "human"})).status == 204
        await served.bridges.last.until(lambda bridge: bridge.is_admitted)
        assert count(served, "detection", "ok") == 1

    run_served(scenario)
