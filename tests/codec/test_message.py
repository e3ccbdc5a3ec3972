"""
Media messages: the fused path is fast, and never gives an answer that a JSON parser would not.

Whatever the message, ``push_message`` must do what the twin does: read it with ``json``, look for the template's
values, then decode the payload. ``outcome`` is either's answer in a form that can be compared.
"""

import array
import base64
import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay._codec import PUSH_MAX_BYTES, Decoder, Field, MediaTemplate
from tests import reference
from tests.codec.carriers import CARRIERS, TWILIO, Carrier, carriers, compact, with_payload
from tests.codec.cases import Encoding
from tests.reference.message import read_message
from tests.signals import noise, pcm

PAYLOAD = b"\xff\xef\xbe" * 4 + bytes(range(12))  # its base64 has both + and /, which writers of JSON may escape
BAD = "bad"  # the outcome of what raises ValueError
Outcome = str | tuple[bytes | None, int, int]


def outcome(decoder: Decoder, message: bytes, template: MediaTemplate) -> Outcome:
    try:
        decoded = decoder.push_message(message, template)
    except ValueError:
        return BAD
    return decoded, decoder.sequence, decoder.timestamp


def expected(encoding: Encoding, message: bytes, content: dict[str, Any]) -> Outcome:
    """What a new decoder at equal rates makes of the message, by the twin."""
    try:
        media = read_message(content, message)
        if media is None:
            return None, -1, -1
        decoded = reference.Decoder(encoding, 8000, 8000).push_base64(media.payload)
    except ValueError:
        return BAD
    return decoded, media.sequence, media.timestamp


def agreed(encoding: Encoding, message: bytes, content: dict[str, Any]) -> Outcome:
    """The outcome with a template of this content, once it is the twin's."""
    found = outcome(Decoder(encoding, 8000, 8000), message, MediaTemplate(content))
    assert found == expected(encoding, message, content), message
    return found


# --- What a carrier sends is taken ---


@carriers
@pytest.mark.usefixtures("no_parser")
def test_a_carriers_message_is_decoded_without_a_parser(carrier: Carrier, instruction_set: str) -> None:
    payload = pcm(noise(80))
    message = compact(with_payload(carrier.received, payload))
    decoder = Decoder(carrier.encoding, 8000, 16000)
    assert decoder.push_message(message, carrier.receiving()) == Decoder(carrier.encoding, 8000, 16000).push(payload)
    assert decoder.sequence == 2
    assert decoder.timestamp == int(carrier.received["media"]["timestamp"])


@carriers
def test_the_parsed_path_gives_the_same(carrier: Carrier) -> None:
    message = with_payload(carrier.received, PAYLOAD)
    fast = agreed(carrier.encoding, compact(message), carrier.receiving_content())
    assert fast[0] == Decoder(carrier.encoding, 8000, 8000).push(PAYLOAD)
    for text in (
        json.dumps(message),
        json.dumps(message, indent=2),
        " \r\n\t" + compact(message).decode() + "\n ",
        json.dumps(dict(reversed(message.items()))),
        json.dumps({**message, "media": dict(reversed(message["media"].items()))}),
        json.dumps(
            {
                "payload": "AAAA",
                **message,
                "media": {"sequence": "9", **message["media"], "more": [{"payload": "AAAA"}]},
            }
        ),
        compact(message).decode().replace("/", r"\/").replace("+", r"\u002b"),
        compact(message).decode().replace("media", r"\u006dedia"),
    ):
        assert agreed(carrier.encoding, text.encode(), carrier.receiving_content()) == fast


@carriers
def test_a_stream_may_change_between_the_paths(carrier: Carrier, instruction_set: str) -> None:
    """Both paths carry one filter state on."""
    payloads = [pcm(noise(40, seed=seed)) for seed in range(6)]
    decoder, plain = (Decoder(carrier.encoding, 8000, 16000) for _ in range(2))
    for number, payload in enumerate(payloads):
        message = with_payload(carrier.received, payload)
        text = json.dumps(message).encode() if number % 2 else compact(message)
        assert decoder.push_message(text, carrier.receiving()) == plain.push(payload)


