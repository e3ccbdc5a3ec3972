"""
JSON Web Tokens (RFC 7519), as far as carriers use them: RS256 made, HS256 read.

By hand: a library reads the clock to tell whether a token is good now, and takes more than one way to write the same
token. Times are read by who knows what time it is.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

_RS256_HEADER: Final = b'{"alg":"RS256","typ":"JWT"}'
_PARTS: Final = 3


def rsa_key(pem: str) -> RSAPrivateKey:
    """
    The RSA private key that ``pem`` is.

    Raises:
        ValueError: it is none, is of another kind, or needs a password. Nothing of it is shown.
    """
    key: object = None
    with suppress(ValueError, TypeError, UnsupportedAlgorithm):
        key = load_pem_private_key(pem.encode(), password=None)
    if isinstance(key, RSAPrivateKey):
        return key
    raise ValueError("rsa_key: expected an RSA private key in PEM, without a password, got something else")


def sign_rs256(claims: Mapping[str, Any], key: RSAPrivateKey) -> str:
    """The token of the claims, in their order."""
    signed = _base64url(_RS256_HEADER) + b"." + _base64url(orjson.dumps(dict(claims)))
    return (signed + b"." + _base64url(key.sign(signed, PKCS1v15(), SHA256()))).decode()


def read_hs256(token: str, secret: bytes) -> Mapping[str, Any] | None:
    """
    The claims of a token that was signed with the secret; None for any other text.

    There is one way to write its signature: what is equal only to a lenient reader is refused.
    """
    parts = token.encode(errors="replace").split(b".")
    if len(parts) != _PARTS:
        return None
    header, claims, signature = parts
    if not hmac.compare_digest(_base64url(hmac.digest(secret, header + b"." + claims, "sha256")), signature):
        return None
    said = _json_object(header)
    if said is None or said.get("alg") != "HS256" or "crit" in said:  # crit: what must be understood, and is not
        return None
    return _json_object(claims)


def _base64url(content: bytes) -> bytes:
    return urlsafe_b64encode(content).rstrip(b"=")


def _json_object(encoded: bytes) -> Mapping[str, Any] | None:
    try:
        value = orjson.loads(urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4)))
    except (binascii.Error, ValueError):
        return None
    return value if isinstance(value, dict) else None
