"""Signatures over URL and form, held against Twilio's own library: what it signs is taken, and nothing else."""

from hashlib import sha256
from urllib.parse import urlencode

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from relay.errors import RemoteProtocolError
from relay.providers.control import Webhook
from relay.providers.form_signature import Secret, form_of, is_url_signed, is_webhook_signed, read_form, signed_text
from relay.providers.forms import Form
from tests.providers.twilio_requests import AUTH_TOKEN, FORM_TYPE, Fields, sdk_signature, webhook

SECRET = Secret(AUTH_TOKEN.encode())
URL = "https://relay.example.com/twilio/status?leg=agent-7"

WORD = st.text("abcXYZ019-_.~%", min_size=1, max_size=8)
URLS = st.builds(
    lambda scheme, host, port, path, query: f"{scheme}://{host}.example{port}/{path}{query}",
    st.sampled_from(["https", "http", "wss", "ws"]),
    st.from_regex(r"\A[a-z][a-z0-9-]{0,8}\Z"),
    st.sampled_from(["", ":80", ":443", ":8443"]),
    st.lists(WORD, max_size=3).map("/".join),
    st.lists(st.tuples(WORD, WORD), max_size=2).map(lambda pairs: "?" * bool(pairs) + urlencode(pairs)),
)
TEXT = st.text(max_size=6) | st.sampled_from(["", "a", "b", "CallSid", "+14155550123"])
PAIRS = st.lists(st.tuples(TEXT, TEXT), max_size=6)


