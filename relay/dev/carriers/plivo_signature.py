"""
Plivo's signature V3: HMAC-SHA256 over the URL, the sorted query, the sorted fields and a nonce, in base64.

Written from plivo.com's page on signature validation alone, and not from relay's own verification.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qsl, urlsplit

SIGNATURE_HEADER: Final = "X-Plivo-Signature-V3"
NONCE_HEADER: Final = "X-Plivo-Signature-V3-Nonce"


def signature_of(method: str, url: str, fields: Iterable[tuple[str, str]] = (), *, nonce: str, auth_token: str) -> str:
    """
    The value of ``X-Plivo-Signature-V3``.

    Args:
        method: with a GET the fields are a part of the query.
        url: as it is requested.
        fields: of a POST's form.
        nonce: any digits, sent beside it.
        auth_token: the account's secret.
    """
    parts = urlsplit(url)
    query, pairs = parse_qsl(parts.query, keep_blank_values=True), sorted(fields)
    if method == "GET":
        query, pairs = query + pairs, []
    signed = f"{parts.scheme}://{parts.netloc}{parts.path}"
    if query or pairs:
        signed += "?" + "&".join(f"{name}={value}" for name, value in sorted(query))
    if query and pairs:
        signed += "."
    signed += "".join(name + value for name, value in pairs)
    digest = hmac.new(auth_token.encode(), f"{signed}.{nonce}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode("ascii")
