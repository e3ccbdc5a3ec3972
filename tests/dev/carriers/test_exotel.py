"""What Exotel reads in a dial, and what it tells, against its own pages."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_order import OrderRefused
from relay.dev.carrier_outcomes import ANSWERED
from relay.dev.carrier_rest import Asked
from relay.dev.carriers.exotel import API_KEY, Exotel
from tests.dev.carriers.cases import EXOTEL, basic
from tests.dev.carriers.sessions import exchange
from tests.dev.carriers.stand_in import StandIn
from tests.dev.carriers.test_calls import dial
from tests.dev.conftest import Run
from tests.providers.samples import SAMPLES

FORM = dict(exchange("exotel", "dial_connect_stream")["request"]["body"])


def order(**changes: str | None) -> Any:
    form = {name: value for name, value in (FORM | changes).items() if value is not None}
    return Exotel().read_order(Asked("application/x-www-form-urlencoded", urlencode(form).encode()))


def test_exotels_own_example_is_an_order_without_violations() -> None:
    placed = order()
    assert (placed.to, placed.from_number, placed.status_url) == (
        FORM["From"],
        FORM["CallerId"],
        FORM["StatusCallback"],
    )
    assert (placed.events, placed.time_limit_s, placed.violations) == ({"answered", "completed"}, 7200, ())
    assert (placed.stream.url, placed.stream.rate_hz) == (FORM["StreamUrl"], 8000)
    assert placed.stream.parameters == {"leg": "agent-7", "token": "t0k3n"}
    assert placed.tags == {"CustomField": "agent-7"}


def test_credentials_of_the_url_become_a_header() -> None:
    (vector,) = [each for each in _auth_vectors() if "configured_url" in each]
    stream = order(StreamUrl=vector["configured_url"]).stream
    assert (stream.url, stream.headers) == (vector["expect_request_url"], vector["expect_header"])


def _auth_vectors() -> list[dict[str, Any]]:

    vectors: list[dict[str, Any]] = json.loads((SAMPLES / "exotel_auth_vectors.json").read_text())["vectors"]
    return vectors


@pytest.mark.parametrize("name", ["sample-rate", "sample_rate"])
@pytest.mark.parametrize("rate_hz", [8000, 16000, 24000])
def test_the_url_says_the_rate(name: str, rate_hz: int) -> None:
    stream = order(StreamUrl=f"wss://relay.example.com/media?{name}={rate_hz}").stream
    assert (stream.rate_hz, dict(stream.parameters)) == (rate_hz, {})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"StreamType": None}, "StreamType: expected bidirectional"),
        ({"StatusCallbackEvents[0]": "ended"}, "StatusCallbackEvents: expected terminal, answered"),
        ({"Url": "https://a"}, "Url: expected parameters of placing a call"),
    ],
)
def test_what_exotel_would_ignore_is_a_violation(changes: dict[str, str | None], says: str) -> None:
    (violation,) = order(**changes).violations
    assert violation.startswith(says)


@pytest.mark.parametrize(
    "changes",
    [
        {"From": "x"},
        {"CallerId": None},
        {"StreamUrl": None},
        {"StreamUrl": "https://a"},
        {"StreamUrl": "wss://a/" + 600 * "b"},
        {"StreamUrl": "wss://a/?a=1&b=2&c=3&d=4"},
        {"StreamUrl": "wss://a/?sample-rate=44100"},
        {"TimeLimit": "14401"},
        {"CustomField": 129 * "a"},
    ],
)
def test_what_is_no_order_is_refused(changes: dict[str, str | None]) -> None:
    with pytest.raises(OrderRefused):
        order(**changes)


@pytest.mark.parametrize("kind", ["application/json", None])
def test_callbacks_are_those_of_its_page(run: Run, kind: str | None) -> None:
    async def whole() -> None:
        async with SimulatedCarrier(dialect=Exotel(), script=ANSWERED) as carrier, StandIn(carrier) as here:
            options = EXOTEL.dial(here)
            options["data"] += [("StatusCallbackContentType", kind)] if kind else []
            assert (await here.ask("POST", EXOTEL.dial_path.format(account=carrier.account_sid), **options))[0] == 200
            await here.until_media()
            carrier.calls[0].hang_up()
            await carrier.until_idle()
            answered, terminal = here.at("/status")
            assert answered.content["EventType"] == "answered"
            expected = exchange("exotel", "status_callback_terminal")["request"]["body"]
            if kind is None:
                assert terminal.content.keys() == expected.keys()
            else:
                assert terminal.content["Legs"][0]["AnsweredBy"] == "NA"  # nobody asked for it
            assert terminal.content["From"] == expected["From"]

    run(whole)


def test_details_of_a_call_say_whether_it_is_over(run: Run) -> None:
    async def whole() -> None:
        async with SimulatedCarrier(dialect=Exotel(), script=ANSWERED) as carrier, StandIn(carrier) as here:
            call_id = await dial(EXOTEL, here)
            await here.until_media()
            where = f"/v1/Accounts/{carrier.account_sid}/Calls/{call_id}.json"
            headers = basic(API_KEY, carrier.auth_token)
            assert (await here.ask("GET", where, headers=headers))[1]["Call"]["Status"] == "in-progress"
            carrier.calls[0].hang_up()
            assert (await here.ask("GET", where, headers=headers))[1]["Call"]["Status"] == "completed"
            missing = f"/v1/Accounts/{carrier.account_sid}/Calls/none.json"
            status, body, _ = await here.ask("GET", missing, headers=headers)
            assert (status, body["RestException"].keys()) == (404, {"Status", "Message", "Code"})

    run(whole)