def other_ports(url: str) -> list[str]:
    """The URL with each port, and without one."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    name = host.partition(":")[0]
    return [f"{scheme}://{name}{port}{slash}{path}" for port in ("", ":80", ":443", ":8443")]


@given(URLS, PAIRS)
@example(URL, [("Tag", "b"), ("Tag", "a"), ("Tag", "b"), ("CallerName", "")])
@example(URL, [("Zoë", "東京"), ("a", "B"), ("A", "b")])
@pytest.mark.long
def test_t3_what_twilio_signs_is_taken_and_with_another_key_refused(url: str, pairs: list[tuple[str, str]]) -> None:
    signed = webhook(url, pairs)
    signature = sdk_signature(url, pairs)
    assert is_webhook_signed(signed, signature, SECRET)
    assert not is_webhook_signed(signed, sdk_signature(url, pairs, key="another"), SECRET)


@given(URLS, PAIRS, PAIRS, st.data())
def test_t4_verdicts_are_those_of_twilio_for_every_form_and_port(
    url: str, sent: list[tuple[str, str]], signed: list[tuple[str, str]], data: st.DataObject
) -> None:
    signed_url = data.draw(st.sampled_from(other_ports(url)))
    assume(not (url.startswith("wss:") and ":443" in signed_url))  # the next test's: there we take more
    signature = sdk_signature(signed_url, data.draw(st.sampled_from([signed, sent])))
    expected = RequestValidator(AUTH_TOKEN).validate(url, Fields(sent), signature)
    assert is_webhook_signed(webhook(url, sent), signature, SECRET) == expected


@pytest.mark.parametrize("signed", ["wss://relay.example.com/m/t", "wss://relay.example.com:443/m/t"])
@pytest.mark.parametrize("given_url", ["wss://relay.example.com/m/t", "wss://relay.example.com:443/m/t"])
def test_t4_a_wss_url_may_be_signed_with_its_own_port(signed: str, given_url: str) -> None:
    assert is_url_signed(given_url, sdk_signature(signed), SECRET)


@pytest.mark.parametrize(
    "signed",
    [
        "https://relay.example.com/m/t",
        "ws://relay.example.com/m/t",
        "wss://relay.example.com/m/t/",
        "wss://relay.example.com/m/t?",
        "wss://relay.example.com/m/T",
        "wss://relay.example.com:8443/m/t",
        "wss://Relay.example.com/m/t",
        "wss://relay.example.com.evil.example/m/t",
    ],
)
def test_t4_no_other_url_will_do(signed: str) -> None:
    assert not is_url_signed("wss://relay.example.com/m/t", sdk_signature(signed), SECRET)


@pytest.mark.parametrize(
    "url", ["", "no url", "https://[::1]:8443/a", "https://u:p@relay.example.com/a", "https://a:b/", "//"]
)
def test_an_unusual_url_is_signed_as_it_is(url: str) -> None:
    signature = sdk_signature(url)
    assert is_url_signed(url, signature, SECRET)
    assert not is_url_signed(url + "a", signature, SECRET)


def test_an_address_in_brackets_has_its_port_added_and_removed() -> None:
    for signed in ("https://[2001:db8::1]/a", "https://[2001:db8::1]:443/a"):
        for url in ("https://[2001:db8::1]/a", "https://[2001:db8::1]:443/a"):
            assert is_url_signed(url, sdk_signature(signed), SECRET)


@given(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=())))
@example("https://relay.example.com/\ud800", "\ud800")
def test_t3_no_text_as_url_or_signature_raises(url: str, signature: str) -> None:
    assert not is_url_signed(url, signature, SECRET)


def test_sha256_is_what_twilio_makes_with_a_shared_key() -> None:
    signature = sdk_signature(URL, [("A", "1")], key="shared", algorithm="HMAC_SHA256")
    signed = webhook(URL, [("A", "1")], signature)
    assert is_webhook_signed(signed, signature, Secret(b"shared", "sha256"))
    assert not is_webhook_signed(signed, signature, Secret(b"shared"))


def test_what_is_signed_of_a_form_is_sorted_and_said_once() -> None:
    assert signed_text(Form((("b", "2"), ("a", ""), ("b", "1"), ("b", "2"), ("B", "x")))) == "Bxab1b2"


# --- Bodies that are no forms ---

JSON = b'{"CallSid":"CA1"}'


def signed_json(url: str, body: bytes = JSON) -> Webhook:
    return Webhook("POST", url, {"content-type": "application/json", "x-twilio-signature": sdk_signature(url)}, body)


def is_signed(given_webhook: Webhook) -> bool:
    return is_webhook_signed(given_webhook, given_webhook.headers["x-twilio-signature"], SECRET)


@pytest.mark.parametrize("query", ["?bodySHA256={}", "?a=b&bodySHA256={}", "?bodySHA256={}&a=b"])
def test_t3_another_body_is_signed_by_its_hash_in_the_url(query: str) -> None:
    url = "https://relay.example.com/json" + query.format(sha256(JSON).hexdigest())
    assert RequestValidator(AUTH_TOKEN).validate(url, JSON.decode(), sdk_signature(url))
    assert is_signed(signed_json(url))
    assert not is_signed(signed_json(url, JSON + b" "))


def test_t3_another_body_without_its_hash_is_refused() -> None:
    digest = sha256(JSON).hexdigest()
    for query in (
        "",
        "?bodySHA256=",
        f"?BodySHA256={digest}",
        f"?bodySHA256={digest}&bodySHA256={digest}",
        "?bodySHA256=é",
    ):
        assert not is_signed(signed_json(f"https://relay.example.com/json{query}"))


def test_without_a_body_the_url_is_all_that_is_signed() -> None:
    assert is_signed(signed_json("https://relay.example.com/answer?CallSid=CA1", b""))


@pytest.mark.parametrize("content_type", ["", "text/plain", "multipart/form-data; boundary=x", "application/json"])
def test_t3_a_body_of_another_type_is_not_read_as_a_form(content_type: str) -> None:
    signed = webhook(URL, [("A", "1")], content_type=content_type)
    assert form_of(signed) is None
    assert not is_signed(signed)


@pytest.mark.parametrize("content_type", [FORM_TYPE, FORM_TYPE.upper(), " application/x-www-form-urlencoded "])
def test_a_form_is_known_by_its_type(content_type: str) -> None:
    assert form_of(webhook(URL, [("A", "1")], content_type=content_type)) == Form((("A", "1"),))


@pytest.mark.parametrize("body", [b"A", b"A=%zz", b"A=\xff", b"&".join([b"A=1"] * 1000)])
def test_t3_what_is_no_form_is_not_signed(body: bytes) -> None:
    headers = {"content-type": FORM_TYPE, "x-twilio-signature": sdk_signature(URL)}
    assert not is_signed(Webhook("POST", URL, headers, body))


def test_a_form_that_is_read_is_one() -> None:
    assert read_form("acme", webhook(URL, [("A", "1")])) == Form((("A", "1"),))
    with pytest.raises(RemoteProtocolError, match=r"^acme webhook: expected a form, got another type$"):
        read_form("acme", webhook(URL, [], content_type="text/plain"))
    with pytest.raises(RemoteProtocolError, match=r"^acme webhook: expected a form, got form: expected '=' in every"):
        read_form("acme", Webhook("POST", URL, {"content-type": FORM_TYPE}, b"A"))


def test_the_key_is_not_in_the_repr() -> None:
    assert AUTH_TOKEN not in repr(SECRET)
