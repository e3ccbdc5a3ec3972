"""What carriers' REST requests and replies have in common: what may go into a request, what is read of a reply."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import orjson

from relay.errors import LocalProtocolError
from relay.providers.basic_auth import authorization
from relay.providers.control import (
    CallOrder,
    CallRefused,
    CallUnclear,
    CarrierBusy,
    DialReply,
    HttpReply,
    HttpRequest,
    Refusal,
)
from relay.providers.forms import FORM_TYPE, encode_form

UUID: Final = re.compile("[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
"""The ids of most carriers' calls; may become part of a URL."""

_NUMBER: Final = re.compile(r"\+[1-9][0-9]{1,14}")  # E.164
_URL: Final = re.compile(r"https?://[!-~]+")  # printable ASCII: no CR, LF or space
_MEDIA_URL: Final = re.compile(r"wss?://[!-~]+")
_CODE: Final = re.compile(r"[0-9]{1,6}")  # shorter than any phone number
_RETRY_AFTER: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")


class RestAccount:
    """Requests with an account's name and password (RFC 7617), which are in no repr."""

    def __init__(self, user: str, password: str) -> None:
        self._authorization = authorization(user, password)

    def get(self, url: str) -> HttpRequest:
        """A request for what is at ``url``."""
        return HttpRequest("GET", url, {"Authorization": self._authorization})

    def post(self, url: str, fields: Iterable[tuple[str, str]]) -> HttpRequest:
        """A form, sent to ``url``."""
        headers = {"Authorization": self._authorization, "Content-Type": FORM_TYPE}
        return HttpRequest("POST", url, headers, encode_form(fields).encode())

    def post_json(self, url: str, values: Mapping[str, Any]) -> HttpRequest:
        """A JSON object, sent to ``url``."""
        headers = {"Authorization": self._authorization, "Content-Type": "application/json"}
        return HttpRequest("POST", url, headers, orjson.dumps(values))

    def delete(self, url: str) -> HttpRequest:
        """A request to end what is at ``url``."""
        return HttpRequest("DELETE", url, {"Authorization": self._authorization})


def check_secrets(carrier: str, secrets: Mapping[str, str]) -> None:
    """
    Let through secrets, by the names of their fields, that are not empty.

    Raises:
        LocalProtocolError: one is.
    """
    for field, secret in secrets.items():
        if not secret:
            raise LocalProtocolError(carrier, field, expected="a secret", got="an empty one")


def bearer_request(method: str, url: str, token: str, body: Mapping[str, Any] | None = None) -> HttpRequest:
    """A request with a bearer token (RFC 6750); ``body`` is sent as JSON, in its order."""
    headers = {"Authorization": f"Bearer {token}"}
    if body is None:
        return HttpRequest(method, url, headers)
    return HttpRequest(method, url, {**headers, "Content-Type": "application/json"}, orjson.dumps(body))


def check_number(carrier: str, field: str, number: str) -> None:
    """
    Let through a phone number in E.164; the error does not show it.

    Raises:
        LocalProtocolError: it is anything else.
    """
    if not _NUMBER.fullmatch(number):
        expected, got = "a phone number in E.164, +14155550100", f"{len(number)} other characters"
        raise LocalProtocolError(carrier, field, expected=expected, got=got)


def check_url(carrier: str, field: str, url: str) -> None:
    """
    Let through an HTTP URL of printable ASCII; the error does not show it, as it may hold a token.

    Raises:
        LocalProtocolError: it is anything else.
    """
    if not _URL.fullmatch(url):
        expected, got = "an http or https URL of printable ASCII", f"{len(url)} other characters"
        raise LocalProtocolError(carrier, field, expected=expected, got=got)


def check_media_url(carrier: str, url: str | None) -> str:
    """
    Let through a WebSocket URL of printable ASCII; the error does not show it, as it holds a token.

    Raises:
        LocalProtocolError: it is anything else, or there is none.
    """
    if url is None or not _MEDIA_URL.fullmatch(url):
        got = "none" if url is None else f"{len(url)} other characters"
        raise LocalProtocolError(carrier, "media_url", expected="a wss or ws URL of printable ASCII", got=got)
    return url


def check_order(carrier: str, order: CallOrder, *, ring_timeout_max_s: int) -> None:
    """
    Let through an order of which every part may go into a request.

    Raises:
        LocalProtocolError: a number is not E.164, a URL not printable ASCII, a duration not positive or too long.
    """
    check_number(carrier, "to", order.to)
    check_number(carrier, "from_number", order.from_number)
    check_url(carrier, "answer_url", order.answer_url)
    check_url(carrier, "status_url", order.status_url)
    if order.detection_url is not None:
        check_url(carrier, "detection_url", order.detection_url)
    if not 1 <= order.ring_timeout_s <= ring_timeout_max_s:
        expected, got = f"1 to {ring_timeout_max_s} s", f"{order.ring_timeout_s} s"
        raise LocalProtocolError(carrier, "ring_timeout_s", expected=expected, got=got)
    if order.max_duration_s < 1:
        raise LocalProtocolError(carrier, "max_duration_s", expected="at least 1 s", got=f"{order.max_duration_s} s")


def detection_timeout_s(order: CallOrder, *, least_s: float, most_s: float) -> float | None:
    """How long detection may take, as near to the order's as a carrier takes it; None: the order leaves it to it."""
    wanted_s = order.detection_timeout_s
    return None if wanted_s is None else min(max(wanted_s, least_s), most_s)


def read_refusal(reply: HttpReply, code: str, *, is_invalid: bool = False, busy: Collection[str] = ()) -> DialReply:
    """
    What an answer to a dial means that is no success. There is surely no call after a 4xx, and only then.

    Args:
        reply: the answer.
        code: the carrier's own in it, or the status; it may be shown, so it is none of its texts, which quote phone
            numbers.
        is_invalid: what is wrong is the number that was dialled.
        busy: the codes of a carrier that may take the same dial later, whatever their status.
    """
    detail = f"HTTP {reply.status}, error {code}"
    if not 400 <= reply.status < 500 or reply.status == 408:  # Request Timeout: who knows what of it was read
        return CallUnclear(detail)
    if reply.status == 429 or code in busy:
        return CarrierBusy(retry_after_s(reply), detail)
    return CallRefused(Refusal.INVALID_NUMBER if is_invalid else Refusal.REJECTED, code, detail)


def reply_object(reply: HttpReply) -> Mapping[str, Any]:
    """The JSON object that the reply is; empty if it is none."""
    try:
        values = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return {}
    return values if isinstance(values, dict) else {}


def short_code(value: object) -> str:
    """A carrier's code as text, from a number or a string of up to six digits; empty for anything else."""
    code = str(value) if type(value) in (int, str) else ""
    return code if _CODE.fullmatch(code) else ""


def retry_after_s(reply: HttpReply) -> float | None:
    """When the reply says it is worth trying again; None if it does not, or names a date."""
    value = reply.headers.get("retry-after", "").strip()
    return float(value) if _RETRY_AFTER.fullmatch(value) else None
