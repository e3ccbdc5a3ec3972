"""
Telnyx's signature: ed25519 over the time and the body.

Written from developers.telnyx.com (webhook signing) alone, and not from relay's own verification.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SIGNATURE_HEADER: Final = "telnyx-signature-ed25519"
TIMESTAMP_HEADER: Final = "telnyx-timestamp"
SEED: Final = hashlib.sha256(b"a simulated carrier's key, and nothing else's").hexdigest()


def signature_of(timestamp: str, body: bytes, *, seed: str) -> str:
    """The value of ``telnyx-signature-ed25519``; ``seed`` is that of the private key, in hexadecimal."""
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
    return base64.b64encode(key.sign(timestamp.encode() + b"|" + body)).decode("ascii")


def public_key_of(seed: str) -> str:
    """The public key as the portal shows it."""
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed)).public_key()
    return base64.b64encode(key.public_bytes_raw()).decode("ascii")
