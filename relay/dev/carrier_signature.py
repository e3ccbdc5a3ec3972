"""
Twilio's signature, as its own pages say: HMAC-SHA1 over the URL and the sorted form, in base64.

Written from twilio.com/docs/usage/security alone, and not from relay's own verification: each proves the other.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Final
from uuid import uuid4

SIGNATURE_HEADER: Final = "X-Twilio-Signature"


def signature_of(url: str, form: Iterable[tuple[str, str]] = (), *, auth_token: str) -> str:
    """
    The value of ``X-Twilio-Signature``.

    Args:
        url: exactly as it is requested, query included; for a media stream the ``wss://`` URL of the document.
        form: the fields of a POST; none for a GET and for an upgrade.
        auth_token: the account's secret.
    """
    # A field that comes twice with the same value is signed once.
    signed = url + "".join(name + value for name, value in sorted(set(form)))
    digest = hmac.new(auth_token.encode(), signed.encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode("ascii")


class TwilioSeal:
    """How Twilio's webhooks and upgrades are signed; ``header`` is the name of who speaks its dialect."""

    def __init__(self, header: str = SIGNATURE_HEADER) -> None:
        self._header = header

    def webhook(self, url: str, form: Mapping[str, str], body: bytes, *, secret: str) -> dict[str, str]:
        """The headers of a webhook."""
        return {
            self._header: signature_of(url, form.items(), auth_token=secret),
            "I-Twilio-Idempotency-Token": str(uuid4()),
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
            "User-Agent": "TwilioProxy/1.1 (simulated)",
        }

    def upgrade(self, url: str, *, secret: str) -> dict[str, str]:
        """The headers of a media stream's upgrade, to the URL that the carrier was told."""
        return {self._header: signature_of(url, auth_token=secret)}
