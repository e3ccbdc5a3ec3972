"""
What Twilio signed and nothing else: the recorded vectors, garbage of Twilio's kinds, and who says what the URL is.

A thousand changed bytes are in test_control_conformance.py; here those of a body that is no form.
"""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import pytest

from relay.conformance.mutations import forgeries
from relay.providers.control import Webhook
from relay.providers.forms import parse_form
from relay.providers.twilio_control import TwilioControl
from tests.providers.twilio_requests import (
    AUTH_TOKEN,
    FORM_TYPE,
    MEDIA_URL,
    SIGNATURE,
    VECTORS,
    control,
    recorded_webhook,
    sdk_signature,
    upgrade,
    webhook,
)

SETTINGS = "x-twilio-webhooks-signature-settings"


# --- Recorded vectors ---


def of_vector(vector: Any) -> tuple[TwilioControl, Webhook]:
    headers = {SIGNATURE: vector["signature"], **{k.lower(): v for k, v in vector.get("extra_headers", {}).items()}}
    if "body" in vector:
        body, headers["content-type"] = vector["body"].encode(), "application/json"
    else:
        body, headers["content-type"] = urlencode(vector["params"], doseq=True).encode(), FORM_TYPE
    if vector["algorithm"] == "HMAC_SHA256":
        account = control(shared_keys={"webhooks_sharedkey_00000000000000000000000001": vector["secret"]})
    else:
        account = control(vector["secret"])
    return account, Webhook("POST", vector["url"], headers, body)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_t3_every_recorded_vector_has_its_verdict(vector: Any) -> None:
    account, received = of_vector(vector)
    verify = account.verify_upgrade if vector["url"].startswith("wss:") else account.verify
    assert verify(received) is vector["sdk_validates"]


# --- Forgeries ---


def signed_json() -> Webhook:
    body = b'{"CallSid":"CA00000000000000000000000000000001","event":"x"}'
    url = f"https://relay.example.com/json?bodySHA256={sha256(body).hexdigest()}"
    return Webhook("POST", url, {"content-type": "application/json", SIGNATURE: sdk_signature(url)}, body)


SIGNED: dict[str, tuple[Callable[[Webhook], bool], Webhook]] = {
    "answer": (control().verify, recorded_webhook("answer_webhook")),
    "status": (control().verify, recorded_webhook("status_completed")),
    "detection": (control().verify, recorded_webhook("amd_async")),
    "json": (control().verify, signed_json()),
    "upgrade": (control().verify_upgrade, upgrade()),
}


def test_t3_a_changed_byte_of_json_is_refused() -> None:
    original = signed_json()
    assert control().verify(original)
    assert [each for each in forgeries(original, ["url", "body", SIGNATURE], "json") if control().verify(each)] == []


@pytest.mark.parametrize("kind", SIGNED)
@pytest.mark.parametrize(
    "signature", ["", " ", "=", "A" * 28, "é" * 28, "\ud800", "\x00", "a" * 100_000, "{0}, {0}", "{0} "]
)
def test_t3_garbage_for_a_signature_is_refused(kind: str, signature: str) -> None:
    verify, original = SIGNED[kind]
    garbage = signature.format(original.headers[SIGNATURE])
    assert not verify(replace(original, headers={**original.headers, SIGNATURE: garbage}))


@pytest.mark.parametrize(
    "change", [lambda pairs: pairs[1:], lambda pairs: [*pairs, ("CallStatus", "busy")], lambda _: []]
)
def test_t3_a_field_more_or_less_is_refused(change: Callable[[Any], Any]) -> None:
    original = recorded_webhook("status_completed")
    fields = list(parse_form(original.body).fields)
    assert not control().verify(replace(original, body=urlencode(change(fields)).encode()))


def test_t3_an_upgrades_signature_signs_no_callback() -> None:
    headers = {**recorded_webhook("status_completed").headers, SIGNATURE: sdk_signature(MEDIA_URL)}
    assert not control().verify(replace(recorded_webhook("status_completed"), url=MEDIA_URL, headers=headers))


# --- Who says what the URL is ---


