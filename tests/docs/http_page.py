"""The HTTP exchanges of a page: what it shows is asked for, and what comes back is compared with what it shows."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

_ITEM: Final = re.compile(r"^```http\n(.*?)^```$|^<!-- meanwhile: (.+?) -->$", re.MULTILINE | re.DOTALL)
_ID: Final = re.compile(r"tr_[0-9a-f]{32}|\b\d{13}-\d+\b")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_MORE: Final = "..."
"""A member of this name: others follow that are not shown."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that is shown."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, as it is shown or as it came; of JSON the value, else the text."""

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """Something that happens, in words."""

    what: str


Item: TypeAlias = Request | Answer | Meanwhile


def items(page: str) -> list[Item]:
    """Everything that happens on a page, in its order."""
    return [Meanwhile(found[2]) if found[2] else _message(found[1]) for found in _ITEM.finditer(page)]


def content(text: str) -> Any:
    """JSON as its value; what stands for more members becomes one."""
    if text.startswith("{"):
        return json.loads(re.sub(r",\s*\.\.\.\s*}", f', "{_MORE}": null}}', text))
    return text.strip()


class Likeness:
    """
    Whether what came is what a page shows, but for what is another each time.

    Times are alike. An id of a transfer or an event is what first came in the place of the page's: see ``here``.
    """

    def __init__(self) -> None:
        self._here: dict[str, str] = {}

    def here(self, text: str) -> str:
        """A text of the page with the ids that were given here."""
        return _ID.sub(lambda found: self._here.get(found[0], found[0]), text)

    def holds(self, shown: Any, came: Any) -> bool:
        """Whether what came is what is shown, and no more unless more is said to follow."""
        if isinstance(shown, dict) and isinstance(came, dict):
            names = shown.keys() - {_MORE}
            is_whole = _MORE in shown or names == came.keys()
            return is_whole and all(name in came and self.holds(shown[name], came[name]) for name in names)
        if isinstance(shown, list) and isinstance(came, list):
            return len(shown) == len(came) and all(map(self.holds, shown, came))
        if isinstance(shown, str) and isinstance(came, str):
            for on_page, here in zip(_ID.findall(shown), _ID.findall(came), strict=False):
                self._here.setdefault(on_page, here)
            return _TIME.sub("TIME", self.here(shown)) == _TIME.sub("TIME", came)
        return bool(shown == came)


def _message(text: str) -> Request | Answer:
    head, _, body = text.partition("\n\n")
    first, *lines = head.splitlines()
    headers = dict(line.split(": ", 1) for line in lines)
    if first.startswith("HTTP/"):
        return Answer(int(first.split()[1]), headers, content(body))
    method, path = first.split()
    return Request(method, path, headers, content(body) if body else None)
