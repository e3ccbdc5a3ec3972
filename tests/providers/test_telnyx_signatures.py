"""What Telnyx signed and nothing else: the recorded vectors, a thousand changed bytes, time, and the stream's token."""

import random
from dataclasses import replace
from typing import Any

import pytest

from relay.providers.control import Webhook
from tests.providers.forgeries import mutated, with_a_byte_changed, with_header, without_header
from tests.providers.proofs import proven
from tests.providers.telnyx_requests import (
    API_KEY,
    AT_S,
    MEDIA_URL,
    PUBLIC_KEY,
    SIGNATURE,
    STREAM_HEADER,
    STREAM_TOKEN,
    TIMESTAMP,
    VECTORS,
    control,
    event,
    signed,
)

MUTATIONS = 1000
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
def test_t3_a_changed_byte_is_refused(kind: str) -> None:
    original, choose = SIGNED[kind], random.Random(kind)
    assert control().verify(original)
    forgeries = [mutated(original, choose, headers=[SIGNATURE, TIMESTAMP]) for _ in range(MUTATIONS)]
    assert [each for each in forgeries if control().verify(each)] == []


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


@pytest.mark.parametrize("name", [SIGNATURE, TIMESTAMP])
def test_t3_a_missing_header_is_refused(name: str) -> None:
    assert not control().verify(without_header(SIGNED["answered"], name))


@pytest.mark.parametrize(
    ("late_s", "is_taken"), [(0, True), (300, True), (-300, True), (300.5, False), (-301, False), (1e9, False)]
)
def test_t5_a_signature_is_good_for_five_minutes(late_s: float, is_taken: bool) -> None:  # noqa: FBT001  # a table
    assert control().verify(replace(SIGNED["answered"], received_s=AT_S + late_s)) is is_taken


def test_t3_another_key_signs_nothing() -> None:
    other = control(public_key="A" * 42 + "E=")
    assert not other.verify(SIGNED["answered"])
    assert PUBLIC_KEY != "A" * 42 + "E="


@pytest.mark.parametrize("header", ["host", "x-forwarded-host", "x-forwarded-proto", "forwarded", "origin"])
def test_t4_no_other_header_changes_the_verdict(header: str) -> None:
    assert control().verify(with_header(SIGNED["answered"], header, "evil.example"))


# --- The stream ---


def upgrade(token: str | None = STREAM_TOKEN) -> Webhook:
    return Webhook("GET", MEDIA_URL, {} if token is None else {STREAM_HEADER: token})


def test_t1_an_upgrade_has_the_token_of_the_dial() -> None:
    assert control().verify_upgrade(upgrade())
    choose = random.Random(1)
    forged = {with_a_byte_changed(STREAM_TOKEN.encode(), choose).decode("latin-1") for _ in range(MUTATIONS)}
    assert [token for token in forged if control().verify_upgrade(upgrade(token))] == []


@pytest.mark.parametrize(
    "token", [None, "", "é", "\ud800", f"{STREAM_TOKEN},{STREAM_TOKEN}", f"Bearer {STREAM_TOKEN}", STREAM_TOKEN + " "]
)
def test_t1_an_upgrade_without_it_is_refused(token: str | None) -> None:
    assert not control().verify_upgrade(upgrade(token))


def test_t1_a_webhooks_signature_opens_no_stream() -> None:
    assert not control().verify_upgrade(replace(SIGNED["answered"], method="GET", url=MEDIA_URL))
