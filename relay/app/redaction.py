"""What must not be in a log line, and the last look at each line that takes it out."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote

from structlog.typing import EventDict, WrappedLogger

from relay.app.numbers import mask_number

HIDDEN: Final = "***"
SECRET_MIN: Final = 6
"""Characters. A shorter secret would be found in words that are none."""

DEPTH_MAX: Final = 8
"""Of values in values; what is deeper is shown as its text."""

JWT_HEAD_MAX: Final = 256
"""
Characters of a JSON Web Token's first part. Where one may begin, at each "eyJ", so many are looked through for its end,
and not all that follow: of a text of nothing but "eyJ" those would be as many as the square of its length.
"""
# Rooms' tokens come with requests, and are not known before. What goes on for longer is taken for one, dots or not.
_JWT: Final = rf"eyJ(?:[\w-]{{1,{JWT_HEAD_MAX}}}+\.[\w-]++\.[\w-]*|[\w-]{{{JWT_HEAD_MAX + 1}}}[\w.-]*)"
_PLACE: Final = "(?:media|status|detection|answer{slash}[0-9]{{1,9}}){slash}"
_TOKENS: Final = (
    r"B((?:earer|asic) )(?:(?:Bearer|Basic) )*[\w.~+/=*-]+",
    rf"/({_PLACE.format(slash='/')})[\w*-]{{16,}}",  # in a path: a single-use token, or a proof
    r"[?&,](token=)[\w*-]{16,}",  # in a query, or in a dial string that makes one
    r"[?&](dtmf=)[\w%*#]+",  # in a query: keys that a phone is to hear, perhaps somebody's PIN
    r":(//)[^\s/@:]*:[^\s/@]+(?=@)",  # a name and a password
    r"[_-](auth[_-]token\W{1,8}(?:b['\"])?)[^\s\"',&\\]{16,}",  # a header, or what asks for it
)
_ENCODED: Final = (
    rf"(2[Ff]{_PLACE.format(slash='%2[Ff]')})[\w*-]{{16,}}",
    r"((?:3[Ff]|26|2[Cc])token%3[Dd])[\w*-]{16,}",
    r"(3[Aa]%2[Ff]%2[Ff])(?:(?!%(?:3[Aa]|2[Ff]|40))[^\s&/@])*%3[Aa](?:(?!%(?:2[Ff]|40))[^\s&/@])+(?=%40)",
)
"""As in a URL or a form, behind a percent sign."""
# Each alternative begins with what it is: a text that has no such letter, as most have none, is passed over at once.
# What is known is taken out first, as it may have characters in it that end a token. Each has one group: of a number,
# its digits, and of a token, behind the first character, what it is known by, which is shown.
_UNKNOWN: Final = re.compile("|".join([r"\+([0-9]{7,})", rf"%(?:2[Bb]([0-9]{{7,}})|{'|'.join(_ENCODED)})", *_TOKENS]))
_NUMBERS: Final = 2
"""How many groups of numbers there are; they are the first."""


class Redactor:
    """
    A structlog processor that takes secrets and phone numbers out of every text of an event.

    Where they come from does not matter: values, keys, lists and tables in them, tracebacks, the texts of objects. A
    number is one with its plus, as it is or as in a URL. What it returns is made of texts, numbers, booleans, None,
    lists and dictionaries only, so that nothing later can fail to show it.

    Args:
        secrets: each known secret; also found as in a URL.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self.learn(*secrets)

    def learn(self, *secrets: str) -> None:
        """Take these out, too, from here on."""
        self._secrets |= {secret for secret in secrets if len(secret) >= SECRET_MIN}
        known = self._secrets | {quote(secret, safe="") for secret in self._secrets}
        longest_first = sorted(known, key=lambda secret: (-len(secret), secret))
        self._known = re.compile("|".join([*map(re.escape, longest_first), _JWT]))
        self._key = functools.lru_cache(maxsize=256)(self.text)  # an event's names are the same all the time

    def __call__(self, _logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        """The event without them."""
        return {self._key(key): self._value(value, DEPTH_MAX) for key, value in event.items()}

    def text(self, text: str) -> str:
        """``text`` without them, and without what no encoding can write."""
        if not text.isascii():
            text = text.encode("utf-8", "backslashreplace").decode()
        return _UNKNOWN.sub(_hidden, self._known.sub(HIDDEN, text))

    def _value(self, value: object, depth: int) -> object:
        if type(value) is str:  # nearly all
            return self.text(value)
        match value:
            case None | bool() | int():
                return value
            case float() if math.isfinite(value):
                return value
            case Mapping() if depth:
                return {self.text(text_of(key)): self._value(each, depth - 1) for key, each in value.items()}
            case list() | tuple() | set() | frozenset() if depth:
                return [self._value(each, depth - 1) for each in value]
        return self.text(text_of(value))


def _hidden(found: re.Match[str]) -> str:
    kind = found.lastindex or 0  # each alternative has one group
    if kind <= _NUMBERS:
        return mask_number(f"+{found[kind]}")
    return found.string[found.start() : found.end(kind)] + HIDDEN


def text_of(value: object) -> str:
    """The text of whatever it is; never raises."""
    try:
        if isinstance(value, bytes | bytearray):
            return value.decode("utf-8", "backslashreplace")
        return str(value) if isinstance(value, str | BaseException) else repr(value)
    except Exception as error:  # noqa: BLE001 - an object that cannot be shown must not take its line with it
        return f"<{type(value).__name__} that raises {type(error).__name__}>"
