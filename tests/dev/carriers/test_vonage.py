"""What Vonage reads in a dial, and what it tells, against its own pages."""

import hashlib
import json
from typing import Any

import jwt
import pytest

from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_order import OrderRefused
from relay.dev.carrier_outcomes import ANSWERED, Answers, Detection, Outcome
from relay.dev.carrier_rest import Asked
from relay.dev.carriers.vonage import Vonage
from tests.dev.carriers.cases import VONAGE
from tests.dev.carriers.sessions import exchange
from tests.dev.carriers.stand_in import StandIn
from tests.dev.carriers.test_calls import dial
from tests.dev.conftest import Run

BODY = exchange("vonage", "dial")["request"]["body"]


def order(**changes: object) -> Any:
    body = {name: value for name, value in (BODY | changes).items() if value is not None}
    return Vonage().read_order(Asked("application/json", json.dumps(body).encode()))


def test_vonages_own_example_is_an_order_without_violations() -> None:
    placed = order()
    assert (placed.to, placed.from_number) == ("+14155550123", "+14155550100")
    assert (placed.answer_url, placed.status_url) == (BODY["answer_url"][0], BODY["event_url"][0])
    assert placed.detection_url == BODY["event_url"][0]
    assert (placed.ring_timeout_s, placed.time_limit_s, placed.violations) == (30, 7200, ())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"to": [{"type": "phone", "number": "+14155550123"}]}, "to: expected a number without +"),
        ({"answer_method": "GET"}, "answer_method: expected one of POST"),
        ({"advanced_machine_detection": {"behavior": "hangup"}}, "machine detection: expected to continue"),
        ({"ncco": []}, "ncco: expected parameters of placing a call"),
    ],
)
def test_what_is_not_simulated_is_a_violation(changes: dict[str, object], says: str) -> None:
    (violation,) = order(**changes).violations
    assert violation.startswith(says)


@pytest.mark.parametrize(
    "changes",
    [
        {"to": "14155550123"},
        {"to": [{"type": "phone", "number": "x"}]},
        {"from": None},
        {"answer_url": "https://a"},
        {"event_url": []},
        {"ringing_timer": 121},
    ],
)
def test_what_is_no_order_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(OrderRefused):
        order(**changes)


@pytest.mark.parametrize(("found", "said"), [("human", "human"), ("machine_start", "machine")])
def test_events_are_those_of_its_page_and_signed(run: Run, found: str, said: str) -> None:
    async def whole() -> None:
        script = Outcome(callee=Answers(detected=Detection(found)))
        async with SimulatedCarrier(dialect=Vonage(), script=script) as carrier, StandIn(carrier) as here:
            here.document = VONAGE.document(here)
            call_id = await dial(VONAGE, here)
            await here.until_media()
            await here.until(lambda here: any(each.content.get("status") == said for each in here.received))
            carrier.calls[0].hang_up()
            await carrier.until_idle()
            for each in here.received:
                token = each.headers["Authorization"].removeprefix("Bearer ")
                claims = jwt.decode(token, carrier.dialect.signing_key, algorithms=["HS256"])
                assert claims["payload_hash"] == hashlib.sha256(each.body).hexdigest()
                assert claims["application_id"] == carrier.account_sid
            events = {VONAGE.word(each): each.content for each in here.at("/events")}
            answered = exchange("vonage", "event_answered")["request"]["body"]
            assert events["answered"].keys() == answered.keys()
            assert (events["answered"]["uuid"], events[said]["call_uuid"]) == (call_id, call_id)
            assert "uuid" not in events[said]
            (asked,) = here.at("/answer")
            assert asked.content.keys() == exchange("vonage", "answer_webhook")["request"]["body"].keys()

    run(whole)


def test_the_websocket_is_a_call_of_its_own(run: Run) -> None:
    async def whole() -> None:
        async with SimulatedCarrier(dialect=Vonage(), script=ANSWERED) as carrier, StandIn(carrier) as here:
            here.document = VONAGE.document(here)
            call_id = await dial(VONAGE, here)
            media = await here.until_media()
            assert media.socket is not None
            await media.socket.close()
            await carrier.until_idle()
            told = {VONAGE.word(each): each.content for each in here.at("/events")}
            assert {"media/answered", "media/disconnected", "completed"} <= told.keys()
            assert told["media/answered"]["uuid"] != call_id
            assert told["media/answered"]["headers"] == {"leg": "agent-7"}

    run(whole)


def test_calls_are_listed_by_status(run: Run) -> None:
    async def whole() -> None:
        async with SimulatedCarrier(dialect=Vonage(), script=ANSWERED) as carrier, StandIn(carrier) as here:
            here.document = VONAGE.document(here)
            call_id = await dial(VONAGE, here)
            await here.until_media()
            found = {}
            for status in ("started", "answered"):
                headers = VONAGE.dial(here)["headers"]
                _, body, _ = await here.ask("GET", f"/v1/calls?status={status}&order=desc", headers=headers)
                found[status] = [each["uuid"] for each in body["_embedded"]["calls"]]
            assert found == {"started": [], "answered": [call_id]}
            _, body, _ = await here.ask("GET", f"/v1/calls/{call_id}", headers=VONAGE.dial(here)["headers"])
            assert body["status"] == "answered"

    run(whole)
