"""Which phone numbers may be dialled when a request names one itself, and how much of a number may be shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from relay.errors import NumberRefused

E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
"""ITU-T E.164: 15 digits at most, and 7 at least (Niue): emergency and short numbers have no such form."""

PREFIX: Final = re.compile(r"\+[1-9][0-9]{0,14}")

NANP: Final = re.compile(r"\+1[2-9](?!11)[0-9]{2}[2-9](?!11)[0-9]{6}")
"""North America: ten digits after +1; neither area code nor exchange is N11 (911, 411)."""

PREMIUM: Final = (
    "+1900", "+31900", "+31906", "+31909", "+3290", "+3389", "+34803", "+34806", "+34807", "+34905", "+358600",
    "+358700", "+39892", "+39895", "+39899", "+41900", "+41901", "+41906", "+43900", "+43901", "+43930", "+43931",
    "+44118", "+4470", "+4484", "+4487", "+449", "+46900", "+46939", "+46944", "+4782", "+4870", "+49118", "+49137",
    "+49180", "+49900", "+55900", "+61190", "+64900", "+81990", "+808", "+878", "+979",
)  # fmt: skip
"""Who answers is paid by who calls, or may be: the national numbering plans' premium, shared-cost and personal numbers,
and the international ones. Not complete, and never will be: the prefixes allowed are what protects."""

SATELLITE: Final = ("+870", "+881", "+882", "+883", "+888")
"""Inmarsat, mobile satellite systems, international networks, disaster relief."""

ISLANDS: Final = (
    "+1242", "+1246", "+1264", "+1268", "+1284", "+1345", "+1441", "+1473", "+1649", "+1658", "+1664", "+1721",
    "+1758", "+1767", "+1784", "+1809", "+1829", "+1849", "+1868", "+1869", "+1876",
)  # fmt: skip
"""Islands within +1 that cost as much as another continent, and are loved by toll fraud: ``+1`` does not allow them."""

_NANP_976: Final = re.compile(r"\+1[0-9]{3}976[0-9]{4}")  # premium in every area code


def mask_number(number: str) -> str:
    """What may be shown of a number: its length and the last two digits, ``+*********23``."""
    if len(number) < 7:  # two digits of five would be much of it
        return "*" * len(number)
    first = "+" if number.startswith("+") else "*"
    return f"{first}{'*' * (len(number) - 3)}{number[-2:]}"


def is_built_in_denied(number: str) -> bool:
    """Whether a number, or every number of a prefix, is never dialled at a request's own wish."""
    return number.startswith((*PREMIUM, *SATELLITE)) or _NANP_976.fullmatch(number) is not None


class NumberPolicy:
    """
    Which numbers a request may name: none but those that begin with an allowed prefix.

    Args:
        allowed_prefixes: ``+1415``; without any, every number is refused.
        denied_prefixes: refused all the same. So are premium and satellite numbers, and the islands within +1 unless
            their area code is allowed by name.
    """

    def __init__(self, allowed_prefixes: Sequence[str], denied_prefixes: Sequence[str] = ()) -> None:
        self._allowed = tuple(allowed_prefixes)
        self._denied = tuple(denied_prefixes)

    def check(self, to: str) -> None:
        """
        Let ``to`` pass, or not. The message never has the number in it.

        Raises:
            NumberRefused: it may not be dialled.
        """
        if not self._allowed:
            raise NumberRefused("expected the name of a destination: numbers in requests are not allowed here")
        if E164.fullmatch(to) is None:
            raise NumberRefused("expected an E.164 number, + and 7 to 15 digits")
        if to.startswith("+1") and NANP.fullmatch(to) is None:
            raise NumberRefused("expected a number of North America, +1 and ten digits of area code and number")
        if is_built_in_denied(to):
            raise NumberRefused("expected no premium and no satellite number")
        if to.startswith(self._denied) or not self._is_allowed(to):
            raise NumberRefused("expected a number whose prefix is allowed here")

    def _is_allowed(self, to: str) -> bool:
        if to.startswith(ISLANDS):
            return any(to.startswith(prefix) and len(prefix) >= len("+1242") for prefix in self._allowed)
        return to.startswith(self._allowed)
