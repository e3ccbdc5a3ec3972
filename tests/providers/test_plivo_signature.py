"""
What Plivo signed and nothing else: the recorded vectors, garbage of Plivo's kinds, and which URL is signed.

A thousand changed bytes are in test_control_conformance.py; here those of the upgrade as the SDK has it.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.conformance.mutations import forgeries
from relay.providers.control import Webhook
from relay.providers.forms import Form, parse_form
from relay.providers.plivo_signature import is_request_signed, signed_text, signed_upgrade_form
from relay.providers.upgrade_verdict import JudgesUpgrades, UpgradeVerdict
from tests.providers.plivo_requests import (
    AUTH_TOKEN,
    MAIN_SIGNATURE,
    MEDIA_URL,
    NONCE,
    NONCE_HEADER,
    SIGNATURE,
    VECTORS,
    control,
    recorded_webhook,
    signature,
    upgrade,
    webhook,
)
from tests.providers.twilio_requests import FORM_TYPE

HTTP_URL = MEDIA_URL.replace("wss", "http")
KEY = AUTH_TOKEN.encode()


def upgraded(signed_url: str, url: str = MEDIA_URL, **options: str) -> Webhook:
    return upgrade(url, signed_url, **options)


# --- Recorded vectors ---


def of_vector(vector: Any) -> Webhook:
    """As it was sent; those without headers are of what the SDK refuses."""
    given_headers = vector.get("headers", {SIGNATURE: vector["signature"]})
    headers = {name.lower(): value for name, value in given_headers.items()}
    nonce_header = NONCE_HEADER if vector["version"] == "V3" else "x-plivo-signature-v2-nonce"
    headers |= {nonce_header: vector["nonce"], "content-type": FORM_TYPE}
    body = urlencode(vector.get("params", {}), doseq=True).encode()
    return Webhook(vector.get("method", "POST"), vector["url"], headers, body)


@pytest.mark.parametrize("vector", [each for each in VECTORS if each["version"] == "V3"], ids=lambda each: each["name"])
def test_t3_every_recorded_vector_of_version_3_has_its_verdict(vector: Any) -> None:
    """The SDK has no verdict on a ``wss://`` URL: it takes no such URL."""
    verify = control(vector["secret"]).verify
    if vector["url"].startswith("wss:"):
        verify = control(vector["secret"]).verify_upgrade
    assert verify(of_vector(vector)) is (vector["sdk_validates"] is not False)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda each: each["name"])
def test_t3_the_text_is_that_of_the_vector(vector: Any) -> None:
    if vector["version"] == "V3" and "string_to_sign" in vector:
        form = parse_form(urlencode(vector["params"], doseq=True).encode())
        text = signed_text(vector["method"], vector["url"], form)
        assert f"{text}.{vector['nonce']}" == vector["string_to_sign"]
        options = {"key": vector["secret"], "nonce": vector["nonce"], "method": vector["method"]}
        assert signature(vector["url"], vector["params"], **options) == vector["signature"]


@pytest.mark.parametrize("vector", [each for each in VECTORS if each["version"] == "V2"], ids=lambda each: each["name"])
def test_t3_version_2_is_refused_as_it_does_not_cover_what_is_said(vector: Any) -> None:
    received = of_vector(vector)
    assert vector["sdk_validates"] is True
    assert not control(vector["secret"]).verify(received)
    assert not control(vector["secret"]).verify(replace(received, body=b"CallStatus=completed"))
    assert not control(vector["secret"]).verify_upgrade(received)


def test_no_recorded_version_is_left_out() -> None:
    assert {vector["version"] for vector in VECTORS} == {"V2", "V3"}


# --- Forgeries ---

SIGNED: dict[str, tuple[Callable[[Webhook], bool], Webhook]] = {
    "answer": (control().verify, recorded_webhook("answer_webhook")),
    "ring": (control().verify, recorded_webhook("ring_callback")),
    "hangup": (control().verify, recorded_webhook("hangup_callback")),
    "detection": (control().verify, recorded_webhook("amd_callback")),
    "upgrade": (control().verify_upgrade, upgraded(MEDIA_URL)),
    "upgrade of the SDK": (control().verify_upgrade, upgraded(HTTP_URL + "/websocket")),
}


def test_t3_a_changed_byte_of_the_sdks_upgrade_is_refused() -> None:
    verify, original = SIGNED["upgrade of the SDK"]
    assert verify(original)
    assert [each for each in forgeries(original, ["url", SIGNATURE, NONCE_HEADER], "sdk") if verify(each)] == []


