"""
What SignalWire signed, or shows, and nothing else: the recorded vectors, and what is garbage to SignalWire alone.

A thousand changed bytes are in test_control_conformance.py.
"""

import importlib
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from relay.providers.control import Webhook
from relay.providers.forms import parse_form
from tests.providers.signalwire_requests import (
    MEDIA_URL,
    SIGNATURE,
    SIGNING_KEY,
    TWILIO_SIGNATURE,
    VECTORS,
    control,
    progress,
    token_of,
    upgrade,
    webhook,
)
from tests.providers.twilio_requests import FORM_TYPE, sdk_signature

ALONE = Path(sys.prefix) / "alone"
"""Where scripts/setup installs what asks for versions that nothing else can have."""


@pytest.mark.parametrize("header", [SIGNATURE, TWILIO_SIGNATURE])
def test_t3_the_recorded_vector_of_a_form_is_taken_from_either_header(header: str) -> None:
    [vector] = [each for each in VECTORS if "params" in each]
    received = webhook(vector["url"], vector["params"].items(), vector["signature"], header=header)
    assert vector["sdk_validates"]
    assert control(vector["secret"]).verify(received)
    assert not control("another").verify(received)


@pytest.mark.parametrize("vector", [each for each in VECTORS if "raw_body" in each], ids=lambda each: each["name"])
def test_t3_json_is_not_taken_as_relay_asks_for_none(vector: Any) -> None:
    headers = {"content-type": "application/json", SIGNATURE: vector["signature"]}
    received = Webhook("POST", vector["url"], headers, vector["raw_body"].encode())
    assert not control(vector["secret"]).verify(received)


ONE = control()
SIGNED: dict[str, tuple[Callable[[Webhook], bool], Webhook, str]] = {
    "status": (ONE.verify, progress("completed", SequenceNumber="3"), SIGNATURE),
    "answer": (ONE.verify, progress("in-progress"), SIGNATURE),
    "detection": (ONE.verify, progress("", AnsweredBy="human"), SIGNATURE),
}


@pytest.mark.parametrize("kind", SIGNED)
@pytest.mark.parametrize(
    "garbage", ["", " ", "=", "A" * 28, "é" * 28, "\ud800", "\x00", "a" * 100_000, "{0}, {0}", "{0} "]
)
def test_t3_garbage_for_a_signature_is_refused(kind: str, garbage: str) -> None:
    verify, original, header = SIGNED[kind]
    headers = {**original.headers, header: garbage.format(original.headers[header])}
    assert not verify(replace(original, headers=headers))
    assert not verify(replace(original, headers={"content-type": FORM_TYPE}))


def test_t4_no_header_changes_the_verdict() -> None:
    original = progress("completed")
    elsewhere = original.url.replace("relay.example.com", "evil.example")
    signature = sdk_signature(elsewhere, parse_form(original.body).fields, key=SIGNING_KEY)
    spoofed = {**original.headers, "host": "evil.example", "x-forwarded-host": "evil.example"}
    assert control().verify(replace(original, headers=spoofed))
    assert not control().verify(replace(original, headers={**spoofed, SIGNATURE: signature}))


def test_t1_an_upgrade_shows_the_token_of_our_document() -> None:
    token = token_of(ONE)
    assert ONE.verify_upgrade(upgrade(f"Bearer {token}"))
    assert ONE.verify_upgrade(upgrade(f"bearer {token}"))
    assert token == token_of(ONE)


@pytest.mark.parametrize(
    "shown",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer  {0}",
        "{0}",
        "Basic {0}",
        "Bearer {0} ",
        "Bearer {0},Bearer {0}",
        "Bearer \ud800",
    ],
)
def test_t1_an_upgrade_that_shows_anything_else_is_refused(shown: str) -> None:
    assert not ONE.verify_upgrade(upgrade(shown.format(token_of(ONE))))
    assert not ONE.verify_upgrade(Webhook("GET", MEDIA_URL, {}))


def test_t1_another_process_has_another_token() -> None:
    other = control()
    assert token_of(other) != token_of(ONE)
    assert not other.verify_upgrade(upgrade(f"Bearer {token_of(ONE)}"))


def test_t1_a_signature_does_not_open_a_stream() -> None:
    headers = {SIGNATURE: sdk_signature(MEDIA_URL, key=SIGNING_KEY)}
    assert not ONE.verify_upgrade(Webhook("GET", MEDIA_URL, headers))


def test_what_relay_takes_is_what_the_sdk_validates(monkeypatch: pytest.MonkeyPatch) -> None:
    if not ALONE.is_dir():
        pytest.skip("signalwire, the SDK, is not installed: scripts/setup test puts it where nothing else is found")
    with monkeypatch.context() as only_here:
        only_here.syspath_prepend(ALONE)
        sdk: Any = importlib.import_module("signalwire.request_validator")
    for received in (progress("completed"), progress("busy", SipResultCode="486", CallerName="Zoë & co")):
        fields = dict(parse_form(received.body).fields)
        validate = sdk.RequestValidator(SIGNING_KEY).validate
        assert validate(received.url, fields, received.headers[SIGNATURE])
        assert not validate(received.url, {**fields, "CallStatus": "canceled"}, received.headers[SIGNATURE])
        assert control().verify(received)
