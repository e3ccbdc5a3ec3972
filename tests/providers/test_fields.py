"""Fields of a message: each type is read, each other type is refused with its place, and nothing long is repeated."""

import base64
import itertools
import re
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay._codec import Decoder
from relay.errors import RemoteProtocolError
from relay.providers.fields import MESSAGE_MAX_BYTES, Fields, read_message, shown


def field(value: Any) -> Fields:
    return Fields("acme", "media.", {"key": value})


MISSING = Fields("acme", "", {})
OTHER_TYPES: dict[str, Any] = {
    "a boolean": True,
    "a number": 1.5,
    "a list of 2 items": [1, 2],
    "an object of 1 fields": {"a": 1},
}


@pytest.mark.parametrize("text", ["{}", ' {"a": 1}\n', b'{"a":{"b":[]}}'])
def test_a_message_is_one_object(text: bytes | str) -> None:
    fields = read_message("acme", text)
    assert (fields.carrier, fields.path, fields.values) == ("acme", "", orjson.loads(text))


@pytest.mark.parametrize("text", [b"", b"{", b"{}{}", b"\xff", b'{"a":NaN}', '{"a":"\ud800"}', "\ud800"])
def test_what_is_not_json_is_refused(text: bytes | str) -> None:
    size = len(text.encode(errors="surrogatepass") if isinstance(text, str) else text)
    with pytest.raises(RemoteProtocolError, match=f"^acme message: expected JSON, got {size} bytes: "):
        read_message("acme", text)


@pytest.mark.parametrize(("text", "got"), [("null", "null"), ("[]", "a list of 0 items"), ("true", "a boolean")])
def test_a_message_that_is_no_object_is_refused(text: str, got: str) -> None:
    with pytest.raises(RemoteProtocolError, match=f"^acme message: expected an object, got {got}$"):
        read_message("acme", text)