@pytest.mark.parametrize("kind", SIGNED)
@pytest.mark.parametrize(
    "garbage", ["", " ", "=", ",", "A" * 44, "é" * 44, "\ud800", "\x00", "a" * 100_000, "A," * 999]
)
def test_t3_garbage_for_a_signature_or_a_nonce_is_refused(kind: str, garbage: str) -> None:
    verify, original = SIGNED[kind]
    for header in (SIGNATURE, NONCE_HEADER):
        assert not verify(replace(original, headers={**original.headers, header: garbage}))


@pytest.mark.parametrize(
    "change", [lambda pairs: pairs[1:], lambda pairs: [*pairs, ("CallStatus", "busy")], lambda _: []]
)
def test_t3_a_field_more_or_less_is_refused(change: Callable[[Any], Any]) -> None:
    original = recorded_webhook("hangup_callback")
    fields = list(parse_form(original.body).fields)
    assert not control().verify(replace(original, body=urlencode(change(fields)).encode()))


def test_t3_a_body_that_is_not_signed_is_refused() -> None:
    """Of GET the query is signed, of another type nothing."""
    url, body = "https://relay.example.com/plivo/status?a=b", b"CallStatus=busy"
    got = Webhook("GET", url, {SIGNATURE: signature(url, method="GET"), NONCE_HEADER: NONCE, "content-type": FORM_TYPE})
    assert control().verify(got)
    assert not control().verify(replace(got, body=body))
    posted = webhook(url, {}, content_type="application/json")
    assert control().verify(posted)
    assert not control().verify(replace(posted, body=b"{}"))


@pytest.mark.parametrize("method", ["PUT", "get", "post", ""])
def test_t3_another_method_is_refused(method: str) -> None:
    assert not control().verify(replace(recorded_webhook("ring_callback"), method=method))


@pytest.mark.parametrize("body", [b"A", b"A=%zz", b"A=\xff", b"&".join([b"A=1"] * 1000)])
def test_t3_what_is_no_form_is_not_signed(body: bytes) -> None:
    url = "https://relay.example.com/plivo/status"
    assert not control().verify(replace(webhook(url, {}), body=body))


def test_t3_an_upgrades_signature_signs_no_callback() -> None:
    ring = recorded_webhook("ring_callback")
    headers = {**ring.headers, SIGNATURE: upgraded(ring.url, ring.url).headers[SIGNATURE]}
    assert not control().verify(replace(ring, headers=headers))


def test_t3_no_end_of_the_last_field_becomes_the_nonces() -> None:
    url = "https://relay.example.com/plivo/status"
    signed = webhook(url, {"CallUUID": "1", "To": "a.b"})
    moved = {**signed.headers, NONCE_HEADER: f"b.{NONCE}"}
    assert control().verify(signed)
    assert not control().verify(replace(signed, headers=moved, body=b"CallUUID=1&To=a"))


# --- Several keys ---


@pytest.mark.parametrize("signatures", ["{0}", "AAAA,{0}", "{0},AAAA", "AAAA, {0}"])
@pytest.mark.parametrize("header", [SIGNATURE, MAIN_SIGNATURE])
def test_any_signature_of_either_header_may_be_ours(signatures: str, header: str) -> None:
    original = recorded_webhook("ring_callback")
    others = {SIGNATURE: "A" * 43 + "=", MAIN_SIGNATURE: "B" * 43 + "="}
    given = signatures.format(original.headers[SIGNATURE])
    assert control().verify(replace(original, headers={**original.headers, **others, header: given}))
    assert not control("another").verify(replace(original, headers={**original.headers, **others, header: given}))
    assert control().verify_upgrade(upgraded(MEDIA_URL, header=header))


# --- Which URL is signed ---


@pytest.mark.parametrize("scheme", ["wss", "https", "http"])
@pytest.mark.parametrize("path", ["", "/websocket"])
def test_t4_an_upgrade_is_signed_for_one_of_six_urls(scheme: str, path: str) -> None:
    assert control().verify_upgrade(upgraded(MEDIA_URL.replace("wss", scheme) + path))
    verdict = control().judge_upgrade(upgraded(MEDIA_URL.replace("wss", scheme) + path))
    assert verdict == UpgradeVerdict(is_true=True, how=f"signed as {scheme}://...{path}")
    assert not control().verify_upgrade(upgraded(MEDIA_URL.replace("wss", scheme) + path, key="another"))


