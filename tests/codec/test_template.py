"""Templates: what an encoder sends by them, and what may stand in them."""

import datetime as dt
import enum
import json
from typing import Any

import pytest

from relay._codec import PUSH_MAX_BYTES, Decoder, Encoder, Field, MediaTemplate
from tests.codec.carriers import TWILIO, Carrier, carriers, compact, with_payload
from tests.signals import noise, pcm


@carriers
def test_a_message_to_send_has_the_payload_and_the_literals(carrier: Carrier, instruction_set: str) -> None:
    data = pcm(noise(321))
    message = Encoder(carrier.encoding, 8000, 16000).push_message(data, carrier.sending())
    payload = Encoder(carrier.encoding, 8000, 16000).push(data)
    assert json.loads(message) == with_payload(carrier.sent, payload)
    assert message == compact(with_payload(carrier.sent, payload))


HOSTILE = [
    '"',
    "\\",
    '\\"',
    "\x01",
    "\x02\x04",
    "\x00\x1f\x7f",
    "é€😀",
    "\u2028",
    "</script>",
    "\n",
    '{"payload":"AAAA"}',
    "%s{}",
]


@pytest.mark.parametrize("literal", HOSTILE)
def test_a_hostile_literal_stays_a_literal(literal: str) -> None:
    """In values and in keys, in both directions: also one that looks like the mark of a field."""
    content = {"event": literal, literal: "x", "media": {"payload": Field.PAYLOAD, literal: literal}, "after": literal}
    template, data = MediaTemplate(content), pcm(noise(160))
    message = Encoder("pcmu", 8000, 8000).push_message(data, template)
    payload = Encoder("pcmu", 8000, 8000).push(data)
    assert json.loads(message) == with_payload(content, payload)
    decoded = Decoder("pcmu", 8000, 8000).push(payload)
    assert Decoder("pcmu", 8000, 8000).push_message(message, template) == decoded
    assert Decoder("pcmu", 8000, 8000).push_message(json.dumps(json.loads(message)).encode(), template) == decoded
    assert (
        Decoder("pcmu", 8000, 8000).push_message(compact({**json.loads(message), "after": literal + "x"}), template)
        is None
    )


class Event(enum.StrEnum):
    MEDIA = "media"


OTHER_TYPES = [Event.MEDIA, ("a",), float("nan"), float("inf"), dt.date(2026, 1, 1), b"a", {1: 2}]


@pytest.mark.parametrize("value", OTHER_TYPES)
def test_what_would_be_read_back_as_another_type_is_refused(value: Any) -> None:
    """The parsed path compares types: such a literal would match what is written and nothing that is parsed."""
    with pytest.raises(TypeError, match="expected what JSON has, or a Field, got"):
        MediaTemplate({"event": value, "payload": Field.PAYLOAD})


def test_a_field_may_stand_in_a_list() -> None:
    content = {"event": "media", "tracks": ["inbound", {"n": Field.SEQUENCE}], "payload": Field.PAYLOAD}
    decoder = Decoder("pcmu", 8000, 8000)
    for message in (
        b'{"event":"media","tracks":["inbound",{"n":7}],"payload":"AAAA"}',
        b'{"payload":"AAAA","event":"media","tracks":["inbound",{"n":"7"}]}',
    ):
        assert decoder.push_message(message, MediaTemplate(content)) == Decoder("pcmu", 8000, 8000).push(bytes(3))
        assert decoder.sequence == 7
    for tracks in (b'["inbound"]', b'["inbound",{"n":7},1]', b'["outbound",{"n":7}]', b'{"0":"inbound"}'):
        message = b'{"event":"media","tracks":%s,"payload":"AAAA"}' % tracks
        assert decoder.push_message(message, MediaTemplate(content)) is None


def test_an_encoders_template_has_no_other_field() -> None:
    encoder, data = Encoder("pcmu", 8000, 16000), pcm(noise(320))
    with pytest.raises(ValueError, match="expected a template whose only field is the payload, got 4 fields"):
        encoder.push_message(data, TWILIO.receiving())
    assert encoder.push(data) == Encoder("pcmu", 8000, 16000).push(data)


