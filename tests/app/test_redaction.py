"""The last look at a line (T12, T13): planted secrets and numbers do not come out, whatever they are planted in."""

import json
import math
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.app.redaction import DEPTH_MAX, JWT_HEAD_MAX, Redactor, text_of

SECRETS = ("twilio-token-canary", "api/key+canary", "14155550100")
REDACTOR = Redactor([*SECRETS, "short", ""])
NUMBER = "+14155550123"
MASKED = "+*********23"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJyIjoiYmx1ZSJ9.c2lnbmF0dXJl"


@dataclass
class Call:
    to: str


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("twilio-token-canary")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("token twilio-token-canary!", "token ***!"),
        ("twilio-token-canarytwilio-token-canary", "******"),
        ("/?key=api%2Fkey%2Bcanary&a=b", "/?key=***&a=b"),
        ("from 14155550100", "from ***"),
        (f"to={NUMBER}", f"to={MASKED}"),
        ("To=%2B14155550123&From=%2b14155550124", f"To={MASKED}&From=+*********24"),
        (f"{NUMBER}456789", "+***************89"),
        (f"wss://relay.example.com/carriers/twilio/tr_1/media/{'aB3_-' * 8}", "wss://relay.example.com/carriers/twilio/tr_1/media/***"),
        (f"/carriers/exotel/tr_1/status/{'aB3_-' * 8}", "/carriers/exotel/tr_1/status/***"),
        (f"/carriers/vonage/tr_1/answer/0/{'aB3_-' * 8}", "/carriers/vonage/tr_1/answer/0/***"),
        (f"/carriers/jambonz/tr_1/detection/{'aB3_-' * 8}", "/carriers/jambonz/tr_1/detection/***"),
        ("/carriers/twilio/tr_1/answer/0", "/carriers/twilio/tr_1/answer/0"),
        ("/tr_1/detection and /tr_1/status", "/tr_1/detection and /tr_1/status"),
        (f"/asterisk/media?transfer=tr_1&token={'aB3_-' * 8}", "/asterisk/media?transfer=tr_1&token=***"),
        (f"f(json)v(transfer=tr_1,token={'aB3_-' * 8})", "f(json)v(transfer=tr_1,token=***)"),
        (f"/carriers/vonage/tr_1/answer/0/{'aB3_-' * 8}?a=b", "/carriers/vonage/tr_1/answer/0/***?a=b"),
        (f"%2Ftr_1%2Fmedia%2F{'aB3_-' * 8}&x=y", "%2Ftr_1%2Fmedia%2F***&x=y"),
        (f"%2ftr_1%2fstatus%2f{'aB3_-' * 8}", "%2ftr_1%2fstatus%2f***"),
        (f"v%28transfer%3Dtr_1%2Ctoken%3D{'aB3_-' * 8}%29", "v%28transfer%3Dtr_1%2Ctoken%3D***%29"),
        ("wss://relay:p-w_1@relay.example.com/x", "wss://***@relay.example.com/x"),
        ("Url=wss%3A%2F%2Frelay%3Ap-w_1%40relay.example.com%2Fx", "Url=wss%3A%2F%2F***%40relay.example.com%2Fx"),
        ("http://127.0.0.1:8080/a:b@c https://a.b:443 c@d", "http://127.0.0.1:8080/a:b@c https://a.b:443 c@d"),
        (f"x-telnyx-streaming-auth-token: {'aB3_-' * 8}", "x-telnyx-streaming-auth-token: ***"),
        (f"{{'x-telnyx-streaming-auth-token': '{'aB3_-' * 8}'}}", "{'x-telnyx-streaming-auth-token': '***'}"),
        (f'\\"stream_auth_token\\":\\"{"aB3_-" * 8}\\"', '\\"stream_auth_token\\":\\"***\\"'),
        (f"/media?token={'aB3_-' * 8}&transfer=tr_1", "/media?token=***&transfer=tr_1"),
        ("POST /ari/channels/tr_1/dtmf?dtmf=1234%23 failed", "POST /ari/channels/tr_1/dtmf?dtmf=*** failed"),
        ("/dtmf?app=relay&dtmf=7&between=100", "/dtmf?app=relay&dtmf=***&between=100"),
        ("URL('http://10.0.0.1/x?dtmf=*12#A%2a')", "URL('http://10.0.0.1/x?dtmf=***')"),
        ("dtmf=rest and ?dtmf= of none", "dtmf=rest and ?dtmf= of none"),
        (f"https://mycompany.daily.co/blue?t={JWT}", "https://mycompany.daily.co/blue?t=***"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("Authorization: Basic QUM6dG9rZW4=", "Authorization: Basic ***"),
        ("a short word", "a short word"),
        ("2026-11-26T12:00:00+00:00 +3 dB tr_0123456789abcdef", "2026-11-26T12:00:00+00:00 +3 dB tr_0123456789abcdef"),
        ("gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n", "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n"),
        ("half \ud800", r"half \ud800"),
    ],
)  # fmt: skip
def test_a_text_comes_out_without_them(text: str, expected: str) -> None:
    assert REDACTOR.text(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eyJ" + "a" * JWT_HEAD_MAX, None),
        ("eyJ" + "a" * JWT_HEAD_MAX + ".b", None),
        ("eyJ" + "a" * JWT_HEAD_MAX + ".b.c", "***"),
        ("eyJ" + "a" * (JWT_HEAD_MAX + 1), "***"),
        ("eyJ" + "a" * JWT_HEAD_MAX + "a.b.c", "***"),
        ("eyJ" + "a" * JWT_HEAD_MAX + "a.b.c, eyJ", "***, eyJ"),
        ("eyJ" * 30_000, "***"),
        (f"eyJa.{'b' * 2000}.{'c' * 2000}", "***"),
    ],
    ids=range(8),
)
def test_a_web_token_is_looked_for_no_further_than_its_first_part_may_be_long(text: str, expected: str | None) -> None:
    assert REDACTOR.text(f"x {text} x") == f"x {expected or text} x"


