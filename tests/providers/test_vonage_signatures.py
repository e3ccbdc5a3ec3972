"""
What Vonage signed and nothing else: the recorded vectors, garbage of Vonage's kinds, time, and the stream's token.

A thousand changed bytes are in test_control_conformance.py.
"""

from dataclasses import replace
from typing import Any

import pytest

from relay.providers.control import Webhook
from tests.providers.control_samples import with_header
from tests.providers.proofs import proven
from tests.providers.vonage_requests import (
    AT_S,
    MEDIA_URL,
    STATUS_URL,
    STREAM_TOKEN,
    VECTORS,
    bearer,
    control,
    event,
    recorded_webhook,
    signed,
)

AUTHORIZATION = "authorization"
SIGNED = {
    "answer": recorded_webhook("answer_webhook"),
    "status": event("completed"),
    "detection": recorded_webhook("event_machine"),
    "empty": signed(b""),
}
BODY = SIGNED["status"].body


def of_vector(vector: Any) -> Webhook:
    """Those without a body of their own are of the first's, or of a GET."""
    body = vector.get("raw_body", VECTORS["signed_webhook_post"]["raw_body"]).encode()
    url, headers = proven(STATUS_URL, vector["secret"]), {AUTHORIZATION: f"Bearer {vector['jwt']}"}
    return Webhook("POST", url, headers, body, received_s=AT_S + 5)


@pytest.mark.parametrize(
    ("name", "is_taken"),
    [
        ("signed_webhook_post", True),
        ("negative_wrong_secret", False),
        ("payload_hash_mismatch", False),  # Vonage's own library does not look
        ("signed_webhook_get_answer", False),  # relay asks for a POST: of a GET it is not known what is signed
    ],
)
def test_t3_every_recorded_vector_has_its_verdict(name: str, is_taken: bool) -> None:  # noqa: FBT001  # a table
    vector = VECTORS[name]
    assert control(signature_secret=vector["secret"]).verify(of_vector(vector)) is is_taken


def test_no_recorded_vector_is_left_out() -> None:
    here = {"signed_webhook_post", "negative_wrong_secret", "payload_hash_mismatch", "signed_webhook_get_answer"}
    assert here | {"rest_application_jwt"} == {*VECTORS}  # that one is in test_json_web_token.py


@pytest.mark.parametrize("kind", SIGNED)
@pytest.mark.parametrize(
    "authorization",
    [
        *("", " ", "Bearer", "Bearer ", "Bearer ..", "é" * 88, "\ud800", "Bearer \ud800.a.b", "\x00", "a" * 100_000),
        *("Basic {0}", "{0}", "Bearer {0} ", "Bearer  {0}", "Bearer {0},Bearer {0}"),
    ],
)
def test_t3_garbage_for_a_signature_is_refused(kind: str, authorization: str) -> None:
    original = SIGNED[kind]
    token = original.headers[AUTHORIZATION].removeprefix("Bearer ")
    assert not control().verify(with_header(original, AUTHORIZATION, authorization.format(token)))


@pytest.mark.parametrize(
    "changes",
    [
        {"payload_hash": None},
        {"payload_hash": 1},
        {"payload_hash": "é"},
        {"payload_hash": ""},
        {"payload_hash": "0" * 64},
        {"application_id": "aaaaaaaa-bbbb-cccc-dddd-000000000000"},
        {"application_id": 1},
        {"iat": None},
        {"iat": 0},
        {"iat": AT_S - 301},
        {"iat": AT_S + 301},
        {"iat": True},
        {"iat": str(AT_S)},
        {"exp": str(AT_S + 9)},
        {"exp": AT_S},
        {"exp": AT_S - 1},
    ],
)
def test_t3_a_token_of_something_else_is_refused(changes: dict[str, Any]) -> None:
    assert not control().verify(signed(BODY, authorization=bearer(BODY, **changes)))


@pytest.mark.parametrize("changes", [{"application_id": None}, {"exp": AT_S + 1}, {"jti": None}, {"iat": AT_S - 300}])
def test_a_token_need_not_say_everything(changes: dict[str, Any]) -> None:
    assert control().verify(signed(BODY, authorization=bearer(BODY, **changes)))


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_t3_another_algorithm_is_refused(algorithm: str) -> None:
    secret = "s" * 64
    account = control(signature_secret=secret)
    true = replace(signed(BODY, authorization=bearer(BODY, secret=secret)), url=proven(STATUS_URL, secret))
    assert account.verify(true)
    other = bearer(BODY, secret=secret, algorithm=algorithm)
    assert not account.verify(with_header(true, AUTHORIZATION, other))


@pytest.mark.parametrize(
    ("late_s", "is_taken"), [(0, True), (300, True), (-300, True), (300.5, False), (-301, False), (1e9, False)]
)
def test_t5_a_signature_is_good_for_five_minutes(late_s: float, is_taken: bool) -> None:  # noqa: FBT001  # a table
    assert control().verify(replace(SIGNED["status"], received_s=AT_S + late_s)) is is_taken


# --- The stream ---


def upgrade(authorization: str | None = f"Bearer {STREAM_TOKEN}") -> Webhook:
    return Webhook("GET", MEDIA_URL, {} if authorization is None else {AUTHORIZATION: authorization})


@pytest.mark.parametrize("authorization", [None, "", "é", "\ud800", STREAM_TOKEN, f"bearer {STREAM_TOKEN}"])
def test_t1_an_upgrade_without_it_is_refused(authorization: str | None) -> None:
    assert not control().verify_upgrade(upgrade(authorization))


def test_t1_a_webhooks_signature_opens_no_stream_and_the_streams_signs_no_webhook() -> None:
    assert not control().verify_upgrade(replace(SIGNED["status"], method="GET", url=MEDIA_URL))
    assert not control().verify(with_header(SIGNED["status"], AUTHORIZATION, f"Bearer {STREAM_TOKEN}"))
