"""Basic authentication (RFC 7617): a header made and checked, and credentials for a carrier's media WebSocket."""

from __future__ import annotations

import base64
import hmac
import secrets

from relay.providers.control import Webhook
from relay.providers.url_proof import keyed_text


def authorization(user: str, password: str) -> str:
    """The value of the ``Authorization`` header."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def is_authorized(header: str, user: str, password: str) -> bool:
    """Whether an ``Authorization`` header has this name and password; in constant time, but for its length."""
    scheme, _, credentials = header.partition(" ")
    expected = authorization(user, password).partition(" ")[2]
    is_same = hmac.compare_digest(credentials.encode(errors="replace"), expected.encode())
    return is_same and scheme.lower() == "basic"


def password_for(secret: str, url: str) -> str:
    """
    A password that is good for one stream's URL, a ``keyed_text``.

    Any process with the same secret knows it again, such as the next one after a restart.
    """
    return keyed_text(secret, f"stream {url}")


class BasicCredentials:
    """
    A name and a password that a carrier is given, and shows when it opens a stream; they are in no repr.

    Args:
        user: without a colon.
        password: of characters that mean nothing in a URL; without one, it is made now, for this process only.
    """

    def __init__(self, user: str, password: str | None = None) -> None:
        self.user = user
        self.password = password or secrets.token_urlsafe(32)

    def in_url(self, url: str) -> str:
        """The URL of a WebSocket with them in it, for who makes a header of what is there."""
        scheme, separator, rest = url.partition("://")
        return f"{scheme}{separator}{self.user}:{self.password}@{rest}"

    def are_in(self, webhook: Webhook) -> bool:
        """Whether it shows them. Takes the same time whatever it shows."""
        return is_authorized(webhook.headers.get("authorization", ""), self.user, self.password)
