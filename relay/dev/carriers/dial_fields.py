"""The fields of a request to dial, read strictly: what a carrier refuses is raised, what it ignores is a violation."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from relay.dev.carrier_order import E164, OrderRefused


class DialFields:
    """
    One request's.

    Args:
        fields: by name.
        known: those that the carrier has, and are simulated.
        codes: of its errors, for what is missing and for what is invalid.
        status: HTTP's, of its refusals.
    """

    def __init__(
        self, fields: Mapping[str, Any], known: Collection[str], *, codes: tuple[int, int] = (0, 0), status: int = 400
    ) -> None:
        self._fields = fields
        self._codes = codes
        self._status = status
        self.violations = [
            f"{name}: expected parameters of placing a call, got one that is unknown or not simulated"
            for name in sorted(fields.keys() - set(known))
        ]

    def text(self, name: str, default: str = "") -> str:
        """
        A text.

        Raises:
            OrderRefused: it is none.
        """
        value = self._fields.get(name, default)
        if not isinstance(value, str):
            raise self.invalid(f"{name}: expected a string, got {type(value).__name__}")
        return value

    def required(self, name: str) -> str:
        """
        A text that must be there.

        Raises:
            OrderRefused: it is not.
        """
        if not (value := self.text(name)):
            raise OrderRefused(self._codes[0], f"{name}: expected one, got none", status=self._status)
        return value

    def number(self, name: str, *, plus: bool) -> str:
        """
        A phone number, as E.164; ``plus``: whether the carrier writes them so, or without.

        Raises:
            OrderRefused: it is none.
        """
        return self.as_number(name, self.required(name), plus=plus)

    def as_number(self, name: str, value: str, *, plus: bool) -> str:
        """As ``number``, for a value that is at hand."""
        number = value if value.startswith("+") else f"+{value}"
        if not E164.fullmatch(number) or (plus and not value.startswith("+")):
            raise self.invalid(f"{name}: expected {'E.164' if plus else 'a number'}, got {value!r}")
        if not plus and value.startswith("+"):
            self.violations.append(f"{name}: expected a number without +, got one with it")
        return number

    def seconds(self, name: str, default_s: int, *, least_s: int = 1, most_s: int, unit: str = "seconds") -> int:
        """
        A duration within the carrier's bounds, in seconds or in another ``unit``.

        Raises:
            OrderRefused: it is none.
        """
        value = self._fields.get(name, default_s)
        text = str(value)
        if isinstance(value, bool) or not (text.isascii() and text.isdecimal() and least_s <= int(text) <= most_s):
            raise self.invalid(f"{name}: expected {least_s} to {most_s} {unit}, got {value!r}")
        return int(text)

    def expect(self, name: str, allowed: Collection[str], default: str = "") -> str:
        """One of some values; another is a violation, and the default holds."""
        value = self._fields.get(name, default)
        if value in allowed or value == default:
            return str(value)
        self.violations.append(f"{name}: expected one of {', '.join(allowed)}, got {value!r}: unknown or not simulated")
        return default

    def post_only(self, *names: str) -> None:
        """Methods of webhooks: no other is simulated."""
        for name in names:
            self.expect(name, ("POST",), "POST")

    def invalid(self, message: str) -> OrderRefused:
        """The refusal of what may not be so."""
        return OrderRefused(self._codes[1], message, status=self._status)