def test_a_message_without_numbers_has_none() -> None:
    decoder = Decoder("pcmu", 8000, 8000)
    assert (decoder.sequence, decoder.timestamp) == (-1, -1)
    decoder.push_message(compact(TWILIO.received), TWILIO.receiving())
    assert (decoder.sequence, decoder.timestamp) == (2, 5)
    plain = MediaTemplate({"p": Field.PAYLOAD})
    for message in (b'{"p":"AAAA"}', b'{"p": "AAAA"}'):
        decoder.push_message(compact(TWILIO.received), TWILIO.receiving())
        decoder.push_message(message, plain)
        assert (decoder.sequence, decoder.timestamp) == (-1, -1)


def test_a_reset_forgets_the_numbers() -> None:
    decoder = Decoder("pcmu", 8000, 8000)
    decoder.push_message(compact(TWILIO.received), TWILIO.receiving())
    decoder.reset()
    assert (decoder.sequence, decoder.timestamp) == (-1, -1)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda text: array.array("B", text)])
def test_a_message_may_be_any_buffer(kind: Callable[[bytes], Any]) -> None:
    for message in (compact(TWILIO.received), json.dumps(TWILIO.received).encode()):
        assert Decoder("pcmu", 8000, 8000).push_message(kind(message), TWILIO.receiving()) == bytes(320)


# --- What is not the expected message is another one, or an error; never a wrong answer ---


@carriers
def test_a_message_cut_anywhere_is_refused(carrier: Carrier) -> None:
    content, message = carrier.receiving_content(), compact(with_payload(carrier.received, PAYLOAD))
    for size in range(len(message)):
        assert agreed(carrier.encoding, message[:size], content) == BAD


@carriers
def test_bytes_after_the_end_are_refused(carrier: Carrier) -> None:
    content, message = carrier.receiving_content(), compact(with_payload(carrier.received, PAYLOAD))
    for tail in (b"}", b"\0", b",", b"x", b"{}", b'"', message):
        assert agreed(carrier.encoding, message + tail, content) == BAD


@carriers
def test_one_byte_changed_anywhere_is_read_as_json_has_it(carrier: Carrier) -> None:
    content, message = carrier.receiving_content(), compact(with_payload(carrier.received, PAYLOAD))
    outcomes = set()
    for at, byte in itertools.product(range(len(message)), b'\0 "\\/0a=,:{}[]-.eE9+\x7f\x80\xc3\xff'):
        outcomes.add(agreed(carrier.encoding, message[:at] + bytes([byte]) + message[at + 1 :], content))
    assert {BAD, (None, -1, -1)} < outcomes


def test_one_byte_changed_to_any_other_is_read_as_json_has_it() -> None:
    content = {"event": "media", "n": Field.SEQUENCE, "t": Field.TIMESTAMP, "media": {"p": Field.PAYLOAD}}
    message = b'{"event":"media","n":"20","t":71,"media":{"p":"ab+/AQ=="}}'
    for at, byte in itertools.product(range(len(message)), range(256)):
        agreed("pcmu", message[:at] + bytes([byte]) + message[at + 1 :], content)
    for at, byte in itertools.product(range(len(message) + 1), range(256)):
        agreed("pcmu", message[:at] + bytes([byte]) + message[at:], content)
    for at in range(len(message)):
        agreed("pcmu", message[:at] + message[at + 1 :], content)


OTHER_MESSAGES = [
    {"event": "start", "start": {"customParameters": {"media": {"payload": "AAAA"}}}},
    {"event": "mark", "sequenceNumber": "4", "streamSid": TWILIO.received["streamSid"], "mark": {"name": "payload"}},
    {**TWILIO.received, "event": "Media"},
    {**TWILIO.received, "event": ["media"]},
    {**TWILIO.received, "streamSid": TWILIO.received["streamSid"][:-1] + "2"},
    {**TWILIO.received, "streamSid": TWILIO.received["streamSid"] + "1"},
    {**TWILIO.received, "media": {**TWILIO.received["media"], "track": "outbound"}},
    {**TWILIO.received, "media": [TWILIO.received["media"]]},
    {**TWILIO.received, "media": json.dumps(TWILIO.received["media"])},
    {**TWILIO.received, "media": {**TWILIO.received["media"], "payload": None}},
    {**TWILIO.received, "media": {**TWILIO.received["media"], "payload": 5}},
    {**TWILIO.received, "media": {**TWILIO.received["media"], "payload": ["AAAA"]}},
    {"media": TWILIO.received},
    {key: value for key, value in TWILIO.received.items() if key != "streamSid"},
    [TWILIO.received],
    json.dumps(TWILIO.received),
    None,
    5,
    {},
]


