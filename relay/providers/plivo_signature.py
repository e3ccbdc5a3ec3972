"""
Plivo's signatures, version 3 (plivo.com/docs/voice/concepts/signature-validation, plivo-python 4.63).

Version 2 covers neither the query nor the body: who has one true request could say anything with its signature. Plivo
sends both, and calls it deprecated; it is not taken.
"""

from __future__ import annotations

import binascii
import hmac
import re
from collections.abc import Iterable
from typing import Final

from relay.providers.control import Webhook
from relay.providers.form_signature import form_of
from relay.providers.forms import Form, parse_form

_HEADERS: Final = ("x-plivo-signature-v3", "x-plivo-signature-ma-v3")
"""By the token of the account that has the number, and by that of the main account above it: ours may be either."""
_NONCE_HEADER: Final = "x-plivo-signature-v3-nonce"
_NONCE: Final = re.compile(r"[!-\-/-~]{1,128}")
"""Without a dot, which is what separates it from the last field: no text of that may become the nonce's."""
_URL: Final = re.compile(r"([a-z]+)(://[^/?#]+[^?#]*)(?:\?([^#]*))?(?:#.*)?", re.DOTALL)
_SIGNATURES_MAX: Final = 16
"""In one header: there is one for each token of the account."""
_UPGRADE_SCHEMES: Final = ("https", "http")
_WEBSOCKET_SCHEMES: Final = ("wss", "ws")
_UPGRADE_PATHS: Final = ("", "/websocket")
_NO_FORM: Final = Form()


def is_request_signed(webhook: Webhook, key: bytes) -> bool:
    """Whether a signature covers the URL, its query and all of the body. False for whatever is malformed."""
    try:
        form = form_of(webhook) or _NO_FORM
        text = signed_text(webhook.method, webhook.url, form)
    except ValueError:
        return False
    is_covered = webhook.method == "POST" and bool(form.fields)
    return (is_covered or not webhook.body) and _is_signed(webhook, [text], key)


def signed_upgrade_form(webhook: Webhook, key: bytes) -> str | None:
    """
    The form of this WebSocket's URL that is signed: its scheme, and what is behind its path; None: it is not signed.

    Unconfirmed: which URL Plivo signs. Its documentation says the ``wss://`` one, its SDK for streams takes ``http://``
    and a path with ``/websocket`` after it. Either scheme is taken, with and without that; the path has the token.
    """
    parts = _URL.fullmatch(webhook.url)
    if parts is None:
        return None
    scheme, place, query = parts.groups(default="")
    if scheme not in (*_WEBSOCKET_SCHEMES, *_UPGRADE_SCHEMES):
        return None
    schemes = dict.fromkeys((scheme, *_UPGRADE_SCHEMES))
    rest = f"?{query}" if query else ""
    forms = [(each, path) for each in schemes for path in _UPGRADE_PATHS]
    try:
        texts = [signed_text("GET", f"{each}{place}{path}{rest}") for each, path in forms]
    except ValueError:
        return None
    signed = [form for form, text in zip(forms, texts, strict=True) if _is_signed(webhook, [text], key)]
    return f"{signed[0][0]}://...{signed[0][1]}" if signed else None


def has_signature(webhook: Webhook) -> bool:
    """Whether there is a signature at all, good or not, with what belongs to it."""
    return _NONCE_HEADER in webhook.headers and any(name in webhook.headers for name in _HEADERS)


def signed_text(method: str, url: str, form: Form = _NO_FORM) -> str:
    """
    What is signed of a request, but for the nonce: URL, sorted query, sorted fields.

    A POST with fields and no query has ``?`` before them all the same.

    Raises:
        ValueError: no such request is signed.
    """
    parts = _URL.fullmatch(url)
    if parts is None or method not in ("GET", "POST"):
        raise ValueError("expected GET or POST of a URL, got another request")
    scheme, place, query = parts.groups(default="")
    asked = "&".join(f"{name}={value}" for name, value in sorted(parse_form(query.encode()).fields))
    said = "".join(name + value for name, value in sorted(form.fields)) if method == "POST" else ""
    base = f"{scheme}{place}"
    if method == "GET" or not form.fields:
        return f"{base}?{asked}" if asked else base
    return f"{base}?{asked}.{said}" if asked else f"{base}?{said}"


def _is_signed(webhook: Webhook, texts: Iterable[str], key: bytes) -> bool:
    nonce = webhook.headers.get(_NONCE_HEADER, "")
    if not _NONCE.fullmatch(nonce):
        return False
    lists = (webhook.headers.get(name, "").split(",")[:_SIGNATURES_MAX] for name in _HEADERS)
    given = [each.strip().encode(errors="replace") for signatures in lists for each in signatures]
    made = [_signature(f"{text}.{nonce}", key) for text in texts]
    return any(hmac.compare_digest(one, other) for one in made for other in given)


def _signature(text: str, key: bytes) -> bytes:
    return binascii.b2a_base64(hmac.digest(key, text.encode(errors="replace"), "sha256"), newline=False)
