"""
What Telnyx signed and nothing else: the recorded vectors, garbage of Telnyx's kinds, time, and the stream's token.

A thousand changed bytes are in test_control_conformance.py.
"""

from dataclasses import replace
from typing import Any

import pytest

from relay.providers.control import Webhook
from tests.providers.control_samples import with_header
from tests.providers.proofs import proven
from tests.providers.telnyx_requests import (
    API_KEY,
    AT_S,
    MEDIA_URL,
    PUBLIC_KEY,
    SIGNATURE,
    STREAM_TOKEN,
    TIMESTAMP,
    VECTORS,
    control,
    event,
    signed,
    upgrade,
)

SIGNED = {
    "answered": event("call.answered"),
    "hangup": event("call.hangup", hangup_cause="normal_clearing"),
    "empty": signed(b""),
}


def of_vector(vector: Any) -> Webhook:
    url = proven("https://relay.example.com/telnyx/events", API_KEY)
    received_s = vector["verified_at_unix"]
    return Webhook("POST", url, vector["headers"], vector["raw_body"].encode(), received_s=received_s)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_t3_every_recorded_vector_has_its_verdict(vector: Any) -> None:
    assert control(public_key=vector["public_key_b64"]).verify(of_vector(vector)) is vector["sdk_validates"]


@pytest.mark.parametrize("kind", SIGNED)
@pytest.mark.parametrize(
    "signature",
    ["", " ", "=", "A" * 88, "é" * 88, "\ud800", "\x00", "a" * 100_000, "{0}, {0}", "{0} ", "{0}\n", "{0}="],
)
def test_t3_garbage_for_a_signature_is_refused(kind: str, signature: str) -> None:
    original = SIGNED[kind]
    assert not control().verify(with_header(original, SIGNATURE, signature.format(original.headers[SIGNATURE])))


@pytest.mark.parametrize("timestamp", ["", "0", "+{0}", "{0}.0", " {0}", "{0}\n", "{0},{0}", "9" * 5000, "é", "\u0661"])
def test_t3_garbage_for_a_time_is_refused(timestamp: str) -> None:
    assert not control().verify(with_header(SIGNED["answered"], TIMESTAMP, timestamp.format(AT_S)))


@pytest.mark.parametrize(
    ("late_s", "is_taken"), [(0, True), (300, True), (-300, True), (300.5, False), (-301, False), (1e9, False)]
)
def test_t5_a_signature_is_good_for_five_minutes(late_s: float, is_taken: bool) -> None:  # noqa: FBT001  # a table
    assert control().verify(replace(SIGNED["answered"], received_s=AT_S + late_s)) is is_taken


def test_t3_another_key_signs_nothing() -> None:
    other = control(public_key="A" * 42 + "E=")
    assert not other.verify(SIGNED["answered"])
    assert PUBLIC_KEY != "A" * 42 + "E="


# --- The stream ---


@pytest.mark.parametrize(
    "token", [None, "", "é", "\ud800", f"{STREAM_TOKEN},{STREAM_TOKEN}", f"Bearer {STREAM_TOKEN}", STREAM_TOKEN + " "]
)
def test_t1_an_upgrade_without_it_is_refused(token: str | None) -> None:
    assert not control().verify_upgrade(upgrade(token))


def test_t1_a_webhooks_signature_opens_no_stream() -> None:
    assert not control().verify_upgrade(replace(SIGNED["answered"], method="GET", url=MEDIA_URL))
