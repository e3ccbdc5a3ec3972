"""How old a carrier says that a call is."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.providers.call_ages import DatesCalls, age_s
from relay.providers.control import HttpReply
from tests.providers.twilio_requests import control

NOW = "Thu, 26 Nov 2026 15:00:00 GMT"


def reply(date: str | None) -> HttpReply:
    return HttpReply(200, {} if date is None else {"date": date}, b"")


@pytest.mark.parametrize(
    ("made", "age"),
    [
        ("Thu, 26 Nov 2026 14:58:30 +0000", 90),
        ("Thu, 26 Nov 2026 14:58:30 -0000", 90),
        ("Thu, 26 Nov 2026 14:58:30 GMT", 90),
        ("Thu, 26 Nov 2026 06:58:30 -0800", 90),
        ("26 Nov 2026 15:00:02 +0000", -2),
        ("2026-11-26T14:58:30Z", None),
        ("Thu, 26 Nov 2026", None),
        ("Thu, 31 Feb 2026 14:58:30 +0000", None),
        ("", None),
        (None, None),
        (1795705110, None),
    ],
)
def test_f7_an_age_is_from_the_call_to_the_reply(made: object, age: float | None) -> None:
    assert age_s(made, reply(NOW)) == age


@pytest.mark.parametrize("date", [None, "", "soon"])
def test_f7_without_the_carriers_own_time_there_is_no_age(date: str | None) -> None:
    assert age_s("Thu, 26 Nov 2026 14:58:30 +0000", reply(date)) is None


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, [0-9]{1,20} Nov [0-9]{1,20} [0-9:+. -]{0,30}"))
@example("Thu, 26 Nov 99999999999999999999 00:00:00 +0000")
@example("Thu, 26 Nov 2026 00:00:00 +99999999999999999999")
@example("Sat, 01 Jan 0001 00:00:00 +2359")
@example("(")
def test_no_date_whatever_raises(date: str) -> None:
    for made, now in [(date, NOW), (NOW, date), (date, date)]:
        age = age_s(made, reply(now))
        assert age is None or abs(age) < 1e12


def test_twilio_dates_its_calls() -> None:
    assert isinstance(control(), DatesCalls)
