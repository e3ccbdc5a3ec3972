"""Forms as multipart/form-data: what is read, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.providers.forms import FORM_MAX_FIELDS
from relay.providers.multipart import parse_multipart

TYPE = "multipart/form-data; boundary=xyz"


def body(*parts: str, end: str = "--xyz--\r\n") -> bytes:
    return ("".join(f"--xyz\r\n{part}\r\n" for part in parts) + end).encode()


def part(name: str, value: str, more: str = "") -> str:
    return f'Content-Disposition: form-data; name="{name}"{more}\r\n\r\n{value}'


def test_fields_are_read_in_their_order() -> None:
    made = parse_multipart(TYPE, body(part("a", "1"), part("b", ""), part("a", "2")))
    assert made.fields == (("a", "1"), ("b", ""), ("a", "2"))
    assert parse_multipart(TYPE, body()).fields == ()


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data; boundary=xyz",
        'multipart/form-data; boundary="xyz"',
        "multipart/form-data;boundary=xyz; charset=utf-8",
        "Multipart/Form-Data; charset=utf-8; Boundary=xyz",
    ],
)
def test_the_boundary_may_be_written_as_any_parameter(content_type: str) -> None:
    assert parse_multipart(content_type, body(part("a", "1"))).fields == (("a", "1"),)


@pytest.mark.parametrize(
    "written",
    [
        part("Legs[0][Status]", "é", more='; filename=""'),
        'Content-Type: text/plain; charset=utf-8\r\ncontent-disposition: form-data;name="Legs[0][Status]"\r\n\r\né',
    ],
)
def test_other_headers_of_a_part_do_not_matter(written: str) -> None:
    assert parse_multipart(TYPE, body(written)).fields == (("Legs[0][Status]", "é"),)


def test_a_preamble_and_what_follows_the_end_are_no_fields() -> None:
    assert parse_multipart(TYPE, b"preamble\r\n" + body(part("a", "1")) + b"epilogue").fields == (("a", "1"),)


def test_a_value_may_have_lines() -> None:
    assert parse_multipart(TYPE, body(part("a", "1\r\n--xy\r\n\r\n2"))).fields == (("a", "1\r\n--xy\r\n\r\n2"),)


@pytest.mark.parametrize(
    "content_type", ["", "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=é"]
)
def test_without_a_boundary_it_is_refused(content_type: str) -> None:
    with pytest.raises(ValueError, match=r"^multipart: expected a boundary, got none$"):
        parse_multipart(content_type, body(part("a", "1")))


@pytest.mark.parametrize("written", [b"", b"--xyz", b"--xyz\r\n", body(part("a", "1"), end=""), body(end="--abc--")])
def test_without_an_end_it_is_refused(written: bytes) -> None:
    with pytest.raises(ValueError, match=r"^multipart: expected an end after up to 256 parts, got none$"):
        parse_multipart(TYPE, written)


@pytest.mark.parametrize(
    "written", ["", "a", 'Content-Disposition: form-data; name="a"\r\n1', "Content-Disposition: form-data\r\n\r\n1"]
)
def test_a_part_without_a_name_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"^multipart: expected a name in every part, got one without$"):
        parse_multipart(TYPE, body(written))


def test_text_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        parse_multipart(TYPE, body(part("a", "1")).replace(b"1", b"\xff"))


def test_so_many_fields_are_read_and_no_more() -> None:
    fields = [part(str(number), "") for number in range(FORM_MAX_FIELDS + 1)]
    assert len(parse_multipart(TYPE, body(*fields[1:])).fields) == FORM_MAX_FIELDS
    with pytest.raises(ValueError, match=r"^multipart: expected an end after up to 256 parts"):
        parse_multipart(TYPE, body(*fields))


@given(st.binary() | st.lists(st.sampled_from([b"--xyz", b"\r\n", b"--", b'; name="a"', b"\xff", b"1"])).map(b"".join))
def test_no_body_raises_anything_else(written: bytes) -> None:
    try:
        made = parse_multipart(TYPE, written)
    except ValueError:
        return
    assert len(made.fields) <= FORM_MAX_FIELDS
