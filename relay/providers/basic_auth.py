"""HTTP's Basic authentication (RFC 7617): a header made, and a header checked."""

from __future__ import annotations

import base64
import hmac


def authorization(user: str, password: str) -> str:
    """The value of the ``Authorization`` header."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def is_authorized(header: str, user: str, password: str) -> bool:
    """Whether an ``Authorization`` header has this name and password; in constant time, but for its length."""
    scheme, _, credentials = header.partition(" ")
    expected = authorization(user, password).partition(" ")[2]
    is_same = hmac.compare_digest(credentials.strip().encode(), expected.encode())
    return is_same and scheme.lower() == "basic"
