"""
Vonage's tokens (JWT, RFC 7519): the relay's, signed with RS256, are read; those of webhooks, with HS256, are made.

Written from developer.vonage.com (JWTs, signed webhooks) and the RFCs alone, and not from relay's own.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

LIFETIME_MAX_S: Final = 86400
CLOCK_S: Final = 60.0
"""How far apart clocks may be."""


@functools.cache
def private_key() -> str:
    """A key that an application may have, in PEM; the same in one process, as making one takes long."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem.decode("ascii")


def webhook_token(body: bytes, *, secret: str, claims: Mapping[str, Any]) -> str:
    """The token of a webhook with this body; ``secret`` is the account's signature secret."""
    payload_hash = hashlib.sha256(body).hexdigest()
    fields = {"iat": int(time.time()), "jti": str(uuid4()), "iss": "Vonage", "payload_hash": payload_hash, **claims}
    return signed_token(fields, secret=secret)


def signed_token(claims: Mapping[str, Any], *, secret: str) -> str:
    """A token of these claims, by HS256."""
    signed = f"{_encoded({'alg': 'HS256', 'typ': 'JWT'})}.{_encoded(claims)}"
    return f"{signed}.{_base64url(hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest())}"


def complaint_about(token: str, *, private_pem: str, application_id: str, now_s: float | None = None) -> str:
    """What is wrong with a token of the relay's, signed with that key; empty if nothing is."""
    now_s = time.time() if now_s is None else now_s
    signed, _, signature = token.rpartition(".")
    key = serialization.load_pem_private_key(private_pem.encode(), None)
    public = key.public_key()
    if not isinstance(public, rsa.RSAPublicKey):
        raise TypeError(f"simulated carrier: expected an RSA key, got {type(public).__name__}")
    try:
        head, claims = (json.loads(_decoded(part)) for part in signed.split("."))
        public.verify(_decoded(signature), signed.encode(), padding.PKCS1v15(), SHA256())
    except (ValueError, InvalidSignature) as error:
        return f"expected a token signed with the application's key, got {type(error).__name__}"
    if head.get("alg") != "RS256":
        return f"alg: expected RS256, got {head.get('alg')!r}"
    if claims.get("application_id") != application_id:
        return "application_id: expected the account's own, got another"
    iat, exp = claims.get("iat"), claims.get("exp")
    if not isinstance(iat, int) or not isinstance(exp, int) or not claims.get("jti"):
        return "expected iat, exp and jti"
    if not iat - CLOCK_S <= now_s < exp or exp - iat > LIFETIME_MAX_S:
        return f"expected a token of now, for a day at most, got one from {iat} to {exp}"
    return ""


def _encoded(content: Mapping[str, Any]) -> str:
    return _base64url(json.dumps(content, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
