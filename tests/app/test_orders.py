"""Requests and the orders they become: what is refused, what the configuration adds, and what is the same request."""

from typing import Any

import pytest
from pydantic import ValidationError

from relay.app.numbers import NumberPolicy
from relay.app.orders import Orders, TransferRequest
from relay.app.problems import ApiProblem, ProblemKind
from relay.app.room_urls import RoomPolicy
from relay.errors import NumberRefused, RoomRefused
from relay.transfers.record import Accept, TransferOrder
from tests.app.made_up_control import MadeUpControl
from tests.app.served import BILLING_NUMBER, ROOM, settings_with

TOKEN = "room-t0ken"  # noqa: S105 - opens nothing


def request(**changes: Any) -> TransferRequest:
    return TransferRequest.model_validate({"room_url": ROOM, "destination": "billing", **changes})


def resolve(settings: Any = None, /, *, control: MadeUpControl | None = None, **changes: Any) -> TransferOrder:
    configured = settings_with(**(settings or {}))
    orders = Orders(
        configured,
        numbers=NumberPolicy(configured.allowed_numbers),
        rooms=RoomPolicy(configured.daily_domains),
        carriers={"twilio": control or MadeUpControl()},
    )
    return orders.resolve(request(**changes))


@pytest.mark.parametrize(
    "wrong",
    [
        {"room_url": ""},
        {"room_url": "x" * 513},
        {"room_url": None},
        {"destination": None},
        {"destination": "billing", "to": BILLING_NUMBER},
        {"destination": "no spaces"},
        {"destination": "x" * 65},
        {"destination": None, "to": ""},
        {"destination": None, "to": "1" * 65},
        {"provider": "carrier-pigeon"},
        {"from": "4155550123"},
        {"from": "+1415555012x"},
        {"from": "+14155550123\n"},
        {"from_number": "+14155550123"},
        {"room_token": ""},
        {"room_token": "x" * 4097},
        {"room_token": "two words"},
        {"room_token": "\ud800"},
        {"customer_id": ""},
        {"customer_id": "x" * 129},
        {"customer_id": "line\nbreak"},
        {"bot_id": "\x00"},
        {"ring_timeout_s": 4.9},
        {"ring_timeout_s": 120.1},
        {"ring_timeout_s": "30"},
        {"ring_timeout_s": True},
        {"ring_timeout_s": float("nan")},
        {"max_duration_s": 59},
        {"max_duration_s": 14_401},
        {"max_duration_s": float("inf")},
        {"accept": "maybe"},
        {"metadata": {str(number): "" for number in range(21)}},
        {"metadata": {"": "empty key"}},
        {"metadata": {"k" * 65: ""}},
        {"metadata": {"k": "v" * 513}},
        {"metadata": {"k": 1}},
        {"metadata": {"k": {"nested": "v"}}},
        {"metadata": {"k": "\ud800"}},
        {"metadata": []},
        {"unknown": 1},
    ],
)
def test_a_request_that_breaks_a_rule_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        request(**wrong)


def test_everything_at_its_limit_is_a_request() -> None:
    asked = request(
        room_token="x" * 4096,
        customer_id="~" * 128,
        ring_timeout_s=120,
        max_duration_s=14_400,
        metadata={f"{number:064d}": "v" * 512 for number in range(20)},
        **{"from": "+14155550123"},
    )
    assert len(asked.metadata or {}) == 20


def test_a_destination_brings_all_that_the_request_leaves_open() -> None:
    order = resolve(destination="sales")
    assert order.to == "+442071838750"
    assert order.to_masked == "+**********50"
    assert order.from_number == "+14155550111"
    assert order.accept is Accept.PRESS_1
    assert order.ring_timeout_s == 12
    assert order.say == "Press 1 to take the call."
    assert order.provider == "twilio"


def test_the_service_brings_what_the_destination_leaves_open() -> None:
    order = resolve({"ring_timeout_s": 20, "max_duration_s": 600})
    assert (order.from_number, order.accept) == ("+14155550100", Accept.NONE)
    assert (order.ring_timeout_s, order.max_duration_s) == (20, 600)
    assert (order.room_token, order.customer_id, order.metadata, order.say) == (None, None, {}, None)


def test_the_request_itself_comes_first() -> None:
    order = resolve(
        destination="sales",
        room_token=TOKEN,
        customer_id="c-1",
        bot_id="b-1",
        accept="none",
        ring_timeout_s=40,
        max_duration_s=90,
        metadata={"k": "v"},
        **{"from": "+14155550177"},
    )
    assert (order.room_token, order.customer_id, order.bot_id) == (TOKEN, "c-1", "b-1")
    assert (order.accept, order.ring_timeout_s, order.max_duration_s) == (Accept.NONE, 40, 90)
    assert (order.from_number, order.metadata) == ("+14155550177", {"k": "v"})


