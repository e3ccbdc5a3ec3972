"""
What jambonz signed, when, and nothing else: the recorded vectors, and what is garbage to jambonz alone.

A thousand changed bytes are in test_control_conformance.py.
"""

from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest

from relay.providers.control import Webhook
from relay.providers.jambonz_control import SIGNATURE_MAX_AGE_S
from tests.providers.jambonz_requests import (
    DETECTION,
    MEDIA_URL,
    NOW_S,
    SECRET,
    VECTORS,
    control,
    hook,
    recorded_hook,
    signature,
    upgrade,
)
from tests.providers.proofs import proven

SIGNATURE = "jambonz-signature"
ANOTHER = "another"
SIGNED = {
    "answer": recorded_hook("call_hook"),
    "status": recorded_hook("call_status"),
    "detection": hook(DETECTION),
}


def with_signature(original: Webhook, header: str) -> Webhook:
    return replace(original, headers={**original.headers, SIGNATURE: header})


# --- Recorded vectors ---


@pytest.mark.parametrize("name", VECTORS)
def test_t3_every_recorded_vector_has_its_verdict(name: str) -> None:
    vector: Any = VECTORS[name]
    headers = {each.lower(): value for each, value in vector["header"].items()}
    body = vector["raw_body"].encode()
    url = proven("https://relay.example.com/hook", vector["secret"])
    received = Webhook("POST", url, headers, body, received_s=vector["verified_at_unix"])
    assert control(webhook_secret=vector["secret"]).verify(received) is vector["sdk_validates"]


def test_the_recorded_vector_is_what_these_tests_sign() -> None:
    vector = VECTORS["call_hook_post"]
    made = signature(vector["raw_body"].encode(), signed_s=1_767_225_601, secret=vector["secret"])
    assert made == vector["header"]["Jambonz-Signature"]


# --- Forgeries ---


@pytest.mark.parametrize("kind", SIGNED)
@pytest.mark.parametrize(
    "header",
    [
        *("", " ", "=", ",", "t=", "v1=", "t=,v1=", "é", "\ud800", "\x00", "a" * 100_000, "t=1767225606"),
        *("{v1}", "t=-1,{v1}", "t=x,{v1}", "t=1767225606.0,{v1}", "t=+1767225606,{v1}", "t=\u0661,{v1}"),
        *("{t},v1=", "{t},v1=0", "{t},V1={hex}", "{t},v0={hex}", "{t};{v1}", "{hex}", "{t},v1={hex}0", "{t},v1={HEX}"),
        *("{t},{t},{v1}", "{t},t=1,{v1}", "t=0000001767225606,{v1}", "t=" + "9" * 5000 + ",{v1}"),
    ],
)
def test_t3_garbage_for_a_signature_is_refused(kind: str, header: str) -> None:
    original = SIGNED[kind]
    t, v1 = original.headers[SIGNATURE].split(",")
    digest = v1.removeprefix("v1=")
    garbage = header.format(t=t, v1=v1, hex=digest, HEX=digest.upper())
    assert not control().verify(with_signature(original, garbage))


@pytest.mark.parametrize("kind", SIGNED)
def test_t3_a_missing_signature_is_refused(kind: str) -> None:
    assert not control().verify(replace(SIGNED[kind], headers={"content-type": "application/json"}))
    assert not control().verify(replace(SIGNED[kind], body=b""))


def test_t3_another_secret_is_refused() -> None:
    assert not control(webhook_secret=ANOTHER).verify(SIGNED["status"])
    assert not control().verify(hook({"call_sid": "1"}, secret=ANOTHER))


def test_while_a_secret_is_replaced_either_may_sign() -> None:
    original = SIGNED["status"]
    t, old = original.headers[SIGNATURE].split(",")
    new = signature(original.body, secret=ANOTHER).split(",")[1]
    for header in (f"{t},{old},{new}", f"{t},{new},{old}", f"{old},{t}", f" {t} , {new} , {old} "):
        assert control(webhook_secret=SECRET).verify(with_signature(original, header))


# --- When ---


@pytest.mark.parametrize(("age_s", "good"), [(-301, False), (-300, True), (0, True), (300, True), (301, False)])
def test_t5_a_signature_is_good_for_five_minutes(age_s: int, good: bool) -> None:  # noqa: FBT001  # a table
    assert SIGNATURE_MAX_AGE_S == 300
    assert control().verify(hook({"call_sid": "1"}, signed_s=NOW_S - age_s)) is good


def test_t5_the_time_is_signed_too() -> None:
    late = replace(SIGNED["status"], received_s=NOW_S + 1000)
    header = late.headers[SIGNATURE].replace(str(NOW_S), str(NOW_S + 1000))
    assert not control().verify(late)
    assert not control().verify(with_signature(late, header))


def test_t3_a_webhook_without_a_time_is_refused() -> None:
    assert not control().verify(replace(SIGNED["status"], received_s=0.0))


# --- What other headers say counts for nothing ---


@pytest.mark.parametrize("header", ["host", "x-forwarded-host", "x-forwarded-proto", "forwarded", "origin"])
def test_t4_no_other_header_changes_the_verdict(header: str) -> None:
    for original in SIGNED.values():
        assert control().verify(replace(original, headers={**original.headers, header: "evil.example"}))


# --- Upgrades ---


def test_t3_the_credentials_of_the_stream_verb_open_it_and_no_others_do() -> None:
    good = "Basic " + b64encode(b"relay:s3cret").decode()
    assert control().verify_upgrade(upgrade(good))
    assert not control().verify_upgrade(Webhook("GET", MEDIA_URL, {}))
    assert not control(stream_password=ANOTHER).verify_upgrade(upgrade(good))
    assert not control(stream_password=None).verify_upgrade(upgrade(good))


def test_t3_a_hooks_signature_opens_no_stream() -> None:
    assert not control().verify_upgrade(replace(SIGNED["answer"], url=MEDIA_URL))
