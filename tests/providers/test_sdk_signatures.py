"""Carriers' own libraries judge as relay does, where they are installed."""

import importlib
import time
from dataclasses import replace
from typing import Any

import jwt
import pytest

from tests.providers import telnyx_requests, vonage_requests

ORACLE = "an oracle, of the extra 'test'"
BODY = b'{"data":{"event_type":"call.answered"}}'


def test_t3_telnyxs_library_verifies_the_same_webhooks() -> None:
    pytest.importorskip("nacl", reason=f"PyNaCl, which telnyx verifies with, is not installed: {ORACLE}")
    pytest.importorskip("telnyx", reason=f"telnyx is not installed: {ORACLE}")
    sdk: Any = importlib.import_module("telnyx.lib.webhook_verification")
    webhook = telnyx_requests.signed(BODY, at_s=int(time.time()))
    for each in (webhook, replace(webhook, body=BODY + b" ")):
        try:
            sdk.verify_webhook_signature(each.body.decode(), dict(each.headers), telnyx_requests.PUBLIC_KEY)
        except Exception:  # noqa: BLE001 - its error, whatever it is called in its version
            is_taken = False
        else:
            is_taken = True
        assert telnyx_requests.control().verify(each) is is_taken
        assert is_taken is (each is webhook)


def test_t3_vonages_library_verifies_the_same_webhooks() -> None:
    """But for the body: it does not look at its hash."""
    sdk: Any = pytest.importorskip("vonage_jwt", reason=f"vonage-jwt is not installed: {ORACLE}")
    now_s = int(time.time())
    token = vonage_requests.bearer(BODY, iat=now_s).removeprefix("Bearer ")
    webhook = replace(vonage_requests.signed(BODY, authorization=f"Bearer {token}"), received_s=now_s)
    for secret in (vonage_requests.SECRET, vonage_requests.SECRET + "0"):
        is_taken = vonage_requests.control(signature_secret=secret).verify(webhook)
        assert sdk.verify_signature(token, secret) is is_taken
        assert is_taken is (secret == vonage_requests.SECRET)


def test_vonages_library_makes_tokens_that_say_the_same() -> None:
    sdk: Any = pytest.importorskip("vonage_jwt", reason=f"vonage-jwt is not installed: {ORACLE}")
    client = sdk.JwtClient(vonage_requests.APPLICATION_ID, vonage_requests.pem())
    theirs = client.generate_application_jwt()
    ours = vonage_requests.control(now_s=time.time).hang_up(vonage_requests.CALL_ID).headers["Authorization"]
    read = [claims(token) for token in (theirs, ours.removeprefix("Bearer "))]
    assert {*read[0]} == {*read[1]}
    assert read[0]["exp"] - read[0]["iat"] == read[1]["exp"] - read[1]["iat"]
    assert read[0]["application_id"] == read[1]["application_id"]


def claims(token: Any) -> dict[str, Any]:
    read: dict[str, Any] = jwt.decode(token, vonage_requests.rsa_key().public_key(), algorithms=["RS256"])
    return read
