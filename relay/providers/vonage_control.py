"""
Vonage's Voice API: REST, NCCO and the signatures of webhooks.

Sources: developer.vonage.com on the Voice API, NCCO, webhooks and signed webhooks; vonage-voice 1.5, vonage-jwt 1.1.
"""

from __future__ import annotations

import hmac
import re
import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

import orjson

from relay.errors import LocalProtocolError
from relay.providers.control import (
    CallCapabilities,
    CallOrder,
    CallPlaced,
    CallReport,
    CallUnclear,
    DialReply,
    Document,
    HttpReply,
    HttpRequest,
    Webhook,
)
from relay.providers.fields import shown
from relay.providers.json_web_token import read_hs256, rsa_key, sign_rs256
from relay.providers.rest import bearer_request, check_media_url, check_order, check_url, read_refusal, reply_object
from relay.providers.stream import check_digits
from relay.providers.url_proof import UrlProofs
from relay.providers.vonage import CALL_ID_HEADER, VonageAdapter
from relay.providers.vonage_report import CALL_ID, CALL_ID_TEXT, call_report
from relay.providers.xml_document import xml_text

SAY_MAX_BYTES: Final = 1500
"""Of UTF-8, some 100 s of speech: Vonage takes 1500 characters."""
WEBHOOK_MAX_AGE_S: Final = 300
"""How far a signature's time may be from ours."""

_TOKEN_LIFETIME_S: Final = 900  # as Vonage's own library makes them
_RING_TIMEOUT_MAX_S: Final = 120
_DURATION_MAX_S: Final = 86_400
_LIST_MAX: Final = 100
_ALIVE: Final = ("started", "ringing", "answered")  # of the statuses a list can be asked for
_AUDIO: Final = "audio/l16;rate=16000"
_APPLICATION_ID: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TOKEN: Final = re.compile("[A-Za-z0-9_-]{16,256}")
_OF_TO: Final = re.compile(r"to(?![^\[.])")  # the field itself, or what is in it
_BEARER: Final = "Bearer "
_PAUSES: Final = str.maketrans({"w": "p", "W": "pp"})
_MARKUP: Final = str.maketrans("<>", "  ")  # a text in <speak> would be SSML


