"""The webhook signature that Twilio began with: the base64 of an HMAC over the URL and the form's fields."""

from __future__ import annotations

import binascii
import hmac
import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Literal

from relay.errors import RemoteProtocolError
from relay.providers.control import Webhook
from relay.providers.forms import FORM_TYPE, Form, parse_form

_URL: Final = re.compile(r"([a-z]+)://([^/?#:@\[\]]+|\[[^/?#@\[\]]+\])(:[0-9]+)?([/?#].*)?", re.DOTALL)
_BODY_SHA256: Final = re.compile("[?&]bodySHA256=([^&#]*)")
_PORTS: Final = {"https": ("443",), "wss": ("443", "80")}
"""What may be added to a URL without a port: the scheme's own, and 80, which RequestValidator adds to all but https."""
_NO_FORM: Final = Form()


@dataclass(frozen=True, slots=True)
class Secret:
    """What signatures are made with."""

    key: bytes = field(repr=False)
    digest: Literal["sha1", "sha256"] = "sha1"


def form_of(webhook: Webhook) -> Form | None:
    """
    The form that the webhook's body is; None if it is of another type.

    Raises:
        ValueError: its type is that of a form, and its body is none.
    """
    content_type = webhook.headers.get("content-type", "").partition(";")[0].strip().lower()
    return parse_form(webhook.body) if content_type == FORM_TYPE else None


def read_form(carrier: str, webhook: Webhook) -> Form:
    """
    The form that a verified webhook's body is.

    Raises:
        RemoteProtocolError: it is none.
    """
    try:
        form = form_of(webhook)
    except ValueError as error:
        raise RemoteProtocolError(carrier, "webhook", expected="a form", got=str(error)) from None
    if form is None:
        raise RemoteProtocolError(carrier, "webhook", expected="a form", got="another type")
    return form


def is_webhook_signed(webhook: Webhook, signature: str, secret: Secret) -> bool:
    """Whether the signature covers the webhook's URL and all of its body. False for whatever is malformed."""
    try:
        form = form_of(webhook)
    except ValueError:
        return False
    if form is None and not _is_body_in_url(webhook):
        return False
    return is_url_signed(webhook.url, signature, secret, form or _NO_FORM)


def is_url_signed(url: str, signature: str, secret: Secret, form: Form = _NO_FORM) -> bool:
    """
    Whether the signature is that of the URL and the form.

    The URL may have been signed with its port or without, as with Twilio's own library (RequestValidator): what is
    behind a carrier's gateways is not always the same.
    """
    given = signature.encode(errors="replace")
    made = (_signature(each + signed_text(form), secret) for each in _with_and_without_port(url))
    return any(hmac.compare_digest(each, given) for each in made)


def signed_text(form: Form) -> str:
    """What of the form is signed: every name with each of its values, in order of code points, repetitions once."""
    return "".join(name + value for name, value in sorted(set(form.fields)))


def _signature(text: str, secret: Secret) -> bytes:
    return binascii.b2a_base64(hmac.digest(secret.key, text.encode(errors="replace"), secret.digest), newline=False)


def _with_and_without_port(url: str) -> list[str]:
    parts = _URL.fullmatch(url)
    if parts is None:
        return [url]
    scheme, host, port, rest = parts.groups(default="")
    ports = ("",) if port else tuple(f":{each}" for each in _PORTS.get(scheme, ("80",)))
    return [url, *(f"{scheme}://{host}{each}{rest}" for each in ports)]


def _is_body_in_url(webhook: Webhook) -> bool:
    """A body that is no form is signed by its hash in the URL; no body needs none."""
    if not webhook.body:
        return True
    hashes = _BODY_SHA256.findall(webhook.url)
    made = sha256(webhook.body).hexdigest().encode()
    return len(hashes) == 1 and hmac.compare_digest(made, hashes[0].encode(errors="replace"))
