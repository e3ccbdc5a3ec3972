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

_JWT: Final = r"eyJ[\w-]+\.[\w-]+\.[\w-]*"  # a JSON Web Token: rooms' come with requests, and are not known before
_NUMBERS: Final = (r"\+([0-9]{7,})", r"%2[Bb]([0-9]{7,})")
_SHOWN: Final = ("Bearer ", "Basic ", "/media/", "/status/", "/answer/", "/detection/", "?token=", "&token=", ",token=")
"""
What tokens are known by, which is shown: of a header; in a URL, or in a dial string that makes one, a carrier's
single-use token or proof.
"""
_TOKENS: Final = (
    *(rf"{kind} (?:(?:Bearer|Basic) )*[\w.~+/=*-]+" for kind in ("Bearer", "Basic")),
    r"/(?:media|status|detection|answer/[0-9]+)/[\w*-]{16,}",
    r"[?&,]token=[\w*-]{16,}",
)
# Each alternative begins with what it is: a text that has no such letter, as most have none, is passed over at once.
# What is known is taken out first, as it may have characters in it that end a token.
_UNKNOWN: Final = re.compile("|".join([*_NUMBERS, *_TOKENS]))


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
    if found.lastindex is not None:
        return mask_number(f"+{found[found.lastindex]}")
    return next(shown for shown in _SHOWN if found[0].startswith(shown)) + HIDDEN


def text_of(value: object) -> str:
    """The text of whatever it is; never raises."""
    try:
        if isinstance(value, bytes | bytearray):
            return value.decode("utf-8", "backslashreplace")
        return str(value) if isinstance(value, str | BaseException) else repr(value)
    except Exception as error:  # noqa: BLE001 - an object that cannot be shown must not take its line with it
        return f"<{type(value).__name__} that raises {type(error).__name__}>"
