"""Proofs in the URLs that a carrier is given to come back to: for carriers that do not sign the URL they ask."""

from __future__ import annotations

import base64
import hmac
from typing import Final

SEPARATOR: Final = "/"


def keyed_text(secret: str, text: str) -> str:
    """What only who knows ``secret`` can make of ``text``: an HMAC-SHA256, as 43 letters, digits, ``-`` and ``_``."""
    made = hmac.digest(secret.encode(), text.encode(errors="replace"), "sha256")
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


class UrlProofs:
    """
    Makes and finds proofs: an HMAC-SHA256 of a URL, as a further segment of its path.

    A URL says which transfer it is of, what is told there, and which stream is asked for: with the proof, what comes to
    it comes to the URL that the carrier was given, and a true webhook is good for no other. A query stays behind it.

    Args:
        secret: of the account; the same after a restart, as calls outlive processes.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def added(self, url: str) -> str:
        """The URL with its proof, a ``keyed_text``."""
        path, mark, query = url.partition("?")
        return f"{path}{SEPARATOR}{keyed_text(self._secret, url)}{mark}{query}"

    def proven(self, url: str) -> str | None:
        """The URL that this one was made of; None: its proof is missing, or of another."""
        path, mark, query = url.partition("?")
        before, _, given = path.rpartition(SEPARATOR)
        original = f"{before}{mark}{query}"
        is_proven = hmac.compare_digest(keyed_text(self._secret, original).encode(), given.encode(errors="replace"))
        return original if is_proven else None
