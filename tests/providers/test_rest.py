"""What may go into a request to a carrier, and what is read of its reply."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import LocalProtocolError
from relay.providers.control import CallRefused, CallUnclear, CarrierBusy, DialReply, HttpReply, Refusal
from relay.providers.forms import parse_form
from relay.providers.rest import (
    UUID,
    RestAccount,
    check_number,
    check_order,
    check_secrets,
    check_url,
    read_refusal,
    reply_object,
    retry_after_s,
    short_code,
)
from tests.providers.twilio_requests import call_order, reply


def test_requests_carry_the_account_and_do_not_show_it() -> None:
    account = RestAccount("user", "päss:word")
    get, post = account.get("https://x.example/a"), account.post("https://x.example/b", [("To", "+1"), ("A", "")])
    for request in (get, post):
        assert base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode() == "user:päss:word"
    assert (get.method, get.url, get.body) == ("GET", "https://x.example/a", b"")
    assert (post.method, post.url, post.body) == ("POST", "https://x.example/b", b"To=%2B1&A=")
    assert post.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert repr(get) == "HttpRequest(method='GET')"
    assert "word" not in repr(account)


def test_json_is_posted_and_deletions_have_no_body() -> None:
    account = RestAccount("user", "password")
    post, delete = account.post_json("https://x.example/b", {"to": "1", "n": 2}), account.delete("https://x.example/c/")
    assert (post.method, post.url, post.body) == ("POST", "https://x.example/b", b'{"to":"1","n":2}')
    assert post.headers["Content-Type"] == "application/json"
    assert (delete.method, delete.url, delete.body) == ("DELETE", "https://x.example/c/", b"")
    assert delete.headers == {"Authorization": post.headers["Authorization"]}


@pytest.mark.parametrize("secrets", [{"a": ""}, {"b": "s3cr3t", "a": ""}])
def test_t3_an_empty_secret_is_refused(secrets: dict[str, str]) -> None:
    check_secrets("acme", {"b": "s3cr3t"})
    with pytest.raises(LocalProtocolError, match=r"^acme a: expected a secret, got an empty one$"):
        check_secrets("acme", secrets)


@pytest.mark.parametrize("text", ["9834029e-58b6-11e1-b8b7-a5bd0e4e126f", "9834029E-58B6-11E1-B8B7-A5BD0E4E126F"])
def test_t21_an_id_is_a_uuid_and_nothing_more(text: str) -> None:
    assert UUID.fullmatch(text)
    for other in ("", text[:-1], text + "0", text + "\n", text.replace("-", ""), "g" + text[1:], "../" + text):
        assert not UUID.fullmatch(other)


@pytest.mark.parametrize(
    ("status", "code", "meaning"),
    [
        (400, "1", CallRefused(Refusal.REJECTED, "1", "HTTP 400, error 1")),
        (400, "2", CallRefused(Refusal.INVALID_NUMBER, "2", "HTTP 400, error 2")),
        (400, "3", CarrierBusy(4.0, "HTTP 400, error 3")),
        (429, "2", CarrierBusy(4.0, "HTTP 429, error 2")),
        (408, "2", CallUnclear("HTTP 408, error 2")),
        (503, "2", CallUnclear("HTTP 503, error 2")),
        (302, "2", CallUnclear("HTTP 302, error 2")),
    ],
)
def test_f5_f7_only_a_4xx_says_that_there_is_no_call(status: int, code: str, meaning: DialReply) -> None:
    answer = reply(status, {}, retry_after="4")
    assert read_refusal(answer, code, is_invalid=code == "2", busy=("3",)) == meaning


@pytest.mark.parametrize("number", ["+14155550123", "+12", "+123456789012345"])
def test_numbers_in_e164_are_let_through(number: str) -> None:
    check_number("acme", "to", number)


@pytest.mark.parametrize(
    "number",
    [
        *("", "+", "+1", "14155550123", "+04155550123", "+1415555012a", "+1234567890123456", "sip:a@b.example"),
        *(
            "+14155550123\n",
            "+1415\r\n5550123",
            " +14155550123",
            "+1 415 555 0123",
            "+1415555012\u0663",
            "+1415&To=+1900",
        ),
    ],
)
def test_t21_other_numbers_are_refused_and_not_shown(number: str) -> None:
    with pytest.raises(LocalProtocolError) as refused:
        check_number("acme", "to", number)
    expected = f"acme to: expected a phone number in E.164, +14155550100, got {len(number)} other characters"
    assert str(refused.value) == expected


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/a", "https://relay.example.com/a?b=c%20d#e"])
def test_urls_of_printable_ascii_are_let_through(url: str) -> None:
    check_url("acme", "answer_url", url)


@pytest.mark.parametrize(
    "url",
    [
        *("", "https://", "relay.example.com/a", "wss://relay.example.com/a", "file:///a", "javascript:https://a"),
        *("https://a.example/t0k3n\r\nX: y", "https://a.example/t0k3n\n", "https://a.example/t0k3n b"),
        *("https://ä.example/t0k3n", "https://a.example/t0k3n\x00", " https://a.example/t0k3n"),
    ],
)
def test_t21_other_urls_are_refused_and_not_shown(url: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"got {len(url)} other characters$") as refused:
        check_url("acme", "answer_url", url)
    assert "t0k3n" not in str(refused.value)


def test_an_order_without_detection_is_let_through() -> None:
    check_order("acme", call_order(detection_url=None), ring_timeout_max_s=600)


@pytest.mark.parametrize("field", ["to", "from_number", "answer_url", "status_url", "detection_url"])
def test_t21_a_line_break_in_any_field_of_an_order_is_refused(field: str) -> None:
    order = call_order()
    broken = call_order(**{field: getattr(order, field) + "\r\n"})
    with pytest.raises(LocalProtocolError, match=f"^acme {field}: expected "):
        check_order("acme", broken, ring_timeout_max_s=600)


@pytest.mark.parametrize(
    ("field", "seconds", "error"),
    [
        ("ring_timeout_s", 0, "acme ring_timeout_s: expected 1 to 600 s, got 0 s"),
        ("ring_timeout_s", 601, "acme ring_timeout_s: expected 1 to 600 s, got 601 s"),
        ("max_duration_s", 0, "acme max_duration_s: expected at least 1 s, got 0 s"),
    ],
)
def test_durations_out_of_bounds_are_refused(field: str, seconds: int, error: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"^{error}$"):
        check_order("acme", call_order(**{field: seconds}), ring_timeout_max_s=600)


@given(st.lists(st.tuples(st.text(), st.text())))
def test_t21_no_field_of_a_form_becomes_another(fields: list[tuple[str, str]]) -> None:
    request = RestAccount("user", "password").post("https://x.example/", fields)
    assert parse_form(request.body).fields == tuple(fields)
    assert b"\r" not in request.body
    assert b"\n" not in request.body


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b'"a"', b"\xff", b"{", b"[" * 5000])
def test_a_reply_that_is_no_object_has_no_fields(body: bytes) -> None:
    assert reply_object(HttpReply(200, {}, body)) == {}


def test_a_reply_that_is_an_object_has_its_fields() -> None:
    assert reply_object(reply(200, {"a": [1]})) == {"a": [1]}


@pytest.mark.parametrize(
    ("value", "code"),
    [
        *((21211, "21211"), ("21211", "21211"), (0, "0"), ("999999", "999999")),
        *(
            (1000000, ""),
            ("14155550123", ""),
            (-1, ""),
            (True, ""),
            (1.5, ""),
            (None, ""),
            ("", ""),
            ("x", ""),
            ([1], ""),
        ),
    ],
)
def test_a_code_is_up_to_six_digits_and_so_never_a_phone_number(value: Any, code: str) -> None:
    assert short_code(value) == code


@pytest.mark.parametrize(
    ("header", "after_s"),
    [("3", 3.0), (" 0.5 ", 0.5), ("", None), ("-1", None), ("inf", None), ("1e9", None), ("Wed, 21 Oct 2026", None)],
)
def test_only_a_number_says_when_to_try_again(header: str, after_s: float | None) -> None:
    assert retry_after_s(reply(429, retry_after=header)) == after_s


def test_without_the_header_there_is_no_time_to_try_again() -> None:
    assert retry_after_s(reply(429)) is None