@pytest.mark.parametrize("size", [0, 3, PUSH_MAX_BYTES + 2])
def test_a_bad_size_is_not_sent(size: int) -> None:
    with pytest.raises(ValueError, match=f"Encoder: expected 1 to {PUSH_MAX_BYTES} bytes .* got {size} bytes"):
        Encoder("pcmu", 8000, 16000).push_message(bytes(size), TWILIO.sending())


def fields_of(count: int) -> dict[str, Any]:
    return {"payload": Field.PAYLOAD, **{f"n{number}": Field.NUMBER for number in range(count - 1)}}


@pytest.mark.usefixtures("no_parser")
def test_a_template_has_up_to_fifteen_fields() -> None:
    content = fields_of(15)
    message = compact({**dict.fromkeys(content, 5), "payload": "AAAA"})
    assert Decoder("pcmu", 8000, 8000).push_message(message, MediaTemplate(content)) == pcm([-32124] * 3)


@pytest.mark.parametrize(
    ("content", "got"),
    [
        ({}, r"\[\]"),
        ({"event": "media"}, r"\[\]"),
        ({"n": Field.SEQUENCE}, r"\['SEQUENCE'\]"),
        ({"a": Field.PAYLOAD, "b": Field.PAYLOAD}, r"\['PAYLOAD', 'PAYLOAD'\]"),
        (
            {"a": Field.PAYLOAD, "b": Field.SEQUENCE, "c": {"d": Field.SEQUENCE}},
            r"\['PAYLOAD', 'SEQUENCE', 'SEQUENCE'\]",
        ),
        (fields_of(16), r"\['PAYLOAD', 'NUMBER', .*\]"),
    ],
)
def test_a_template_of_the_wrong_fields_is_refused(content: dict[str, Any], got: str) -> None:
    with pytest.raises(
        ValueError, match=f"expected Field.PAYLOAD once, no other .*twice and at most 15 fields, got {got}"
    ):
        MediaTemplate(content)


@pytest.mark.parametrize("content", [None, [], "text", {"a": object(), "p": Field.PAYLOAD}, {1: 2, "p": Field.PAYLOAD}])
def test_a_template_of_what_json_does_not_have_is_a_type_error(content: Any) -> None:
    with pytest.raises(TypeError):
        MediaTemplate(content)


@pytest.mark.parametrize("spaces", [(",", ":"), (", ", ": ")], ids=["fused", "parsed"])
def test_a_template_keeps_what_it_was_made_of(spaces: tuple[str, str]) -> None:
    content = {"event": "media", "media": {"track": "inbound", "payload": Field.PAYLOAD}}
    message = json.dumps(
        {"event": "media", "media": {"track": "inbound", "payload": "AAAA"}}, separators=spaces
    ).encode()
    template = MediaTemplate(content)
    content["media"]["track"] = content["event"] = "other"  # type: ignore[index]  # its values are of two types
    assert Decoder("pcmu", 8000, 8000).push_message(message, template) is not None


def test_push_message_needs_a_template() -> None:
    with pytest.raises(TypeError):
        Decoder("pcmu", 8000, 8000).push_message(b"{}", None)  # type: ignore[arg-type]  # the wrong type is the test
    with pytest.raises(TypeError):
        Encoder("pcmu", 8000, 8000).push_message(b"\0\0", None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("literal", "others"),
    [
        (1, (True, 1.0, "1")),
        (True, (1, "true")),
        (None, (0, False, "")),
        ("", (None, 0)),
        (1.5, ("1.5", 1)),
        ([1, "a"], ([1], {})),
    ],
)
def test_a_literal_matches_only_itself(literal: Any, others: tuple[Any, ...]) -> None:
    template = MediaTemplate({"x": literal, "p": Field.PAYLOAD})
    for spaces in ((",", ":"), (", ", ": ")):
        for value in (literal, *others):
            message = json.dumps({"x": value, "p": "AAAA"}, separators=spaces).encode()
            found = Decoder("pcmu", 8000, 8000).push_message(message, template)
            assert (found is not None) == (value is literal)