@pytest.mark.parametrize("message", OTHER_MESSAGES)
def test_another_message_is_none_and_leaves_the_stream_as_it_was(message: Any) -> None:
    template, media = TWILIO.receiving(), compact(with_payload(TWILIO.received, PAYLOAD))
    decoder, untouched = Decoder("pcmu", 8000, 16000), Decoder("pcmu", 8000, 16000)
    assert decoder.push_message(media, template) == untouched.push_message(media, template)
    assert decoder.push_message(compact(message), template) is None
    assert (decoder.sequence, decoder.timestamp) == (2, 5)
    assert decoder.push_message(media, template) == untouched.push_message(media, template)


BAD_TEXTS = [
    b"",
    b" ",
    b"\0",
    b"null,",
    b"{'event':'media'}",
    compact(TWILIO.received)[:-1],
    b"\xef\xbb\xbf" + compact(TWILIO.received),  # a byte order mark
    json.dumps(TWILIO.received).encode("utf-16"),
    compact(TWILIO.received).replace(b"inbound", b"inb\xffund"),
    compact(TWILIO.received).replace(b"inbound", b"\\ud800"),
    compact({**TWILIO.received, "extra": float("nan")}),
    compact(with_payload(TWILIO.received, b"")),
    compact({**TWILIO.received, "media": {**TWILIO.received["media"], "payload": "AAA"}}),
    compact({**TWILIO.received, "media": {**TWILIO.received["media"], "payload": "AA-_"}}),
    compact({**TWILIO.received, "media": {**TWILIO.received["media"], "payload": "éééé"}}),
    b"[" * 100_000,
]


@pytest.mark.parametrize("message", BAD_TEXTS, ids=lambda message: repr(message[:24]))
def test_a_bad_message_raises_and_leaves_the_stream_as_it_was(message: bytes) -> None:
    template, media = TWILIO.receiving(), compact(with_payload(TWILIO.received, PAYLOAD))
    decoder, untouched = Decoder("pcmu", 8000, 16000), Decoder("pcmu", 8000, 16000)
    assert decoder.push_message(media, template) == untouched.push_message(media, template)
    with pytest.raises(ValueError):  # noqa: PT011  # orjson's words, or the decoder's
        decoder.push_message(message, template)
    assert (decoder.sequence, decoder.timestamp) == (2, 5)
    assert decoder.push_message(media, template) == untouched.push_message(media, template)


def test_a_decoy_is_not_the_payload() -> None:
    """Text that looks like the end of one message and the beginning of another stays text."""
    content, media = TWILIO.receiving_content(), with_payload(TWILIO.received, PAYLOAD)
    decoy = compact(with_payload(TWILIO.received, bytes(24))).decode()
    for extra in (decoy, json.loads(decoy), [decoy], {"media": json.loads(decoy)["media"]}, decoy[1:-1]):
        for message in (
            {"a": extra, **media},
            {**media, "z": extra},
            {**media, "media": {"a": extra, **media["media"]}},
        ):
            assert agreed("pcmu", compact(message), content) == (Decoder("pcmu", 8000, 8000).push(PAYLOAD), 2, 5)


def test_of_duplicate_keys_the_last_counts() -> None:
    content = {"event": "media", "media": {"payload": Field.PAYLOAD}}
    for text in (
        b'{"event":"media","media":{"payload":"AAAA"},"event":"stop"}',
        b'{"event":"stop","media":{"payload":"AAAA"},"event":"media"}',
        b'{"event":"media","media":{"payload":"AAAA"},"media":{"payload":"////"}}',
        b'{"event":"media","media":{"payload":"AAAA","payload":"////"}}',
        b'{"event":"media","media":{"payload":"AAAA"},"media":5}',
    ):
        agreed("pcmu", text, content)


NUMBERS = [
    *("0", "7", "007", "00", "123456789012345678", "999999999999999999", "1000000000000000000", "1234567890123456789"),
    *("18446744073709551616", "9" * 40, "0" * 17 + "5", "0" * 18 + "5", "0" * 40 + "5"),
    *("-1", "-0", "+1", "1.0", "1e2", "0x10", "", " 1", "1 ", "1_0", "٣", "²", "true", "null", "[]", "{}", '"1"'),
]