@pytest.mark.parametrize("character", ["a", "é"])
def test_t14_a_message_is_bounded_in_bytes(character: str) -> None:
    longest = '{"a":"' + character * ((MESSAGE_MAX_BYTES - 8) // len(character.encode())) + '"}'
    assert read_message("acme", longest).values
    with pytest.raises(RemoteProtocolError, match=r"^acme message: expected at most 65536 bytes, got 6553[78] bytes$"):
        read_message("acme", longest + "  ")


def test_text_is_read() -> None:
    assert field("a").text("key") == field("a").text_or_none("key") == "a"
    assert field("").text_or_none("key") == ""
    assert MISSING.text_or_none("key") is field(None).text_or_none("key") is None
    with pytest.raises(RemoteProtocolError, match=r"^acme key: expected a string that is not empty, got nothing$"):
        MISSING.text("key")
    with pytest.raises(RemoteProtocolError, match=r"^acme media\.key: .* not empty, got a string of 0 characters$"):
        field("").text("key")


@pytest.mark.parametrize(("number", "value"), [(0, 0), ("0", 0), ("007", 7), ("9" * 18, 10**18 - 1), (5, 5)])
def test_a_number_is_read_from_digits_too(number: int | str, value: int) -> None:
    assert field(number).number_or_none("key") == value
    field(number).check_number("key", value)
    with pytest.raises(RemoteProtocolError, match=rf"^acme media\.key: expected {value + 1}, got {value}$"):
        field(number).check_number("key", value + 1)


@pytest.mark.parametrize("number", [-1, "-1", "+1", "1.0", 1.0, "", " 1", "٣", "²", True, 10**18, "1" * 19, "1" * 5000])
def test_what_is_no_whole_number_is_refused(number: object) -> None:
    with pytest.raises(
        RemoteProtocolError, match=r"^acme media\.key: expected a whole number of up to 18 digits, got "
    ):
        field(number).number_or_none("key")


def test_a_missing_number_or_object_is_none() -> None:
    for fields in (MISSING, field(None)):
        assert fields.number_or_none("key") is None
        assert fields.fields_or_none("key") is None
        assert fields.check_text("key", "a") is None
        fields.check_number("key", 1)


def test_an_object_knows_its_place() -> None:
    inner = field({"deeper": {"a": 1}}).fields("key").fields_or_none("deeper")
    assert inner == Fields("acme", "media.key.deeper.", {"a": 1})
    for fields, got in ((MISSING, "nothing"), (field(None), "null"), (field("a"), "a string of 1 characters")):
        with pytest.raises(RemoteProtocolError, match=f"key: expected an object, got {got}$"):
            fields.fields("key")


@pytest.mark.parametrize("value", ["secret", ["secret"], {"secret": 1}, {"a": "secret", "b": ["secret"]}, 5])
def test_texts_are_strings_and_stay_out_of_errors(value: Any) -> None:
    assert field({"a": "secret"}).texts("key") == {"a": "secret"}
    assert MISSING.texts("key") == field(None).texts("key") == {}
    with pytest.raises(RemoteProtocolError, match=r"^acme media\.key: expected an object of strings, got a") as caught:
        field(value).texts("key")
    assert "secret" not in str(caught.value)


READERS: list[Callable[[Fields], object]] = [
    lambda fields: fields.text("key"),
    lambda fields: fields.text_or_none("key"),
    lambda fields: fields.number_or_none("key"),
    lambda fields: fields.texts("key"),
    lambda fields: fields.audio("key"),
    lambda fields: fields.dtmf_digit("key"),
    lambda fields: fields.check_text("key", "a"),
    lambda fields: fields.check_number("key", 1),
]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("value", [True, 1.5, ["x" * 1000], {"a": ["x" * 1000]}])
def test_another_type_is_refused_briefly(read: Callable[[Fields], object], value: Any) -> None:
    with pytest.raises(RemoteProtocolError, match=r"^acme media\.key: ") as caught:
        read(field(value))
    assert (caught.value.carrier, caught.value.field) == ("acme", "media.key")
    assert "x" * 10 not in str(caught.value)


@pytest.mark.parametrize("read", READERS[2:])
def test_a_long_string_that_is_refused_is_not_repeated(read: Callable[[Fields], object]) -> None:
    with pytest.raises(RemoteProtocolError, match="key: expected") as caught:
        read(field("\x00" * 1000))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(("got", "value"), OTHER_TYPES.items())
def test_an_error_names_the_type_that_came(got: str, value: Any) -> None:
    with pytest.raises(RemoteProtocolError, match=f"expected a string, got {got}$"):
        field(value).text("key")


@given(payload=st.binary(min_size=1, max_size=50))
def test_audio_is_read(payload: bytes) -> None:
    assert field(base64.b64encode(payload).decode()).audio("key") == payload


def by_the_decoder(text: str) -> bytes | None:
    try:
        return Decoder("pcmu", 8000, 8000).push_base64(text)
    except ValueError:
        return None


def by_the_field(text: str) -> bytes | None:
    try:
        return Decoder("pcmu", 8000, 8000).push(field(text).audio("key"))
    except RemoteProtocolError:
        return None


@pytest.mark.parametrize("length", range(9))
def test_audio_is_what_the_decoder_takes(length: int) -> None:
    """Text that is base64 for one of them and not for the other would be heard on one path only."""
    for characters in itertools.product("A+=", repeat=length):
        text = "".join(characters)
        assert by_the_field(text) == by_the_decoder(text), text


@pytest.mark.parametrize("text", ["AA_A", "AA-A", "AA A", "AAA\n", "AAAé", "éééé", "\x00AAA"])
def test_other_characters_are_no_audio(text: str) -> None:
    assert by_the_field(text) is by_the_decoder(text) is None


def test_a_dtmf_digit_is_one_key() -> None:
    keys = "0123456789*#ABCD"
    assert [field(key).dtmf_digit("key") for key in keys] == list(keys)
    assert field(7).dtmf_digit("key") == "7"
    for value in ("", "12", "a", "w", 10, -1, "#" * 500):
        with pytest.raises(RemoteProtocolError, match=r"^acme media\.key: expected one of 0-9 \* # A-D, got "):
            field(value).dtmf_digit("key")


def test_a_text_that_must_be_known_is_checked() -> None:
    assert field("a").check_text("key", "a", "b") == "a"
    with pytest.raises(RemoteProtocolError, match=r"^acme media\.key: expected 'a' or 'b', got 'c'$"):
        field("c").check_text("key", "a", "b")


def test_what_is_shown_is_short_and_on_one_line() -> None:
    assert shown("a\n\x1b[31m") == r"'a\n\x1b[31m'"
    assert shown("x" * 41) == "'" + "x" * 40 + "'... of 41 characters"
    assert shown({"secret": 1}) == "an object of 1 fields"
    assert [shown(value) for value in (True, None, 1.5, 7)] == ["a boolean", "null", "1.5", "7"]


# --- One of several, and what is beside ---

CHOICES = {"audio/l16;rate=8000": 1, "8000": 2}


@pytest.mark.parametrize(
    ("value", "choice"),
    [("audio/l16;rate=8000", 1), (" Audio/L16;\trate=8000\n", 1), ("8000", 2), (8000, 2)],
)
def test_one_of_several_is_read_however_it_is_written(value: Any, choice: int) -> None:
    assert field(value).one_of("key", CHOICES) == choice


@pytest.mark.parametrize(
    ("value", "got"),
    [
        ("8001", "'8001'"),
        (8001, "8001"),
        (8000.0, "8000.0"),
        (True, "a boolean"),
        (None, "null"),
        ("", "''"),
        ([], "a list of 0 items"),
        ("x" * 100, f"{'x' * 40!r}... of 100 characters"),
    ],
)
def test_another_than_one_of_several_is_refused(value: Any, got: str) -> None:
    expected = re.escape(f"acme media.key: expected one of audio/l16;rate=8000, 8000, got {got}")
    with pytest.raises(RemoteProtocolError, match=f"^{expected}$"):
        field(value).one_of("key", CHOICES)


def test_none_of_several_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match=r"got nothing$"):
        MISSING.one_of("key", CHOICES)


def test_what_is_beside_is_the_strings_under_other_keys() -> None:
    fields = Fields("acme", "", {"event": "start", "leg": "7", "empty": "", "number": 1, "list": ["a"], "none": None})
    texts = fields.texts_beside("event", "absent")
    assert texts == {"leg": "7", "empty": ""}
    with pytest.raises(TypeError, match="does not support item assignment"):
        texts["leg"] = "8"  # type: ignore[index]  # read-only is the promise


# --- One of several numbers ---


@pytest.mark.parametrize("value", [8000, "16000", None])
def test_one_of_several_numbers_is_read(value: Any) -> None:
    assert field(value).check_number("key", 8000, 16000) == (None if value is None else int(value))


def test_another_than_one_of_several_numbers_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match=r"^acme media\.key: expected 8000 or 16000, got 24000$"):
        field("24000").check_number("key", 8000, 16000)
