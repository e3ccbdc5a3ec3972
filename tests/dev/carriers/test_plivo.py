"""What Plivo reads in a dial, and what it tells, against its own pages."""

import asyncio
import json
from typing import Any

import pytest

from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_order import OrderRefused
from relay.dev.carrier_outcomes import NO_ANSWER, Answers, Outcome
from relay.dev.carrier_rest import Asked
from relay.dev.carriers.plivo import Plivo
from relay.dev.carriers.plivo_signature import signature_of
from tests.dev.carriers.cases import PLIVO
from tests.dev.carriers.sessions import exchange
from tests.dev.carriers.stand_in import StandIn
from tests.dev.carriers.test_calls import dial, path
from tests.dev.conftest import Run

BODY = exchange("plivo", "dial")["request"]["body"]


def order(**changes: object) -> Any:
    body = {name: value for name, value in (BODY | changes).items() if value is not None}
    return Plivo().read_order(Asked("application/json", json.dumps(body).encode()))


def test_plivos_own_example_is_an_order_without_violations() -> None:
    placed = order()
    assert (placed.to, placed.from_number) == ("+14155550123", "+14155550100")
    assert (placed.answer_url, placed.detection_url) == (BODY["answer_url"], BODY["machine_detection_url"])
    assert placed.event_urls == {"ringing": BODY["ring_url"], "completed": BODY["hangup_url"]}
    assert (placed.ring_timeout_s, placed.time_limit_s, placed.violations) == (30, 7200, ())


def test_a_form_is_read_as_well() -> None:
    asked = Asked("application/x-www-form-urlencoded", b"from=14155550100&to=14155550123&answer_url=https%3A%2F%2Fa")
    assert Plivo().read_order(asked).answer_url == "https://a"
    assert Plivo().dialled(asked) == "+14155550123"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"to": "+14155550123"}, "to: expected a number without +"),
        ({"colour": "red"}, "colour: expected parameters of placing a call"),
        ({"answer_method": "GET"}, "answer_method: expected one of POST"),
        ({"machine_detection": "hangup", "machine_detection_url": None}, "machine_detection: expected one of true"),
        ({"machine_detection": None}, "machine_detection: expected true with machine_detection_url"),
    ],
)
def test_what_plivo_would_ignore_is_a_violation(changes: dict[str, object], says: str) -> None:
    (violation,) = order(**changes).violations
    assert violation.startswith(says)


@pytest.mark.parametrize(
    "changes", [{"to": "x"}, {"to": None}, {"from": "1"}, {"answer_url": None}, {"ring_timeout": "soon"}, {"to": 7}]
)
def test_what_is_no_order_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(OrderRefused):
        order(**changes)


def test_callbacks_are_those_of_its_page_and_signed(run: Run) -> None:
    async def whole() -> None:
        async with (
            SimulatedCarrier(dialect=Plivo(), script=Outcome(callee=Answers())) as carrier,
            StandIn(carrier) as here,
        ):
            here.document = PLIVO.document(here)
            await dial(PLIVO, here)
            await here.until_media()
            await here.until(lambda here: bool(here.at("/amd")))
            carrier.calls[0].hang_up()
            await carrier.until_idle()
            names = {
                "/ring": "ring_callback",
                "/answer": "answer_webhook",
                "/amd": "amd_callback",
                "/hangup": "hangup_callback",
            }
            for where, name in names.items():
                (came,) = here.at(where)
                expected = exchange("plivo", name)["request"]["body"]
                assert came.content.keys() == expected.keys(), name
                assert came.content["Event"] == expected["Event"]
                nonce = came.headers["X-Plivo-Signature-V3-Nonce"]
                signature = signature_of(
                    "POST", here.url + came.path, came.content.items(), nonce=nonce, auth_token=carrier.auth_token
                )
                assert came.headers["X-Plivo-Signature-V3"] == signature
            call = carrier.calls[0]
            assert {each.content["CallUUID"] for each in here.received} == {call.sid}
            assert {each.content["RequestUUID"] for each in here.received} == {call.ids.placed}
            assert call.sid != call.ids.placed

    run(whole)


def test_a_request_that_was_answered_is_not_found_any_more(run: Run) -> None:
    async def whole() -> None:
        async with SimulatedCarrier(dialect=Plivo()) as carrier, StandIn(carrier) as here:
            here.document = PLIVO.document(here)
            request_id = await dial(PLIVO, here)
            await here.until_media()
            where = f"/v1/Account/{carrier.account_sid}/Request/{request_id}/"
            status, body, _ = await here.ask("DELETE", where, headers=PLIVO.dial(here)["headers"])
            assert (status, body.keys()) == (404, {"api_id", "error"})
            assert carrier.calls[0].is_live

    run(whole)


def test_an_upgrade_is_signed_in_the_form_that_is_asked_for() -> None:
    for form in ("wss", "https"):
        headers = Plivo(signs_upgrade_as=form).upgrade("wss://relay.example.com/media/a", secret="s")  # noqa: S106 -- of nothing
        nonce = headers["X-Plivo-Signature-V3-Nonce"]
        url = f"{form}://relay.example.com/media/a"
        assert headers["X-Plivo-Signature-V3"] == signature_of("GET", url, nonce=nonce, auth_token="s")  # noqa: S106 -- of nothing


def test_an_error_has_plivos_form(run: Run) -> None:
    async def whole() -> None:
        async with SimulatedCarrier(dialect=Plivo(), script=NO_ANSWER) as carrier, StandIn(carrier) as here:
            headers = PLIVO.dial(here)["headers"]
            status, body, _ = await here.ask("POST", path(PLIVO, here), headers=headers, json={"to": "x"})
            assert (status, body.keys()) == (400, exchange("plivo", "dial_error")["response"]["body"].keys())
            status, body, _ = await here.ask("POST", "/v1/Account/MA0/Call/", headers=headers, json={"to": "x"})
            assert status == 404
            await asyncio.sleep(0)

    run(whole)