@pytest.mark.parametrize(
    "before",
    [
        *(
            "Bearer ",
            "Basic ",
            "/media/",
            "/status/",
            "/answer/12/",
            "/detection/",
            "&token=",
            "?dtmf=",
            "Bearer Bearer ",
            "Basic Bearer ",
            "Bearer /media/",
        ),
        *("%2Fmedia%2F", "%2Ctoken%3D", "stream_auth_token: "),
    ],
)
@pytest.mark.parametrize("secret", [*SECRETS, "p@ss:w\u00f6rd!9", NUMBER, JWT, "tok_" + "abcdef" * 4])
def test_nothing_of_one_is_seen_behind_what_tokens_are_known_by(secret: str, before: str) -> None:
    redactor = Redactor([*SECRETS, "p@ss:w\u00f6rd!9"])
    for after in ("", " ", "!", "abc", "/x", "@x:y", "+1"):
        shown = redactor.text(f"x {before}{secret}{after}")
        for at in range(len(secret) - 5):
            assert secret[at : at + 6] not in shown


@pytest.mark.parametrize(
    "value",
    [
        *SECRETS,
        NUMBER,
        [NUMBER],
        (NUMBER,),
        {NUMBER},
        {"to": {"number": [NUMBER, SECRETS[0]]}},
        {NUMBER: 1},
        OrderedDict(to=NUMBER),
        NUMBER.encode(),
        bytearray(SECRETS[0].encode()),
        Call(NUMBER),
        [Call(SECRETS[0])],
        ValueError(f"no such number: {NUMBER}"),
        Path("/carriers/twilio/tr_1/media/0123456789abcdef0123"),
        Unprintable(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_value_brings_them_in(value: object) -> None:
    line = json.dumps(REDACTOR(None, "info", {"event": "dialed", "value": value}))
    assert '"event": "dialed"' in line
    for secret in (*SECRETS, NUMBER[1:], "0123456789abcdef0123"):
        assert secret not in line


def test_a_key_and_the_event_are_looked_at_too() -> None:
    assert REDACTOR(None, "info", {"event": f"called {NUMBER}", SECRETS[0]: 1}) == {
        "event": f"called {MASKED}",
        "***": 1,
    }


def test_what_is_no_text_stays_what_it_is() -> None:
    event = {"event": "x", "count": 5, "share": 0.5, "is_held": True, "reason": None, "list": [1, {"a": 2}]}
    assert REDACTOR(None, "info", dict(event)) == event


def test_nothing_is_left_that_json_cannot_say() -> None:
    line = REDACTOR(
        None, "info", {"event": "x", "nan": math.nan, "inf": -math.inf, "object": Unprintable(), "half": "\udfff"}
    )
    assert json.loads(json.dumps(line, allow_nan=False)) == {
        "event": "x",
        "nan": "nan",
        "inf": "-inf",
        "object": "<Unprintable that raises RuntimeError>",
        "half": "\\udfff",
    }


def test_a_value_that_is_deeper_than_anybody_logs_is_a_text_without_them() -> None:
    value: object = NUMBER
    for _ in range(2 * DEPTH_MAX):
        value = [value]
    assert MASKED in str(REDACTOR(None, "info", {"event": "x", "value": value}))


def test_a_value_that_contains_itself_ends() -> None:
    value: list[object] = [NUMBER]
    value.append(value)
    assert NUMBER not in str(REDACTOR(None, "info", {"event": "x", "value": value}))


def test_the_text_of_an_exception_is_its_message() -> None:
    assert text_of(ValueError("expected a")) == "expected a"


@given(st.text(), st.sampled_from([*SECRETS, NUMBER]), st.text())
def test_they_are_found_between_any_texts(before: str, secret: str, after: str) -> None:
    assert secret not in REDACTOR.text(f"{before}{secret}{after}")


def test_a_secret_that_is_part_of_another_leaves_nothing_of_it() -> None:
    assert Redactor(["canary", "canary-and-more"]).text("canary-and-more") == "***"
