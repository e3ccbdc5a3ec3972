"""Basic credentials (RFC 7617) that a carrier is given for its media WebSocket, and shows when it opens one."""

from __future__ import annotations

import binascii
import hmac
import secrets

from relay.providers.control import Webhook


class BasicCredentials:
    """
    A name and a password, which are in no repr.

    Args:
        user: without a colon.
        password: of characters that mean nothing in a URL; None: one that is made now, for this process only.
    """

    def __init__(self, user: str, password: str | None = None) -> None:
        self.user = user
        self.password = secrets.token_urlsafe(32) if password is None else password
        self._encoded = binascii.b2a_base64(f"{self.user}:{self.password}".encode(), newline=False)

    def in_url(self, url: str) -> str:
        """The URL of a WebSocket with them in it, for who makes a header of what is there."""
        scheme, separator, rest = url.partition("://")
        return f"{scheme}{separator}{self.user}:{self.password}@{rest}"

    def are_in(self, webhook: Webhook) -> bool:
        """Whether it shows them. Takes the same time whatever it shows."""
        scheme, _, given = webhook.headers.get("authorization", "").partition(" ")
        is_ours = hmac.compare_digest(self._encoded, given.encode(errors="replace"))
        return is_ours and scheme.lower() == "basic"
