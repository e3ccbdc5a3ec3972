"""Which rooms a request may name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from relay.errors import RoomRefused
from relay.rooms.wire import ROOM_PATH

DAILY_URL: Final = re.compile(r"https://([a-z0-9-]+)\.daily\.co/([A-Za-z0-9_-]{1,128})")


class RoomKind(StrEnum):
    """Who runs a room."""

    DAILY = "daily"
    LOCAL = "local"
    """The local room server, which stands in for Daily."""


@dataclass(frozen=True, slots=True)
class RoomAddress:
    """A room that may be joined. ``domain`` is Daily's only, else empty."""

    kind: RoomKind
    url: str
    domain: str
    name: str


class RoomPolicy:
    """
    The rooms of some Daily domains, and of one local room server.

    Args:
        daily_domains: the ``DOMAIN`` of ``https://DOMAIN.daily.co``.
        local_origin: ``http://127.0.0.1:8090``; None: no local rooms.
    """

    def __init__(self, daily_domains: Sequence[str], local_origin: str | None = None) -> None:
        self._domains = frozenset(daily_domains)
        self._local_origin = local_origin

    def check(self, url: str) -> RoomAddress:
        """
        Take ``url`` apart if it may be joined. It is compared as it is written: nothing is decoded or normalised.

        Raises:
            RoomRefused: it may not. The message has no part of the URL, which may carry a token.
        """
        daily = DAILY_URL.fullmatch(url)
        if daily is not None and daily[1] in self._domains:
            return RoomAddress(RoomKind.DAILY, url, daily[1], daily[2])
        if self._local_origin is not None and url.startswith(self._local_origin):
            path = ROOM_PATH.fullmatch(url, len(self._local_origin))
            if path is not None:
                return RoomAddress(RoomKind.LOCAL, url, "", path[1])
        raise RoomRefused(f"expected {' or '.join(self._forms())}, got another URL")

    def _forms(self) -> list[str]:
        forms = [f"https://{domain}.daily.co/NAME" for domain in sorted(self._domains)]
        return [*forms, *([f"{self._local_origin}/rooms/NAME"] if self._local_origin else [])] or ["no room at all"]
