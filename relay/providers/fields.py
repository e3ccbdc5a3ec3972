"""The fields of a carrier's JSON message, each read as the type it must have; what cannot be read names its place."""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeVar

import orjson

from relay.errors import RemoteProtocolError

MESSAGE_MAX_BYTES: Final = 1 << 16
"""The longest message that is read: 6 s of PCMU, where carriers send 20 to 100 ms. orjson bounds the depth, at 1024."""

_T = TypeVar("_T")

_NUMBER_DIGITS: Final = 18  # as relay._codec reads a message's numbers: an int64 holds them all
_SHOWN_CHARS: Final = 40
_BASE64: Final = re.compile("[A-Za-z0-9+/]+={0,2}")
_DTMF_DIGITS: Final = frozenset("0123456789*#ABCD")


def read_message(carrier: str, message: bytes | str) -> Fields:
    """
    The fields of a message that is one JSON object.

    Raises:
        RemoteProtocolError: it is not, or is longer than ``MESSAGE_MAX_BYTES``.
    """
    data = message.encode(errors="surrogatepass") if isinstance(message, str) else message
    if len(data) > MESSAGE_MAX_BYTES:
        expected, got = f"at most {MESSAGE_MAX_BYTES} bytes", f"{len(data)} bytes"
        raise RemoteProtocolError(carrier, "message", expected=expected, got=got)
    try:
        values = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        got = f"{len(data)} bytes: {error}"  # the parser says what and where, and quotes nothing
        raise RemoteProtocolError(carrier, "message", expected="JSON", got=got) from None
    if not isinstance(values, dict):
        raise RemoteProtocolError(carrier, "message", expected="an object", got=_kind(values))
    return Fields(carrier, "", values)


@dataclass(frozen=True, slots=True)
class Fields:
    """
    One JSON object of a message. ``*_or_none``: None where the field is missing or null.

    Raises (every method):
        RemoteProtocolError: a field that has to be there is not, or it has another type than its reader's.
    """

    carrier: str
    path: str
    """Where the object is in the message: ``start.``; empty for the message itself."""
    values: Mapping[str, Any]

    def text(self, key: str) -> str:
        """A string that is not empty."""
        value = self.text_or_none(key)
        if not value:
            raise self._error(key, "a string that is not empty", _kind(self.values.get(key, _MISSING)))
        return value

    def text_or_none(self, key: str) -> str | None:
        """A string."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, str):
            raise self._error(key, "a string", _kind(value))
        return value

    def number_or_none(self, key: str) -> int | None:
        """A whole number, which carriers write as a number or as a string of digits."""
        value = self.values.get(key)
        number = _whole(value)
        if value is not None and number is None:
            raise self._error(key, f"a whole number of up to {_NUMBER_DIGITS} digits", shown(value))
        return number

    def fields(self, key: str) -> Fields:
        """The fields of an object."""
        value = self.values.get(key, _MISSING)
        if not isinstance(value, dict):
            raise self._error(key, "an object", _kind(value))
        return Fields(self.carrier, f"{self.path}{key}.", value)

    def fields_or_none(self, key: str) -> Fields | None:
        """The fields of an object."""
        return None if self.values.get(key) is None else self.fields(key)

    def texts(self, key: str) -> Mapping[str, str]:
        """An object of strings, read-only; empty where it is missing. An error shows none of it: it may be secret."""
        value = self.values.get(key)
        if value is None:
            value = {}
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise self._error(key, "an object of strings", _kind(value))
        return MappingProxyType(value)

    def texts_beside(self, *keys: str) -> Mapping[str, str]:
        """The strings under other keys than these, read-only; what is no string there is none of ours."""
        others = {key: value for key, value in self.values.items() if key not in keys and isinstance(value, str)}
        return MappingProxyType(others)

    def one_of(self, key: str, choices: Mapping[str, _T]) -> _T:
        """What a string, in any case and with any white space, or a whole number stands for."""
        value = self.values.get(key, _MISSING)
        text = str(value) if type(value) is int else value
        choice = choices.get("".join(text.lower().split())) if isinstance(text, str) else None
        if choice is None:
            raise self._error(key, f"one of {', '.join(choices)}", shown(value))
        return choice

    def audio(self, key: str) -> bytes:
        """Base64 (RFC 4648, padded) of at least one byte: takes what ``Decoder.push_base64`` takes."""
        text = self.text(key)
        # binascii, strict or not, takes more: "AAAA====" in Python 3.11.
        if len(text) % 4 or not _BASE64.fullmatch(text):
            raise self._error(key, "base64, padded to a multiple of 4 characters", f"{len(text)} others")
        return binascii.a2b_base64(text)

    def dtmf_digit(self, key: str) -> str:
        """One key of a phone, ``0`` to ``9``, ``*``, ``#``, ``A`` to ``D``; carriers may write a number."""
        value = self.values.get(key, _MISSING)
        digit = str(value) if type(value) is int else value
        if not isinstance(digit, str) or digit not in _DTMF_DIGITS:
            raise self._error(key, "one of 0-9 * # A-D", shown(value))
        return digit

    def check_text(self, key: str, *allowed: str) -> str | None:
        """A string, one of ``allowed`` where it is there."""
        value = self.text_or_none(key)
        if value is not None and value not in allowed:
            raise self._error(key, " or ".join(map(shown, allowed)), shown(value))
        return value

    def check_number(self, key: str, *allowed: int) -> int | None:
        """A whole number, one of ``allowed`` where it is there."""
        value = self.number_or_none(key)
        if value is not None and value not in allowed:
            raise self._error(key, " or ".join(map(str, allowed)), str(value))
        return value

    def _error(self, key: str, expected: str, got: str) -> RemoteProtocolError:
        return RemoteProtocolError(self.carrier, self.path + key, expected=expected, got=got)


def shown(value: object) -> str:
    """A short value itself, a long string's beginning; of lists and objects the kind: they may be deep."""
    if isinstance(value, str) and len(value) > _SHOWN_CHARS:
        return f"{value[:_SHOWN_CHARS]!r}... of {len(value)} characters"
    return repr(value) if type(value) in (str, int, float) else _kind(value)


_MISSING: Final = object()
_SIZED: Final = {str: ("a string", "characters"), list: ("a list", "items"), dict: ("an object", "fields")}
_PLAIN: Final = {type(None): "null", bool: "a boolean", int: "a number", float: "a number"}


def _whole(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        digits = value.lstrip("0") or "0"
        return int(digits) if len(digits) <= _NUMBER_DIGITS else None
    return value if type(value) is int and 0 <= value < 10**_NUMBER_DIGITS else None


def _kind(value: object) -> str:
    """What kind of JSON value it is, without its content."""
    if isinstance(value, str | list | dict):
        kind, unit = _SIZED[type(value)]
        return f"{kind} of {len(value)} {unit}"
    return _PLAIN.get(type(value), "nothing")