class VonageControl:
    """
    One Vonage application, as ``CarrierControl`` promises.

    Args:
        application_id: a UUID.
        private_key: the application's RSA key, in PEM: signs a token for each request.
        signature_secret: the account's, by which webhooks are signed; not its API secret. Also the key of the proofs in
            URLs.
        now_s: what time it is, in Unix seconds: each token says when it was made.
        api_url: of the application's region.
        stream_auth_token: what Vonage says at each media upgrade; None: one that is made now. Every process that may be
            asked for a stream that another has ordered needs the same.

    Raises:
        LocalProtocolError: an argument is none of these.
    """

    name = "vonage"
    capabilities = CallCapabilities(reopens_stream=False)

    def __init__(
        self,
        *,
        application_id: str,
        private_key: str,
        signature_secret: str,
        now_s: Callable[[], float],
        api_url: str = "https://api.nexmo.com",
        stream_auth_token: str | None = None,
    ) -> None:
        if not _APPLICATION_ID.fullmatch(application_id):
            raise LocalProtocolError(
                self.name, "application_id", expected="a UUID in lower case", got=shown(application_id)
            )
        try:
            self._key = rsa_key(private_key)
        except ValueError:
            expected = "an RSA private key in PEM, without a password"
            raise LocalProtocolError(self.name, "private_key", expected=expected, got="something else") from None
        if not signature_secret:
            raise LocalProtocolError(self.name, "signature_secret", expected="a secret", got="an empty one")
        check_url(self.name, "api_url", api_url)
        token = secrets.token_urlsafe() if stream_auth_token is None else stream_auth_token
        if not _TOKEN.fullmatch(token):
            expected, got = "16 to 256 letters, digits and - _", f"{len(token)} other characters"
            raise LocalProtocolError(self.name, "stream_auth_token", expected=expected, got=got)
        self._application_id = application_id
        self._secret = signature_secret.encode()
        self._proofs = UrlProofs(signature_secret)
        self._now_s = now_s
        self._calls_url = f"{api_url.rstrip('/')}/v1/calls"
        self._authorization = _BEARER + token

    def dial(self, order: CallOrder) -> HttpRequest:
        """The request that places a call: see ``CarrierControl.dial``."""
        check_order(self.name, order, ring_timeout_max_s=_RING_TIMEOUT_MAX_S)
        body: dict[str, object] = {
            "to": [{"type": "phone", "number": _number(order.to)}],
            "from": {"type": "phone", "number": _number(order.from_number)},
            "answer_url": [self._proofs.added(order.answer_url)],
            "answer_method": "POST",  # else a GET, whose query would be signed, in a form that is not documented
            "event_url": [self._proofs.added(order.status_url)],
            "event_method": "POST",
            "ringing_timer": order.ring_timeout_s,
            "length_timer": min(order.max_duration_s, _DURATION_MAX_S),
        }
        if order.detection_url is not None:  # its events come to event_url, as all do
            # Its one duration, beep_timeout, is of how long a machine's beep is waited for, from 45 s on.
            body["advanced_machine_detection"] = {"behavior": "continue", "mode": "detect"}
        return self._request("POST", self._calls_url, body)

    def read_dial(self, reply: HttpReply) -> DialReply:
        """What Vonage answered."""
        if 200 <= reply.status < 300:
            call_id = reply_object(reply).get("uuid")
            if isinstance(call_id, str) and CALL_ID.fullmatch(call_id):
                return CallPlaced(call_id)
            return CallUnclear(f"HTTP {reply.status} without a call's id")
        is_invalid = reply.status == 400 and any(map(_OF_TO.match, _invalid_parameters(reply)))
        return read_refusal(reply, str(reply.status), is_invalid=is_invalid)  # Vonage has no codes of its own

    def hang_up(self, call_id: str) -> HttpRequest:
        """The request that ends a call."""
        if not CALL_ID.fullmatch(call_id):  # it becomes part of a URL
            raise LocalProtocolError(self.name, "call_id", expected=CALL_ID_TEXT, got=shown(call_id))
        return self._request("PUT", f"{self._calls_url}/{call_id}", {"action": "hangup"})

    def read_hang_up(self, reply: HttpReply) -> bool:
        """Whether the call is over. A 404 without Vonage's error may be a proxy's, and says nothing of the call."""
        is_gone = reply.status == 404 and bool({"title", "error_title"} & reply_object(reply).keys())
        return 200 <= reply.status < 300 or is_gone

    def send_dtmf(self, call_id: str, digits: str) -> Sequence[HttpRequest]:
        """The one request for all keys, with Vonage's ``p`` for 0.5 s: see ``SendsDtmf``."""
        if not CALL_ID.fullmatch(call_id):
            raise LocalProtocolError(self.name, "call_id", expected=CALL_ID_TEXT, got=shown(call_id))
        check_digits(self.name, digits, VonageAdapter.capabilities, over="rest")
        return [self._request("PUT", f"{self._calls_url}/{call_id}/dtmf", {"digits": digits.translate(_PAUSES)})]

    def read_dtmf(self, reply: HttpReply) -> bool:
        """Whether Vonage took it."""
        return 200 <= reply.status < 300

    def find_calls(self, order: CallOrder) -> Sequence[HttpRequest]:
        """The requests for all calls alive, the newest first: one a status. Vonage cannot be asked by numbers."""
        check_order(self.name, order, ring_timeout_max_s=_RING_TIMEOUT_MAX_S)
        query = f"page_size={_LIST_MAX}&order=desc"
        return [self._request("GET", f"{self._calls_url}?status={status}&{query}") for status in _ALIVE]

    def read_find_calls(self, reply: HttpReply, order: CallOrder) -> Sequence[str] | None:
        """The ids of those calls that are between the order's numbers, and went out."""
        answer = reply_object(reply)
        embedded, count = answer.get("_embedded"), answer.get("count")
        calls = embedded.get("calls") if isinstance(embedded, dict) else None
        if reply.status != 200 or not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
            return None
        numbers = _number(order.to), _number(order.from_number)
        ids = [
            call.get("uuid")
            for call in calls
            if (_phone(call.get("to")), _phone(call.get("from"))) == numbers
            and call.get("direction", "outbound") == "outbound"
        ]
        if not all(isinstance(each, str) and CALL_ID.fullmatch(each) for each in ids):
            return None
        is_whole = not isinstance(count, int) or count <= len(calls)
        return ids if ids or is_whole else None

    def verify(self, webhook: Webhook) -> bool:
        """Whether Vonage signed this webhook, its body and its time, and was given this URL, which it does not sign."""
        authorization = webhook.headers.get("authorization", "")
        if not authorization.startswith(_BEARER) or self._proofs.proven(webhook.url) is None:
            return False
        claims = read_hs256(authorization.removeprefix(_BEARER), self._secret)
        return claims is not None and self._are_ours(claims, webhook)

    def verify_upgrade(self, webhook: Webhook) -> bool:
        """Whether this WebSocket upgrade has the token that went into the document."""
        given = webhook.headers.get("authorization", "")
        return hmac.compare_digest(given.encode(errors="replace"), self._authorization.encode())

    def read_report(self, webhook: Webhook) -> CallReport:
        """What a verified webhook says: see ``CarrierControl.read_report``."""
        return call_report(webhook.body)

    def stream_document(
        self,
        media_url: str,
        *,
        then_url: str | None,  # noqa: ARG002 - actions behind a connect run at once; without any the call ends with it
        say: str | None = None,
        call_id: str = "",
    ) -> Document:
        """
        The NCCO that connects the call to ``media_url``; ``say`` is cut at ``SAY_MAX_BYTES``.

        ``call_id`` is the phone's, which the stream then names: without it Vonage's would name no call.
        """
        check_media_url(self.name, media_url)
        if not CALL_ID.fullmatch(call_id):
            raise LocalProtocolError(self.name, "call_id", expected=CALL_ID_TEXT, got=shown(call_id))
        said = xml_text(say or "").translate(_MARKUP).encode()[:SAY_MAX_BYTES].decode(errors="ignore")
        actions: list[dict[str, object]] = [{"action": "talk", "text": said}] if said.strip() else []
        endpoint = {
            "type": "websocket",
            "uri": media_url,
            "content-type": _AUDIO,
            "headers": {CALL_ID_HEADER: call_id},
            "authorization": {"type": "custom", "value": self._authorization},
        }
        actions.append({"action": "connect", "endpoint": [endpoint]})
        return Document("application/json", orjson.dumps(actions))

    def hang_up_document(self) -> Document:
        """The NCCO that ends the call: nothing is left to do."""
        return Document("application/json", b"[]")

    def media_adapter(self) -> VonageAdapter:
        """An adapter for one new stream."""
        return VonageAdapter()

    def _request(self, method: str, url: str, body: Mapping[str, Any] | None = None) -> HttpRequest:
        made_s = int(self._now_s())
        claims = {
            "iat": made_s,
            "jti": str(uuid.uuid4()),
            "exp": made_s + _TOKEN_LIFETIME_S,
            "application_id": self._application_id,
        }
        return bearer_request(method, url, sign_rs256(claims, self._key), body)

    def _are_ours(self, claims: Mapping[str, Any], webhook: Webhook) -> bool:
        """Whether a token's claims are of this application, now, and of this body."""
        made_s, until_s, body_hash = _time_s(claims.get("iat")), _time_s(claims.get("exp")), claims.get("payload_hash")
        if made_s is None or abs(webhook.received_s - made_s) > WEBHOOK_MAX_AGE_S:
            return False
        if "exp" in claims and (until_s is None or until_s <= webhook.received_s):
            return False
        if claims.get("application_id", self._application_id) != self._application_id:
            return False
        made = sha256(webhook.body).hexdigest().encode()
        return isinstance(body_hash, str) and hmac.compare_digest(made, body_hash.encode(errors="replace"))


def _time_s(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _number(e164: str) -> str:
    """As Vonage writes it: without the plus sign."""
    return e164.removeprefix("+")


def _phone(endpoint: object) -> object:
    """The number of a call's end, if that is a phone."""
    return endpoint.get("number") if isinstance(endpoint, dict) else None


def _invalid_parameters(reply: HttpReply) -> list[str]:
    """The names of what is wrong with a request, as one error of Vonage's lists them or another maps them."""
    wrong = reply_object(reply).get("invalid_parameters")
    if isinstance(wrong, dict):
        return list(wrong)
    names = [each.get("name") for each in wrong if isinstance(each, dict)] if isinstance(wrong, list) else []
    return [name for name in names if isinstance(name, str)]
