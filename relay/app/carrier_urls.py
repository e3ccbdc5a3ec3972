"""The URLs that carriers are given, and come back to: under the configured public URL, and nothing else."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit, urlunsplit

PREFIX: Final = "/carriers"
_WEBSOCKET: Final = {"https": "wss", "http": "ws"}


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
        """Told of the call's progress."""
        return f"{self._base}{PREFIX}/{provider}/{transfer_id}/status"

    def detection(self, provider: str, transfer_id: str) -> str:
        """Told whether a machine picked up."""
        return f"{self._base}{PREFIX}/{provider}/{transfer_id}/detection"

    def media(self, provider: str, transfer_id: str, token: str) -> str:
        """The WebSocket of a media stream: the token in it opens it once."""
        return f"{self._media_base}{PREFIX}/{provider}/{transfer_id}/media/{token}"