@pytest.mark.parametrize("quote", [b"", b'"'], ids=["bare", "quoted"])
@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_is_read_as_json_has_it(number: str, quote: bytes) -> None:
    """Whole numbers below 10^18, bare or in a string; in a string leading zeros are harmless."""
    content = {"n": Field.SEQUENCE, "t": Field.TIMESTAMP, "c": Field.NUMBER, "p": Field.PAYLOAD}
    written = quote + number.encode() + quote
    for text in (
        b'{"n":%b,"t":"5","c":1,"p":"AAAA"}' % written,
        b'{"n":1,"t":%b,"c":"1","p":"AAAA"}' % written,
        b'{"n":1,"t":5,"c":%b,"p":"AAAA"}' % written,
    ):
        agreed("pcmu", text, content)


@pytest.mark.parametrize("encoding", ["pcmu", "l16le"])
@pytest.mark.parametrize("escapes", range(13))
def test_escaped_characters_of_the_payload_do_not_count(encoding: Encoding, escapes: int) -> None:
    r"""Each ``\/`` is one character longer than what it says: four make the payload look a group longer."""
    content = {"media": {"payload": Field.PAYLOAD}}
    text = base64.b64encode(b"\xff" * 24).decode().replace("/", r"\/", escapes)
    assert agreed(encoding, f'{{"media":{{"payload":"{text}"}}}}'.encode(), content)[0] is not None


def test_a_long_payload_may_be_escaped_throughout() -> None:
    template = MediaTemplate({"media": {"payload": Field.PAYLOAD}})
    payload = b"\xff" * (PUSH_MAX_BYTES - PUSH_MAX_BYTES % 3)
    text = base64.b64encode(payload).replace(b"/", rb"\/")
    decoded = Decoder("pcmu", 8000, 8000).push_message(b'{"media":{"payload":"' + text + b'"}}', template)
    assert decoded == Decoder("pcmu", 8000, 8000).push(payload)


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 1 << 66), st.floats(allow_nan=False, allow_infinity=False), st.text()
)
values = st.recursive(
    st.one_of(scalars, st.sampled_from(["media", "inbound", "AAAA", "5", r"\/", '"'])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.sampled_from(["media", "payload", "event", "track"]), st.text()), inner, max_size=3
        ),
    ),
    max_leaves=6,
)


@st.composite
def mutated(draw: st.DrawFn, message: dict[str, Any]) -> dict[str, Any]:
    """The message with keys changed, dropped, added and put in another order, at any depth."""
    result = {}
    for key in draw(st.permutations(list(message))) if draw(st.booleans()) else message:
        item = message[key]
        change = draw(st.sampled_from(["keep"] * 9 + ["change", "drop"]))
        if change == "keep":
            result[key] = draw(mutated(item)) if isinstance(item, dict) else item
        elif change == "change":
            result[key] = draw(values)
    if draw(st.integers(0, 4)) == 0:
        result |= draw(st.dictionaries(st.text(), values, max_size=2))
    return result


@st.composite
def written(draw: st.DrawFn, message: Any) -> bytes:
    """The message as one of many writers of JSON would write it."""
    text = json.dumps(
        message,
        indent=draw(st.sampled_from([None, None, 1])),
        separators=draw(st.sampled_from([None, (",", ":"), (",", ":")])),
        ensure_ascii=draw(st.booleans()),
    )
    if draw(st.integers(0, 3)) == 0:
        text = text.replace("/", r"\/")
    return text.encode(errors="surrogatepass")


@given(data=st.data(), carrier=st.sampled_from(CARRIERS), payload=st.binary(max_size=40))
def test_any_variation_is_read_as_json_has_it(data: st.DataObject, carrier: Carrier, payload: bytes) -> None:
    message = data.draw(mutated(with_payload(carrier.received, payload)))
    agreed(carrier.encoding, data.draw(written(message)), carrier.receiving_content())


@given(message=st.binary(max_size=60))
def test_any_bytes_are_refused_or_read_as_json_has_them(message: bytes) -> None:
    agreed("pcmu", message, {"p": Field.PAYLOAD})
    agreed("pcmu", b'{"p":"' + message + b'"}', {"p": Field.PAYLOAD})
