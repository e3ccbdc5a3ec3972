"""
What a carrier's message means: JSON as the standard library reads it, then the template's values at their places.

The standard library reads more than the JSON of RFC 8259 (NaN, lone surrogates, other UTFs); here that is an error.
"""

import json
from dataclasses import dataclass
from typing import Any, NoReturn

from relay._codec import Field

NUMBER_LIMIT = 10**18


class Mismatch(Exception):
    """The message is JSON, but not one of the template's."""


@dataclass(frozen=True, slots=True)
class Media:
    """What a message of the template carries; a number it has no field for is -1."""

    payload: str
    sequence: int = -1
    timestamp: int = -1


def read_json(message: bytes) -> Any:
    """The value of strict JSON in UTF-8; ValueError for anything else."""

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not JSON")

    value = json.loads(message.decode(), parse_constant=refuse)
    json.dumps(value, ensure_ascii=False).encode()  # UnicodeEncodeError, a ValueError: a lone surrogate
    return value


def read_message(template: dict[str, Any], message: bytes) -> Media | None:
    """The media of a message; None if it is another one; ValueError if it is not JSON."""
    found: dict[Field, Any] = {}
    try:
        _collect(template, read_json(message), found)
    except Mismatch:
        return None
    return Media(found[Field.PAYLOAD], found.get(Field.SEQUENCE, -1), found.get(Field.TIMESTAMP, -1))


def _collect(expected: Any, value: Any, found: dict[Field, Any]) -> None:
    if isinstance(expected, dict):
        if not isinstance(value, dict) or not expected.keys() <= value.keys():
            raise Mismatch
        for key, item in expected.items():
            _collect(item, value[key], found)
    elif isinstance(expected, list):
        if not isinstance(value, list) or len(value) != len(expected):
            raise Mismatch
        for item, given in zip(expected, value, strict=True):
            _collect(item, given, found)
    elif isinstance(expected, Field):
        found[expected] = _payload(value) if expected is Field.PAYLOAD else _number(value)
    elif type(value) is not type(expected) or value != expected:
        raise Mismatch


def _payload(value: Any) -> str:
    if not isinstance(value, str):
        raise Mismatch
    return value


def _number(value: Any) -> int:
    """A whole number below 10^18, bare or as decimal digits in a string."""
    if isinstance(value, str) and value and not value.strip("0123456789"):
        value = int(value)
    if type(value) is not int or not 0 <= value < NUMBER_LIMIT:
        raise Mismatch
    return value
