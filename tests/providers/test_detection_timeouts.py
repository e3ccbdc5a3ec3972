"""How long each carrier is told to look for a machine: as the order says, as near to it as the carrier takes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from relay.providers.control import CallOrder, CarrierControl
from relay.providers.forms import parse_form
from tests.providers import (
    exotel_requests,
    jambonz_requests,
    plivo_requests,
    signalwire_requests,
    telnyx_requests,
    twilio_requests,
    vonage_requests,
)

DETECTION_URL = "https://relay.example.com/detection"


def form(body: bytes) -> Any:
    return dict(parse_form(body).fields).get("MachineDetectionTimeout")


def plivo(body: bytes) -> Any:
    return json.loads(body).get("machine_detection_time")


def telnyx(body: bytes) -> Any:
    return json.loads(body).get("answering_machine_detection_config")


def jambonz(body: bytes) -> Any:
    return json.loads(body)["amd"].get("timers")


def total(millis: int) -> dict[str, int]:
    return {"total_analysis_time_millis": millis}


def timers(no_speech: int, decision: int) -> dict[str, int]:
    return {"noSpeechTimeoutMs": no_speech, "decisionTimeoutMs": decision}


SENT: list[tuple[Any, Callable[[bytes], Any], float | None, Any]] = [
    (twilio_requests, form, 10.0, "10"),
    (twilio_requests, form, 8.9, "8"),  # never later
    (twilio_requests, form, 0.5, "3"),
    (twilio_requests, form, 600.0, "59"),
    (twilio_requests, form, None, None),
    (signalwire_requests, form, 10.0, "10"),
    (signalwire_requests, form, 0.5, "1"),
    (signalwire_requests, form, 600.0, "120"),
    (signalwire_requests, form, None, None),
    (plivo_requests, plivo, 2.5, 2500),
    (plivo_requests, plivo, 0.5, 2000),
    (plivo_requests, plivo, 600.0, 10_000),
    (plivo_requests, plivo, None, None),
    (telnyx_requests, telnyx, 2.5, total(2500)),
    (telnyx_requests, telnyx, 600.0, total(30_000)),
    (telnyx_requests, telnyx, None, None),
    (jambonz_requests, jambonz, 10.0, timers(5000, 10_000)),
    (jambonz_requests, jambonz, 2.5, timers(2500, 2500)),
    (jambonz_requests, jambonz, 600.0, timers(5000, 15_000)),
    (jambonz_requests, jambonz, None, None),
]


def dialled(carrier: Any, timeout_s: float | None) -> bytes:
    control: CarrierControl = carrier.control()
    order: CallOrder = carrier.call_order(detection_url=DETECTION_URL, detection_timeout_s=timeout_s)
    return control.dial(order).body


@pytest.mark.parametrize(("carrier", "of", "timeout_s", "sent"), SENT)
def test_detection_is_given_as_long_as_the_order_says(
    carrier: Any, of: Callable[[bytes], Any], timeout_s: float | None, sent: object
) -> None:
    assert of(dialled(carrier, timeout_s)) == sent


@pytest.mark.parametrize("carrier", [vonage_requests, exotel_requests])
def test_who_has_no_such_parameter_is_sent_none(carrier: Any) -> None:
    assert dialled(carrier, 2.5) == dialled(carrier, None)


@pytest.mark.parametrize(
    "carrier", [twilio_requests, signalwire_requests, plivo_requests, telnyx_requests, jambonz_requests]
)
def test_without_detection_there_is_nothing_to_be_given_time(carrier: Any) -> None:
    control: CarrierControl = carrier.control()
    timed, plain = (carrier.call_order(detection_url=None, detection_timeout_s=each) for each in (2.5, None))
    assert control.dial(timed).body == control.dial(plain).body
