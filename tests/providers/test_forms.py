"""Forms: nothing is dropped, put in another order, or guessed."""

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.providers.forms import FORM_MAX_FIELDS, Form, encode_form, parse_form

PAIRS = st.lists(st.tuples(st.text(), st.text()), max_size=8)


@given(PAIRS)
def test_what_is_encoded_comes_back_whole_and_in_order(pairs: list[tuple[str, str]]) -> None:
    assert parse_form(encode_form(pairs).encode()) == Form(tuple(pairs))


@given(PAIRS)
def test_forms_are_encoded_as_the_standard_library_does(pairs: list[tuple[str, str]]) -> None:
    assert encode_form(pairs) == urlencode(pairs)


def test_blank_values_and_repeated_names_are_kept() -> None:
    assert parse_form(b"A=&B=1&A=2&B=1").fields == (("A", ""), ("B", "1"), ("A", "2"), ("B", "1"))


def test_plus_is_a_space_and_an_escaped_plus_is_not() -> None:
    assert parse_form(b"To=%2B1+415&N=Zo%C3%AB&M=Zo\xc3\xab").fields == (("To", "+1 415"), ("N", "Zoë"), ("M", "Zoë"))


def test_an_empty_body_is_a_form_without_fields() -> None:
    assert parse_form(b"") == Form()


@pytest.mark.parametrize("body", [b"A", b"A=1&", b"&A=1", b"A=1&&B=2", b"A=%", b"A=%2", b"%zz=1", b"A=%FF", b"A=\xff"])
def test_what_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"form: expected|utf-8"):
        parse_form(body)


@given(st.binary())
def test_any_bytes_are_a_form_or_a_value_error(body: bytes) -> None:
    try:
        form = parse_form(body)
    except ValueError:
        return
    assert parse_form(encode_form(form.fields).encode()) == form


def test_the_number_of_fields_is_bounded() -> None:
    most = b"&".join([b"A=1"] * FORM_MAX_FIELDS)
    assert len(parse_form(most).fields) == FORM_MAX_FIELDS
    with pytest.raises(ValueError, match="expected up to 256 fields, got more"):
        parse_form(most + b"&A=1")


def test_a_name_with_two_values_says_nothing() -> None:
    form = parse_form(b"A=1&B=1&B=2&C=1&C=1&D=")
    assert [form.one(name) for name in "ABCDE"] == ["1", "", "1", "", ""]


def test_no_field_is_in_the_repr() -> None:
    assert "415" not in repr(parse_form(b"To=%2B14155550123"))