def test_an_upgrade_that_nobody_signed_is_told_from_one_that_is_signed_wrong() -> None:
    """If Plivo signed no upgrades at all, nothing else would tell so."""
    assert isinstance(control(), JudgesUpgrades)
    true = upgraded(MEDIA_URL)
    for left_out in (SIGNATURE, NONCE_HEADER):
        unsigned = replace(true, headers={name: value for name, value in true.headers.items() if name != left_out})
        assert control().judge_upgrade(unsigned) == UpgradeVerdict(is_true=False, how="signature missing")
    for wrong in (upgraded(MEDIA_URL, key="another"), upgraded(MEDIA_URL + "x"), replace(true, url="garbage")):
        assert control().judge_upgrade(wrong) == UpgradeVerdict(is_true=False, how="signature wrong")


@pytest.mark.parametrize("signed_url", ["ws://relay.test:8080/m/t", "http://relay.test:8080/m/t/websocket"])
def test_t4_an_upgrade_without_tls_is_signed_for_its_own_url_too(signed_url: str) -> None:
    assert control().verify_upgrade(upgraded(signed_url, "ws://relay.test:8080/m/t"))


@pytest.mark.parametrize(
    "signed_url",
    [
        *(MEDIA_URL.replace("wss", "ws"), MEDIA_URL + "/", MEDIA_URL + "?token=x", MEDIA_URL + "/websocket/"),
        *(
            MEDIA_URL.replace("t0k3n", "T0k3n"),
            MEDIA_URL.replace("relay.", "evil."),
            MEDIA_URL.replace(".com", ".com:8443"),
        ),
        HTTP_URL.removesuffix("/t0k3n") + "/websocket",
    ],
)
def test_t4_no_other_url_will_do(signed_url: str) -> None:
    assert not control().verify_upgrade(upgraded(signed_url))


@pytest.mark.parametrize("kind", SIGNED)
@pytest.mark.parametrize("header", ["host", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "forwarded"])
def test_t4_no_header_changes_the_verdict(kind: str, header: str) -> None:
    verify, original = SIGNED[kind]
    spoofed = {**original.headers, header: "evil.example"}
    assert verify(replace(original, headers=spoofed))
    elsewhere = original.url.replace("relay.example.com", "evil.example")
    fields = dict(parse_form(original.body).fields)
    signed = signature(elsewhere, fields, method=original.method)
    assert not verify(replace(original, headers={**spoofed, SIGNATURE: signed}))


def test_the_fragment_of_a_url_is_not_signed() -> None:
    url = "https://relay.example.com/plivo/status"
    assert control().verify(replace(webhook(url, {"a": "b"}), url=url + "#rc=2&rp=all"))


# --- Any request ---

WORD = st.text("abcXYZ019-_.~+/ é", min_size=1, max_size=8)
FIELDS = st.dictionaries(WORD, st.lists(st.text(max_size=6), min_size=1, max_size=3), max_size=5)


@given(WORD, FIELDS, FIELDS, st.sampled_from(["GET", "POST"]))
@example("a", {}, {"A": [""]}, "POST")
@pytest.mark.long
def test_t3_what_is_signed_is_taken_and_with_another_key_refused(
    path: str, query: dict[str, list[str]], sent: dict[str, list[str]], method: str
) -> None:
    url = f"https://relay.example.com/{path.replace(' ', '')}" + ("?" + urlencode(query, doseq=True) if query else "")
    fields: dict[str, list[str]] = sent if method == "POST" else {}
    signed = replace(webhook(url, fields, signature(url, fields, method=method)), method=method)
    assert is_request_signed(signed, KEY)
    assert not is_request_signed(signed, b"another")


@given(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=())))
@example("https://relay.example.com/\ud800", "\ud800")
@example("https://relay.example.com/?a", NONCE)
@example("https://relay.example.com/?\ud800=", NONCE)
def test_t3_no_text_as_url_signature_or_nonce_raises(url: str, text: str) -> None:
    for headers in ({SIGNATURE: text, NONCE_HEADER: NONCE}, {SIGNATURE: "A" * 44, NONCE_HEADER: text}):
        assert not is_request_signed(Webhook("POST", url, headers), KEY)
        assert signed_upgrade_form(Webhook("GET", url, headers), KEY) is None


def test_a_text_without_fields_ends_with_its_query() -> None:
    assert signed_text("POST", "https://a.example/b?d=2&c=1") == "https://a.example/b?c=1&d=2"
    assert signed_text("POST", "https://a.example/b", Form((("c", "1"),))) == "https://a.example/b?c1"
    with pytest.raises(ValueError, match="expected GET or POST of a URL"):
        signed_text("POST", "no url")
