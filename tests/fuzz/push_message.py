"""
Fuzz target: ``Decoder.push_message`` against the standard library's reading of the same bytes.

    PYTHONPATH=scripts python -m tests.fuzz.push_message -max_total_time=60    # or any other option of libFuzzer

The fuzzer's bytes say how to spoil a good message, so that most inputs come close to the shape the native scan accepts.
"""

from __future__ import annotations

import base64
import sys
from typing import Any, Protocol

import atheris

from relay._codec import Decoder, Field, MediaTemplate

with atheris.instrument_imports(include=["tests.reference.message", "json.decoder", "json.scanner"]):
    from tests.reference.message import read_message

CONTENT: dict[str, Any] = {
    "event": "media",
    "sequenceNumber": Field.NUMBER,
    "media": {
        "track": "inbound",
        "chunk": Field.SEQUENCE,
        "timestamp": Field.TIMESTAMP,
        "payload": Field.PAYLOAD,
    },
    "streamSid": "MZ1",
}
GOOD = (
    b'{"event":"media","sequenceNumber":"3","media":{"track":"inbound","chunk":"2","timestamp":25,"payload":"/+8AfQ=="},'
    b'"streamSid":"MZ1"}'
)
FRAGMENTS = (
    b'"payload":"AAAA"', b'"media":', b'"event":"media"', b'"streamSid":"MZ1"', b'"track":"outbound"', b"{", b"}", b'"',
    b",", b":", b"\\/", b"\\u002b", b"\\", b"=", b"==", b"/", b"+", b"-", b"_", b"0", b"9", b"00", b"1.0", b"1e2",
    b"-1", b"123456789012345678", b"null", b"true", b"[", b"]", b" ", b"\n", b"\t", b"\x00", b"\x01", b"\xc3\xa9",
    b"\xff", b"AAAA", b"NaN",
)  # fmt: skip


class MessageReader(Protocol):
    """What is under test: a decoder, or a broken one."""

    def push_message(self, message: bytes, template: MediaTemplate) -> bytes | None: ...


def spoil(data: bytes) -> bytes:
    """A good message with up to seven edits, as the fuzzer's bytes say."""
    source = atheris.FuzzedDataProvider(data)
    message = bytearray(GOOD)
    for _ in range(source.ConsumeIntInRange(0, 7)):
        at = source.ConsumeIntInRange(0, len(message))
        until = min(len(message), at + source.ConsumeIntInRange(0, 12))
        if source.ConsumeBool():
            message[at:until] = source.PickValueInList(list(FRAGMENTS))
        else:
            message[at:until] = source.ConsumeBytes(source.ConsumeIntInRange(0, 8))
    return bytes(message)


def decode_base64(text: str) -> bytes:
    """RFC 4648; the standard library alone takes "AAAA==", padding that fills no group of four."""
    if len(text) % 4:
        raise ValueError(f"{len(text)} characters are no groups of four")
    return base64.b64decode(text, validate=True)


def expected_payload(message: bytes) -> bytes | str:
    """The payload that the message carries, or why there is none: "other" or "broken"."""
    try:
        media = read_message(CONTENT, message)
        payload = b"" if media is None else decode_base64(media.payload)
    except ValueError:
        return "broken"
    if media is None:
        return "other"
    return payload or "broken"


def read_payload(reader: MessageReader, message: bytes) -> bytes | str:
    """What the reader makes of the message, in the same terms. The reader copies: L16 in, L16 out."""
    try:
        pcm = reader.push_message(message, MediaTemplate(CONTENT))
    except ValueError:
        return "broken"
    return "other" if pcm is None else pcm


def compare(reader: MessageReader, message: bytes) -> None:
    """
    Raise AssertionError if the reader sees something else in the message than there is.

    An odd payload is no whole number of samples; that it is refused is checked with the rest.
    """
    expected, got = expected_payload(message), read_payload(reader, message)
    if isinstance(expected, bytes) and len(expected) % 2:
        expected = "broken"
    if got != expected:
        raise AssertionError(f"{message!r}: expected {expected!r}, got {got!r}")


def one_input(data: bytes) -> None:
    """One run of the fuzzer. Equal rates of L16 keep no state, so every run is on its own."""
    compare(Decoder("l16le", 8000, 8000), spoil(data))


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
