"""Which numbers a request may name (T7): none is dialled that nobody allowed, however it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.app.numbers import ISLANDS, PREMIUM, SATELLITE, NumberPolicy, is_built_in_denied, mask_number
from relay.errors import NumberRefused

ALL_OF_THE_WORLD = NumberPolicy([f"+{digit}" for digit in range(1, 10)])
"""Nothing but the form and what is built in is left to refuse."""

ALLOWED = [
    "+14155550123",
    "+12125550123",
    "+493012345678",
    "+442071234567",
    "+447912345678",
    "+918012345678",
    "+6834002",
]

REFUSED = [
    # premium and shared cost
    "+19005550123",
    "+14159765550",
    "+12129761976",
    "+449012345678",
    "+448712345678",
    "+447012345678",
    "+49900123456",
    "+33899123456",
    "+97912345678",
    "+80812345678",
    # satellites and nowhere
    "+870773111111",
    "+881612345678",
    "+882161234567",
    "+883510012345",
    "+88812345678",
    # islands within +1
    "+18765550123",
    "+12845550123",
    "+18095550123",
    # emergency and short numbers
    "911",
    "112",
    "999",
    "+911",
    "+112",
    "+1911",
    "+19115550123",
    "+14159115550",
    "12345",
    "+12345",
    # not E.164
    "14155550123",
    "0014155550123",
    "+0155550123",
    "+1415555012345678",
    "+1 415 555 0123",
    "+1-415-555-0123",
    "+1(415)5550123",
    "+1415555CALL",
    "+14155550123;ext=5",
    "+1;ext=14155550123",
    "+14155550123\n",
    "+493012345678\n",
    "+493012345678;ext=5",
    "+493012345678,,911",
    "+4930123456789012",
    "+49 30 12345678",
    "+14155550123,,1",
    "++14155550123",
    "+",
    "",
    "tel:+14155550123",
    "sip:+14155550123@example.com",
    "+\N{ARABIC-INDIC DIGIT ONE}4155550123",
    "+1415555012\N{FULLWIDTH DIGIT THREE}",
    "\N{FULLWIDTH PLUS SIGN}14155550123",
    "+1415555012\N{SUPERSCRIPT THREE}",
    # no ten digits after +1
    "+1415555012",
    "+141555501234",
    "+10155550123",
    "+14150550123",
]


def test_the_tables_have_more_than_forty_numbers() -> None:
    assert len(ALLOWED) + len(REFUSED) > 40


@pytest.mark.parametrize("number", ALLOWED)
def test_an_ordinary_number_passes_where_everything_is_allowed(number: str) -> None:
    ALL_OF_THE_WORLD.check(number)


@pytest.mark.parametrize("number", REFUSED, ids=ascii)
def test_another_is_refused_even_there(number: str) -> None:
    with pytest.raises(NumberRefused):
        ALL_OF_THE_WORLD.check(number)


@pytest.mark.parametrize("prefix", [*PREMIUM, *SATELLITE])
def test_allowing_a_premium_or_satellite_prefix_does_not_help(prefix: str) -> None:
    assert is_built_in_denied(prefix)
    with pytest.raises(NumberRefused, match="no premium and no satellite"):
        NumberPolicy([prefix]).check((prefix + "2345678901")[:12])


@pytest.mark.parametrize("prefix", ISLANDS)
def test_an_island_within_north_america_is_allowed_by_its_name_only(prefix: str) -> None:
    number = f"{prefix}5550123"
    NumberPolicy([prefix]).check(number)
    for wider in ("+1", prefix[:3], prefix[:4]):
        with pytest.raises(NumberRefused):
            NumberPolicy([wider]).check(number)


def test_without_an_allowed_prefix_nothing_passes() -> None:
    for number in ALLOWED:
        with pytest.raises(NumberRefused, match="the name of a destination"):
            NumberPolicy([]).check(number)


def test_only_allowed_prefixes_pass() -> None:
    policy = NumberPolicy(["+1415", "+4930"])
    policy.check("+14155550123")
    policy.check("+493012345678")
    for number in ("+12125550123", "+498912345678"):
        with pytest.raises(NumberRefused, match="whose prefix is allowed"):
            policy.check(number)


def test_a_denied_prefix_beats_an_allowed_one() -> None:
    policy = NumberPolicy(["+1415"], ["+1415555"])
    policy.check("+14152340123")
    with pytest.raises(NumberRefused):
        policy.check("+14155550123")


@given(st.text())
@pytest.mark.long
def test_no_text_passes_that_is_no_number(text: str) -> None:
    with pytest.raises(NumberRefused):
        ALL_OF_THE_WORLD.check(f"{text} ")


@pytest.mark.parametrize("number", [each for each in REFUSED if len(each) > 3])
def test_a_refusal_does_not_contain_the_number(number: str) -> None:
    """It goes into answers and logs."""
    for policy in (ALL_OF_THE_WORLD, NumberPolicy([])):
        with pytest.raises(NumberRefused) as caught:
            policy.check(number)
        assert number not in str(caught.value)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("+14155550123", "+*********23"),
        ("+6834002", "+*****02"),
        ("14155550123", "*********23"),
        ("+12345", "******"),
        ("911", "***"),
        ("", ""),
    ],
)
def test_a_masked_number_shows_its_length_and_two_digits(number: str, expected: str) -> None:
    assert mask_number(number) == expected
