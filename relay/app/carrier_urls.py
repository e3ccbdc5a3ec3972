"""The URLs that carriers are given, and come back to: under the configured public URL, and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs, urlsplit, urlunsplit

from relay.transfers.record import TRANSFER_ID

PREFIX: Final = "/carriers"
_WEBSOCKET: Final = {"https": "wss", "http": "ws"}
_TOKEN: Final = re.compile("[A-Za-z0-9_-]{43}")
_PROVIDER: Final = "(?P<provider>[a-z]{1,32})"
_MEDIA: Final = re.compile(
    rf"{PREFIX}/{_PROVIDER}/(?P<transfer>{TRANSFER_ID.pattern})/media/(?P<token>{_TOKEN.pattern})(?P<query>\?.+)?"
)
_MEDIA_OF_ALL: Final = re.compile(rf"{PREFIX}/{_PROVIDER}/media\?(?P<query>.*)")


@dataclass(frozen=True, slots=True)
class MediaPlace:
    """Which media stream a WebSocket is opened for. ``query``: what else its URL says, with its question mark."""

    provider: str
    transfer_id: str
    token: str = field(repr=False)
    query: str = field(default="", repr=False)


class CarrierUrls:
    """
    Where carriers reach relay.

    What they sign is the URL they were given: it is made from the configuration, never from what a request says of
    itself (``Host``, ``X-Forwarded-*``).

    Args:
        public_url: ``https://relay.example.com``, without a slash at its end; may have a path.
    """

    def __init__(self, public_url: str) -> None:
        self._base = public_url.rstrip("/")
        parts = urlsplit(self._base)
        self._media_base = urlunsplit((_WEBSOCKET[parts.scheme], *parts[1:]))
        self.path: Final = parts.path
        """The path that the public URL has itself; a proxy may have taken it off."""

    def answer(self, provider: str, transfer_id: str, stream: int) -> str:
        """Asked for a document when somebody picks up, and for the next ones when a stream has ended."""
        return f"{self._base}{PREFIX}/{provider}/{transfer_id}/answer/{stream}"

    def status(self, provider: str, transfer_id: str) -> str:
        """Told of the call's progress; what a control may have added to it is a segment of its own."""
        return f"{self._base}{PREFIX}/{provider}/{transfer_id}/status"

    def detection(self, provider: str, transfer_id: str) -> str:
        """Told whether a machine picked up."""
        return f"{self._base}{PREFIX}/{provider}/{transfer_id}/detection"

    def media(self, provider: str, transfer_id: str, token: str) -> str:
        """The WebSocket of a media stream: the token in it opens it once."""
        return f"{self._media_base}{PREFIX}/{provider}/{transfer_id}/media/{token}"

    def media_place(self, target: str) -> MediaPlace | None:
        """
        What the target of an upgrade is: such a URL's path, or the form for carriers that have one URL for all calls,
        ``/carriers/PROVIDER/media?transfer=ID&token=TOKEN``. None: no place for media.

        A proxy may have left the public URL's own path before it.
        """
        for path in (target, target.removeprefix(self.path)):
            if found := _MEDIA.fullmatch(path):
                return MediaPlace(found["provider"], found["transfer"], found["token"], found["query"] or "")
            if found := _MEDIA_OF_ALL.fullmatch(path):
                return _place_of_query(found["provider"], found["query"])
        return None


def _place_of_query(provider: str, query: str) -> MediaPlace | None:
    said = parse_qs(query, max_num_fields=10)
    transfer_id, token = (",".join(said.get(name, ())) for name in ("transfer", "token"))
    if TRANSFER_ID.fullmatch(transfer_id) and _TOKEN.fullmatch(token):
        return MediaPlace(provider, transfer_id, token)
    return None
