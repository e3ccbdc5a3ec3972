"""Reading a JSON object field by field; what is not as it should be is told with its place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import NoReturn, TypeVar

from relay.client.errors import UnexpectedAnswer

_E = TypeVar("_E", bound=StrEnum)
_SHOWN_MAX = 80


class Fields:
    """
    One object of an answer. Fields nobody asks for are none of its business: a newer relay may say more.

    Args:
        where: its place in the answer, for errors.
        value: what should be the object.

    Raises:
        UnexpectedAnswer: ``value`` is none. Every method raises it too.
    """

    __slots__ = ("_values", "_where")

    def __init__(self, where: str, value: object) -> None:
        if not isinstance(value, Mapping):
            raise UnexpectedAnswer(where, expected="an object", got=shown(value))
        self._where = where
        self._values = value

    def text(self, name: str) -> str:
        """A string."""
        value = self._values.get(name)
        return value if isinstance(value, str) else self._fail(name, "a string")

    def text_or_none(self, name: str) -> str | None:
        """A string, null, or nothing at all."""
        return None if self._values.get(name) is None else self.text(name)

    def number(self, name: str) -> float:
        """A number."""
        value = self._values.get(name)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else self._fail(name, "a number")

    def whole(self, name: str) -> int:
        """A number without a fraction."""
        value = self._values.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else self._fail(name, "a whole number")

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self._values.get(name)
        return value if isinstance(value, bool) else self._fail(name, "true or false")

    def flag_or_none(self, name: str) -> bool | None:
        """True, false, null, or nothing at all."""
        return None if self._values.get(name) is None else self.flag(name)

    def one_of(self, name: str, kind: type[_E]) -> _E:
        """A value of ``kind``."""
        known = known_or_none(kind, self.text(name))
        return known if known is not None else self._fail(name, f"one of {', '.join(kind)}")

    def moment(self, name: str) -> datetime:
        """An ISO 8601 time with its zone."""
        try:
            at = datetime.fromisoformat(self.text(name))
        except ValueError:
            at = None
        return at if at and at.tzinfo else self._fail(name, "an ISO 8601 time with its zone")

    def inner(self, name: str) -> Fields:
        """An object within this one."""
        return Fields(f"{self._where}.{name}", self._values.get(name))

    def objects(self, name: str) -> list[Fields]:
        """A list of objects."""
        value = self._values.get(name)
        if not isinstance(value, list):
            self._fail(name, "a list")
        return [Fields(f"{self._where}.{name}[{number}]", item) for number, item in enumerate(value)]

    def texts(self) -> dict[str, str]:
        """All of it, when every field is a string."""
        return {name: self.text(name) for name in self._values}

    def names(self) -> list[str]:
        """What fields there are."""
        return list(self._values)

    def _fail(self, name: str, expected: str) -> NoReturn:
        got = shown(self._values[name]) if name in self._values else "nothing"
        raise UnexpectedAnswer(f"{self._where}.{name}", expected=expected, got=got)


def known_or_none(kind: type[_E], value: str | None) -> _E | None:
    """The member of ``kind`` that ``value`` is, if this client knows it."""
    return next((member for member in kind if member == value), None)


def shown(value: object) -> str:
    """``value``, short enough for a message."""
    text = repr(value)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."
