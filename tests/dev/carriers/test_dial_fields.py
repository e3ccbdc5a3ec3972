"""Fields of a dial are read strictly: refused, or a violation."""

import pytest

from relay.dev.carrier_order import OrderRefused
from relay.dev.carriers.dial_fields import DialFields


def fields(**given: object) -> DialFields:
    return DialFields(given, ("a", "b"), codes=(1, 2), status=422)


def test_an_unknown_field_is_a_violation() -> None:
    assert fields(a="1", c="2").violations == [
        "c: expected parameters of placing a call, got one that is unknown or not simulated"
    ]


def test_what_must_be_there_is_refused_with_the_carriers_code() -> None:
    for given in ({}, {"a": ""}):
        with pytest.raises(OrderRefused, match="a: expected one, got none") as refused:
            fields(**given).required("a")
        assert (refused.value.code, refused.value.status) == (1, 422)
    assert fields(a="x").required("a") == "x"


def test_a_number_is_written_with_a_plus_or_without() -> None:
    assert fields(a="+14155550123").number("a", plus=True) == "+14155550123"
    without = fields(a="14155550123", b="+14155550123")
    assert [without.number(name, plus=False) for name in "ab"] == 2 * ["+14155550123"]
    assert without.violations == ["b: expected a number without +, got one with it"]
    for given in ("14155550123", "x", "+0"):
        with pytest.raises(OrderRefused) as refused:
            fields(a=given).number("a", plus=True)
        assert refused.value.code == 2


@pytest.mark.parametrize("given", [4, 601, "x", "-1", 5.5, True, None, [], ""])
def test_seconds_are_whole_and_within_bounds(given: object) -> None:
    with pytest.raises(OrderRefused, match="a: expected 5 to 600 seconds"):
        fields(a=given).seconds("a", 30, least_s=5, most_s=600)


def test_seconds_may_be_text_and_left_out() -> None:
    assert fields(a="5").seconds("a", 30, least_s=5, most_s=600) == 5
    assert fields().seconds("a", 30, most_s=600) == 30


def test_a_value_that_is_not_allowed_is_a_violation_and_the_default_holds() -> None:
    one = fields(a="GET", b="POST")
    one.post_only("a", "b", "c")
    assert one.violations == ["a: expected one of POST, got 'GET': unknown or not simulated"]
