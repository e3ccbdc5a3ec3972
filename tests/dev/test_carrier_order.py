"""A form is an order, or it is refused with Twilio's code; what Twilio ignores is remembered as a violation."""

import json
import re
from pathlib import Path

import pytest

from relay.dev.carrier_order import Order, OrderRefused, order_of

FORM = {"To": "+15550100001", "From": "+15550100000", "Url": "https://relay.example.com/answer"}
SAMPLES = json.loads((Path(__file__).parents[1] / "providers/samples/twilio_http.json").read_text())


def order(**changes: str) -> Order:
    return order_of([*(FORM | changes).items()])


def sample(name: str) -> list[tuple[str, str]]:
    body = next(exchange["request"]["body"] for exchange in SAMPLES if exchange["name"] == name)
    return [(field, value) for field, value in body]


def test_twilios_own_example_is_an_order_without_violations() -> None:
    assert order_of(sample("dial")) == Order(
        to="+14155550123",
        from_number="+14155550100",
        answer_url="https://relay.example.com/twilio/answer?leg=agent-7",
        status_url="https://relay.example.com/twilio/status?leg=agent-7",
        events=frozenset({"initiated", "ringing", "answered", "completed"}),
        detection_url="https://relay.example.com/twilio/amd?leg=agent-7",
        ring_timeout_s=30,
        time_limit_s=7200,
    )


def test_what_is_left_out_is_twilios_default() -> None:
    assert order() == Order(
        to=FORM["To"],
        from_number=FORM["From"],
        answer_url=FORM["Url"],
        status_url="",
        events=frozenset({"completed"}),
        detection_url="",
        ring_timeout_s=60,
        time_limit_s=14400,
    )


def test_no_number_shows_in_the_repr_of_an_order() -> None:
    assert "+1555" not in repr(order())


@pytest.mark.parametrize(
    "to", ["", "123", "+0123456789", "+123456", "+1234567890123456", "+1555010000a", "+1555 0100001"]
)
def test_a_number_that_is_not_e164_is_21211(to: str) -> None:
    with pytest.raises(OrderRefused, match=r"To: expected E\.164") as refused:
        order(To=to)
    assert refused.value.code == 21211


@pytest.mark.parametrize(("name", "code"), [("To", 21201), ("From", 21213), ("Url", 21205)])
def test_what_an_order_must_have_is_named_with_twilios_code(name: str, code: int) -> None:
    with pytest.raises(OrderRefused, match=name) as refused:
        order_of([(field, value) for field, value in FORM.items() if field != name])
    assert refused.value.code == code


@pytest.mark.parametrize("value", ["", "-1", "1.5", "soon", "\u0663"])
def test_seconds_are_whole(value: str) -> None:
    with pytest.raises(OrderRefused, match="Timeout: expected whole seconds"):
        order(Timeout=value)


def test_ringing_has_twilios_upper_bound() -> None:
    assert order(Timeout="601").ring_timeout_s == 600


@pytest.mark.parametrize(
    ("name", "value", "violation"),
    [
        ("Twiml", "<Response/>", "Twiml: .* unknown or not simulated"),
        ("Method", "GET", "Method: expected POST, got 'GET'"),
        ("StatusCallbackEvent", "busy", "StatusCallbackEvent: expected one of initiated, .*, got 'busy'"),
        ("MachineDetection", "Enable", "AsyncAmd: expected true with MachineDetection, got None"),
    ],
)
def test_what_twilio_would_ignore_is_a_violation(name: str, value: str, violation: str) -> None:
    (found,) = order(**{name: value}).violations
    assert re.fullmatch(f"{violation}.*", found)


def test_a_parameter_that_comes_twice_is_a_violation() -> None:
    twice = order_of([*FORM.items(), ("Timeout", "3"), ("Timeout", "4")])
    assert twice.violations == ("Timeout: expected once, got 2",)
