"""
The simulated carrier's signature, as Twilio makes it: HMAC-SHA1 over the URL and the sorted form, in base64.

Written from twilio.com/docs/usage/security alone, and not from relay's own verification: each proves the other.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from typing import Final

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
