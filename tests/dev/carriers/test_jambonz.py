"""What jambonz reads in a dial, and what it tells, against its own pages and sources."""

import json
from typing import Any

import pytest

from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_order import OrderRefused
from relay.dev.carrier_outcomes import ANSWERED, NO_ANSWER, Answers, Detection, Outcome
from relay.dev.carrier_rest import Asked
from relay.dev.carriers.jambonz import Jambonz, signature_of
from tests.dev.carriers.cases import JAMBONZ
from tests.dev.carriers.sessions import exchange, vectors
from tests.dev.carriers.stand_in import StandIn
from tests.dev.carriers.test_calls import dial
from tests.dev.conftest import Run

BODY = exchange("jambonz", "dial")["request"]["body"]


def order(**changes: object) -> Any:
    body = {name: value for name, value in (BODY | changes).items() if value is not None}
    return Jambonz().read_order(Asked("application/json", json.dumps(body).encode()))


def test_jambonzs_own_example_is_an_order_without_violations() -> None:
    placed = order(amd={"actionHook": "https://relay.example.com/amd"})
    assert (placed.to, placed.from_number) == (BODY["to"]["number"], BODY["from"])
    assert (placed.answer_url, placed.status_url) == (BODY["call_hook"]["url"], BODY["call_status_hook"]["url"])
    assert (placed.detection_url, placed.ring_timeout_s) == ("https://relay.example.com/amd", 30)
    assert (placed.tags, placed.violations) == ({"leg": "agent-7"}, ())


def test_a_parameter_that_it_does_not_have_is_a_violation() -> None:
    (violation,) = order(colour=1).violations
    assert violation.startswith("colour: ")


@pytest.mark.parametrize(
    "changes",
    [
        {"to": "+14155550123"},
        {"to": {"type": "phone", "number": "1"}},
        {"from": None},
        {"call_hook": None},
        {"call_hook": {"url": "https://a", "method": "GET"}},
        {"timeout": 0},
    ],
)
def test_what_is_no_order_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(OrderRefused):
        order(**changes)


def test_a_vector_is_signed_to_the_same_value() -> None:
    (vector,) = [each for each in vectors("jambonz") if each["name"] == "call_hook_post"]
    made = signature_of(1767225601, vector["raw_body"].encode(), secret=vector["secret"])
    assert made == vector["header"]["Jambonz-Signature"]


@pytest.mark.parametrize(
    ("found", "said"),
    [("human", "amd_human_detected"), ("machine_start", "amd_machine_detected"), ("unknown", "amd_decision_timeout")],
)
def test_hooks_are_those_of_its_pages_and_signed(run: Run, found: str, said: str) -> None:
    async def whole() -> None:
        script = Outcome(callee=Answers(detected=Detection(found)))
        async with SimulatedCarrier(dialect=Jambonz(), script=script) as carrier, StandIn(carrier) as here:
            here.document, here.subprotocols = JAMBONZ.document(here), JAMBONZ.subprotocols
            options = JAMBONZ.dial(here)
            options["json"]["amd"] = {"actionHook": f"{here.url}/amd"}
            await here.ask("POST", JAMBONZ.dial_path.format(account=carrier.account_sid), **options)
            await here.until_media()
            await here.until(lambda here: bool(here.at("/amd")))
            carrier.calls[0].hang_up()
            await carrier.until_idle()
            for each in here.received:
                given = each.headers["Jambonz-Signature"]
                timestamp = int(given.partition(",")[0].removeprefix("t="))
                assert given == signature_of(timestamp, each.body, secret=carrier.dialect.signing_key)
                assert each.content["customerData"] == {"leg": "agent-7"}
            assert here.at("/amd")[0].content["type"] == said
            expected = exchange("jambonz", "call_hook")["request"]["body"]
            assert expected.keys() <= here.at("/call")[0].content.keys()
            expected = exchange("jambonz", "call_status")["request"]["body"]
            assert expected.keys() <= here.at("/status")[-1].content.keys()

    run(whole)


def test_without_the_subprotocol_there_is_no_stream(run: Run) -> None:
    async def whole() -> None:
        async with SimulatedCarrier(dialect=Jambonz(), script=ANSWERED) as carrier, StandIn(carrier) as here:
            here.document = JAMBONZ.document(here)
            await dial(JAMBONZ, here)
            await carrier.until_idle()
            (violation,) = carrier.calls[0].violations
            assert "expected a subprotocol of those offered, got none" in violation

    run(whole)


def test_a_call_is_ended_by_the_word_for_its_state_only(run: Run) -> None:
    async def whole() -> None:
        async with SimulatedCarrier(dialect=Jambonz(), script=NO_ANSWER) as carrier, StandIn(carrier) as here:
            call_id = await dial(JAMBONZ, here)
            where, headers = f"/v1/Accounts/{carrier.account_sid}/Calls/{call_id}", JAMBONZ.dial(here)["headers"]
            await carrier.calls[0].until(lambda call: call.status == "ringing")

            async def put(**content: str) -> int:
                return (await here.ask("PUT", where, headers=headers, json=content))[0]

            assert await put(call_status="completed") == 500
            assert (await here.ask("GET", where, headers=headers))[1]["call_status"] == "ringing"
            assert await put(call_status="no-answer") == 202
            assert await put(call_status="completed") == 500
            calls = where.rpartition("/")[0] + "?direction=outbound"
            assert [each["call_sid"] for each in (await here.ask("GET", calls, headers=headers))[1]] == [call_id]

    run(whole)