@pytest.mark.parametrize("kind", SIGNED)
@pytest.mark.parametrize(
    "header", ["host", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "forwarded", "origin"]
)
def test_t4_no_header_changes_the_verdict(kind: str, header: str) -> None:
    verify, original = SIGNED[kind]
    spoofed = {**original.headers, header: "evil.example"}
    assert verify(replace(original, headers=spoofed))
    elsewhere = original.url.replace("relay.example.com", "evil.example")
    signed_elsewhere = {**spoofed, SIGNATURE: sdk_signature(elsewhere, parse_fields(original))}
    assert not verify(replace(original, headers=signed_elsewhere))


def parse_fields(received: Webhook) -> tuple[tuple[str, str], ...]:
    return parse_form(received.body).fields if received.headers.get("content-type") == FORM_TYPE else ()


@pytest.mark.parametrize("signed_url", [MEDIA_URL.replace("wss", "https"), MEDIA_URL + "/", MEDIA_URL + "?token=x"])
def test_t4_an_upgrade_is_signed_for_the_url_as_it_was_given(signed_url: str) -> None:
    assert not control().verify_upgrade(upgrade(signed_url=signed_url))


# --- SharedKeys ---

KEY_ID, SECRET = "webhooks_sharedkey_01", "shared-secret"
PAIRS = [("CallSid", "CA1"), ("CallStatus", "busy")]
URL = "https://relay.example.com/status"


def signed_with_shared_key(settings: str, *, key: str = SECRET, algorithm: str = "HMAC_SHA256") -> Webhook:
    signature = sdk_signature(URL, PAIRS, key=key, algorithm=algorithm)
    return webhook(URL, PAIRS, signature, x_twilio_webhooks_signature_settings=settings)


SETTINGS_OF_KEY = f"key={KEY_ID},algorithm=HMAC_SHA256"


def test_a_shared_key_that_is_ours_signs_with_sha256() -> None:
    ours = control(shared_keys={KEY_ID: SECRET, "webhooks_sharedkey_02": "another"})
    assert ours.verify(signed_with_shared_key(SETTINGS_OF_KEY))
    assert ours.verify(signed_with_shared_key(f" algorithm=HMAC_SHA256 , key={KEY_ID}"))
    assert not ours.verify(signed_with_shared_key(SETTINGS_OF_KEY, key="another"))
    assert not ours.verify(signed_with_shared_key(SETTINGS_OF_KEY, key=AUTH_TOKEN))


def test_with_a_shared_key_the_upgrade_is_signed_with_it_too() -> None:
    headers = {SIGNATURE: sdk_signature(MEDIA_URL, key=SECRET, algorithm="HMAC_SHA256"), SETTINGS: SETTINGS_OF_KEY}
    assert control(shared_keys={KEY_ID: SECRET}).verify_upgrade(Webhook("GET", MEDIA_URL, headers))
    assert not control().verify_upgrade(Webhook("GET", MEDIA_URL, headers))


def test_with_a_shared_key_the_auth_token_still_signs_what_names_no_key() -> None:
    assert control(shared_keys={KEY_ID: SECRET}).verify(webhook(URL, PAIRS))


def test_without_shared_keys_a_webhook_that_names_one_is_refused() -> None:
    assert not control().verify(signed_with_shared_key(SETTINGS_OF_KEY))
    assert not control().verify(webhook(URL, PAIRS, x_twilio_webhooks_signature_settings=SETTINGS_OF_KEY))


@pytest.mark.parametrize(
    "settings",
    [
        f"key={KEY_ID}",
        f"key={KEY_ID},algorithm=HMAC_SHA1",
        f"key={KEY_ID},algorithm=none",
        "algorithm=HMAC_SHA256",
        ",",
        "é",
    ],
)
@pytest.mark.parametrize("algorithm", ["HMAC_SHA256", "HMAC_SHA1"])
@pytest.mark.parametrize("key", [SECRET, AUTH_TOKEN])
def test_t3_settings_that_are_not_understood_are_refused(settings: str, algorithm: str, key: str) -> None:
    ours = control(shared_keys={KEY_ID: SECRET})
    assert not ours.verify(signed_with_shared_key(settings, key=key, algorithm=algorithm))
