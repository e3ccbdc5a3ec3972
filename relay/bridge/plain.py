"""Frozen dataclasses as plain values, and back by their annotations: what does not fit to the letter is refused."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import functools
import math
import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final, TypeAlias

Reader: TypeAlias = Callable[[object], Any]

KIND: Final = "is"
"""The key that has a dataclass's name: what tells the members of a union apart."""


def plain(value: object) -> object:
    """
    ``value`` as texts, numbers, booleans, None, lists and dictionaries; bytes as base64.

    Raises:
        TypeError: there is something in it that ``reader`` knows no form for.
    """
    match value:
        case Enum():
            return value.value
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return base64.b64encode(value).decode()
        case tuple():
            return [plain(each) for each in value]
        case Mapping():
            return {str(key): plain(each) for key, each in value.items()}
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"plain: expected a dataclass, or what one is made of, got {type(value).__name__}")
    named = {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return {KIND: type(value).__name__, **named}


@functools.cache
def reader(hint: Any) -> Reader:
    """
    What makes a value of type ``hint`` of what ``plain`` made of one.

    It raises ValueError, whose message has names and types and no values: they may be secret. A float that is no number
    travels as null, and comes as NaN.

    Raises:
        TypeError: ``hint`` is no dataclass, and nothing that one may be made of here.
    """
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return functools.partial(_dataclass, hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return functools.partial(_word, {member.value: member for member in hint})
    return _SCALARS[hint] if hint in _SCALARS else _reader_of(typing.get_origin(hint), typing.get_args(hint))


def _reader_of(origin: Any, arguments: tuple[Any, ...]) -> Reader:
    if origin is typing.Literal:
        return functools.partial(_word, {word: word for word in arguments})
    if origin in {types.UnionType, typing.Union}:
        return _union(arguments)
    if origin is tuple and arguments[1:] == (...,):
        return functools.partial(_tuple, reader(arguments[0]))
    if origin in {Mapping, dict} and arguments[0] is str:
        return functools.partial(_mapping, reader(arguments[1]))
    raise TypeError(f"reader: expected a type that can be read back, got {origin} of {arguments}")


def _refuse(expected: str, value: object) -> ValueError:
    return ValueError(f"expected {expected}, got {type(value).__name__}")


def _scalar(kind: type, value: object) -> object:
    if type(value) is not kind:
        raise _refuse(kind.__name__, value)
    return value


def _float(value: object) -> float:
    if value is None:
        return math.nan
    if type(value) is not float and type(value) is not int:
        raise _refuse("float", value)
    return float(value)


def _bytes(value: object) -> bytes:
    if not isinstance(value, str):
        raise _refuse("base64", value)
    try:
        return base64.b64decode(value.encode(), validate=True)
    except binascii.Error:
        raise ValueError("expected base64, got another text") from None


def _word(words: Mapping[object, object], value: object) -> object:
    if not isinstance(value, str) or value not in words:
        raise ValueError(f"expected one of {', '.join(map(str, words))}, got another {type(value).__name__}")
    return words[value]


_SCALARS: Final[Mapping[Any, Reader]] = {
    **{kind: functools.partial(_scalar, kind) for kind in (str, int, bool)},
    type(None): functools.partial(_scalar, type(None)),
    float: _float,
    bytes: _bytes,
}


def _union(members: tuple[Any, ...]) -> Reader:
    some = [member for member in members if member is not type(None)]
    if len(some) == 1:
        read = reader(some[0])
        return lambda value: None if value is None else read(value)
    if len(some) != len(members) or not all(dataclasses.is_dataclass(member) for member in members):
        raise TypeError(f"reader: expected a union of dataclasses, or of one type and None, got {members}")
    kinds = {member.__name__: reader(member) for member in members}

    def read_one(value: object) -> Any:
        kind = value.get(KIND) if isinstance(value, dict) else None
        if not isinstance(kind, str) or kind not in kinds:
            raise _refuse(f"one of {', '.join(kinds)}", value)
        return kinds[kind](value)

    return read_one


def _tuple(read: Reader, value: object) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _refuse("a list", value)
    return tuple(read(each) for each in value)


def _mapping(read: Reader, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _refuse("an object", value)
    return {key: read(each) for key, each in value.items()}


@functools.cache
def _fields(kind: type) -> Mapping[str, Reader]:
    hints = typing.get_type_hints(kind)
    return {field.name: reader(hints[field.name]) for field in dataclasses.fields(kind)}


def _dataclass(kind: type, value: object) -> Any:
    fields = _fields(kind)
    if not isinstance(value, dict) or value.get(KIND) != kind.__name__:
        raise _refuse(f"a {kind.__name__}", value)
    if value.keys() != fields.keys() | {KIND}:
        raise ValueError(f"{kind.__name__}: expected {', '.join(fields) or 'no fields'}, got other fields")
    given = {}
    for name, read in fields.items():
        try:
            given[name] = read(value[name])
        except ValueError as error:
            raise ValueError(f"{kind.__name__}.{name}: {error}") from None
    return kind(**given)