def test_no_call_is_longer_than_the_service_allows() -> None:
    assert resolve({"max_duration_s": 600}, max_duration_s=3600).max_duration_s == 600


def test_a_number_is_dialled_only_if_its_prefix_is_allowed() -> None:
    allowed = {"allowed_numbers": ["+1415"]}
    assert resolve(allowed, destination=None, to="+14155550188").to == "+14155550188"
    for settings, number in [
        ({}, "+14155550188"),
        (allowed, "+19005550188"),
        (allowed, "+4479460188"),
        (allowed, "911"),
    ]:
        with pytest.raises(NumberRefused) as caught:
            resolve(settings, destination=None, to=number)
        assert number not in str(caught.value)


def test_a_room_of_another_domain_is_refused() -> None:
    with pytest.raises(RoomRefused) as caught:
        resolve(room_url="https://evil.daily.co/r?t=secret")
    assert "evil" not in str(caught.value)


def test_an_unknown_destination_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ApiProblem) as caught:
        resolve(destination="biling")
    assert caught.value.kind is ProblemKind.INVALID_REQUEST
    assert "billing, sales" in str(caught.value.detail)
    assert [(fault.where, fault.name) for fault in caught.value.faults] == [("body", "destination")]


def test_a_carrier_that_is_not_configured_is_refused() -> None:
    settings = settings_with()
    orders = Orders(settings, numbers=NumberPolicy(()), rooms=RoomPolicy(settings.daily_domains), carriers={})
    for asked in (request(), request(provider="twilio")):
        with pytest.raises(ApiProblem) as caught:
            orders.resolve(asked)
        assert "none is configured" in str(caught.value.detail)


def test_of_several_carriers_somebody_must_say_which() -> None:
    settings = settings_with(default_provider=None)
    carriers = {"twilio": MadeUpControl(), "acme": MadeUpControl()}
    orders = Orders(settings, numbers=NumberPolicy(()), rooms=RoomPolicy(settings.daily_domains), carriers=carriers)
    with pytest.raises(ApiProblem, match="expected acme, twilio"):
        orders.resolve(request())
    assert orders.resolve(request(provider="twilio")).provider == "twilio"


def test_a_destination_with_something_to_say_needs_a_carrier_that_can() -> None:
    silent = MadeUpControl(can_say=False)
    assert resolve(control=silent).say is None
    with pytest.raises(ApiProblem) as caught:
        resolve(control=silent, destination="sales")
    assert caught.value.kind is ProblemKind.INVALID_REQUEST
    assert [(fault.where, fault.name) for fault in caught.value.faults] == [("body", "provider")]


def test_who_is_to_be_detected_needs_a_carrier_that_does() -> None:
    blind = MadeUpControl(can_detect=False)
    assert resolve(control=blind, accept="press_1").accept is Accept.PRESS_1
    with pytest.raises(ApiProblem) as caught:
        resolve(control=blind, accept="detection")
    assert [(fault.where, fault.name) for fault in caught.value.faults] == [("body", "accept")]


def test_the_same_request_has_the_same_fingerprint_however_it_was_written() -> None:
    one = request(metadata={"a": "1", "b": "2"}, ring_timeout_s=30, customer_id=None)
    other = TransferRequest.model_validate(
        {"metadata": {"b": "2", "a": "1"}, "ring_timeout_s": 30.0, "destination": "billing", "room_url": ROOM}
    )
    assert one.fingerprint() == other.fingerprint()


@pytest.mark.parametrize(
    "change",
    [
        {"destination": "sales"},
        {"room_url": ROOM + "2"},
        {"room_token": TOKEN},
        {"from": "+14155550177"},
        {"provider": "twilio"},
        {"accept": "none"},
        {"ring_timeout_s": 31},
        {"max_duration_s": 61},
        {"customer_id": "c"},
        {"bot_id": "c"},
        {"metadata": {}},
        {"metadata": {"k": "v"}},
    ],
)
def test_another_request_has_another_fingerprint(change: dict[str, Any]) -> None:
    assert request(**change).fingerprint() != request().fingerprint()


def test_another_token_is_another_request() -> None:
    assert request(room_token=TOKEN).fingerprint() != request(room_token=TOKEN + "2").fingerprint()


def test_what_is_secret_is_not_shown() -> None:
    asked = request(destination=None, to="+14155550188", room_token=TOKEN, **{"from": "+14155550177"})
    for secret in (TOKEN, "4155550188", "4155550177"):
        assert secret not in repr(asked)
        assert secret not in asked.fingerprint()
