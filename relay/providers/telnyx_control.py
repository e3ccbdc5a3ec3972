"""
Telnyx's Call Control: REST, and the signatures of webhooks and streams.

Sources: developers.telnyx.com on dial, hang-up, active calls, webhook signing, API errors; telnyx-python 4.189.
"""

from __future__ import annotations

import binascii
import hmac
import re
import secrets
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from relay.errors import LocalProtocolError, RemoteProtocolError
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
from relay.providers.rest import (
    bearer_request,
    check_media_url,
    check_order,
    check_url,
    detection_timeout_s,
    read_refusal,
    reply_object,
    short_code,
)
from relay.providers.stream import check_digits
from relay.providers.telnyx import TelnyxAdapter
from relay.providers.telnyx_report import CALL_ID, CALL_ID_TEXT, call_report
from relay.providers.url_proof import UrlProofs

WEBHOOK_MAX_AGE_S: Final = 300
"""How far a signature's time may be from ours, as in Telnyx's own library."""

_RING_TIMEOUT_MIN_S: Final = 5
_RING_TIMEOUT_MAX_S: Final = 600
_DURATION_MAX_S: Final = 14_400  # Telnyx lets no call be longer, and takes no more
_LIST_MAX: Final = 250
_DETECTION_MIN_S, _DETECTION_MAX_S = 1, 30  # no range is documented
_API_KEY: Final = re.compile("[!-~]+")
_CONNECTION_ID: Final = re.compile("[0-9]{1,32}")
_TIMESTAMP: Final = re.compile("[0-9]{1,12}")
_KEY_BYTES: Final = 32
_TOKEN: Final = re.compile("[!-~]{16,4000}")
_TOKEN_HEADER: Final = "x-telnyx-streaming-auth-token"  # noqa: S105 - the name of a header

_INVALID_NUMBER: Final = frozenset({"10002", "10016"})  # invalid; not E.164
_BUSY: Final = frozenset({"10011", "90103"})  # too many requests; too many dials a second
_UNCLEAR: Final = frozenset({"10007", "10008"})  # unexpected error; request timeout, whatever their HTTP status
_ENDED: Final = "90018"
_NOT_FOUND: Final = (404, "10005")


class TelnyxControl:
    """
    One Telnyx account and Call Control application, as ``CarrierControl`` promises.

    Args:
        api_key: for REST, and the key of the proofs in URLs.
        public_key: of webhooks, as the portal shows it: base64 of 32 bytes.
        connection_id: the application's.
        api_url: Telnyx's, or a simulated carrier's.
        wideband: ask for L16 at 16 kHz, both ways, instead of PCMU.
        stream_auth_token: what Telnyx says at each media upgrade; None: one that is made now. Every process that may be
            asked for a stream that another has ordered needs the same.

    Raises:
        LocalProtocolError: an argument is none of these.
    """

    name = "telnyx"
    capabilities = CallCapabilities(opens_stream="dial", tells_ringing=False, reopens_stream=False, can_say=False)

    def __init__(
        self,
        *,
        api_key: str,
        public_key: str,
        connection_id: str,
        api_url: str = "https://api.telnyx.com",
        wideband: bool = False,
        stream_auth_token: str | None = None,
    ) -> None:
        if not _API_KEY.fullmatch(api_key):  # it becomes a header as it is
            expected, got = "printable ASCII without spaces", f"{len(api_key)} other characters"
            raise LocalProtocolError(self.name, "api_key", expected=expected, got=got)
        if not _CONNECTION_ID.fullmatch(connection_id):
            raise LocalProtocolError(self.name, "connection_id", expected="digits", got=shown(connection_id))
        check_url(self.name, "api_url", api_url)
        token = secrets.token_urlsafe() if stream_auth_token is None else stream_auth_token
        if not _TOKEN.fullmatch(token):
            expected, got = "16 to 4000 characters of printable ASCII", f"{len(token)} others"
            raise LocalProtocolError(self.name, "stream_auth_token", expected=expected, got=got)
        self._api_url = f"{api_url.rstrip('/')}/v2"
        self._api_key = api_key
        self._proofs = UrlProofs(api_key)
        self._public_key = _public_key(public_key)
        self._connection_id = connection_id
        self._codec, self._rate_hz = ("L16", 16_000) if wideband else ("PCMU", 8000)
        self._token = token

    def dial(self, order: CallOrder) -> HttpRequest:
        """
        The request that places a call, and says where its stream goes: see ``CarrierControl.dial``.

        A phone rings 5 s at least, and no call is longer than 4 hours, as Telnyx takes nothing else.
        """
        check_order(self.name, order, ring_timeout_max_s=_RING_TIMEOUT_MAX_S)
        media_url = check_media_url(self.name, order.media_url)
        order_id = _order_id(order.status_url)
        body: dict[str, object] = {
            "connection_id": self._connection_id,
            "from": order.from_number,
            "to": order.to,
            "webhook_url": self._proofs.added(order.status_url),
            "webhook_url_method": "POST",
            "client_state": _client_state(order_id),
            "command_id": order_id,  # of the same order twice, Telnyx ignores the second
            "timeout_secs": max(order.ring_timeout_s, _RING_TIMEOUT_MIN_S),
            "time_limit_secs": min(order.max_duration_s, _DURATION_MAX_S),
        }
        if order.detection_url is not None:  # its events come to webhook_url, as all do
            body["answering_machine_detection"] = "premium"
            timeout_s = detection_timeout_s(order, least_s=_DETECTION_MIN_S, most_s=_DETECTION_MAX_S)
            if timeout_s is not None:
                body["answering_machine_detection_config"] = {"total_analysis_time_millis": int(1000 * timeout_s)}
        body |= {
            "stream_url": media_url,
            "stream_track": "inbound_track",
            "stream_codec": self._codec,  # both ways, or what is heard comes in whatever the phone has
            "stream_bidirectional_mode": "rtp",  # else Telnyx takes MP3
            "stream_bidirectional_codec": self._codec,
            "stream_bidirectional_sampling_rate": self._rate_hz,
            "stream_auth_token": self._token,
        }
        return bearer_request("POST", f"{self._api_url}/calls", self._api_key, body)

    def read_dial(self, reply: HttpReply) -> DialReply:
        """What Telnyx answered."""
        if 200 <= reply.status < 300:
            call = reply_object(reply).get("data")
            call_id = call.get("call_control_id") if isinstance(call, dict) else None
            if isinstance(call_id, str) and CALL_ID.fullmatch(call_id):
                return CallPlaced(call_id)
            return CallUnclear(f"HTTP {reply.status} without a call's id")  # such as a command_id that came again
        code = _code(reply)
        if code in _UNCLEAR:
            return CallUnclear(f"HTTP {reply.status}, error {code}")
        is_invalid = code in _INVALID_NUMBER and _pointer(reply) != "/from"
        return read_refusal(reply, code, is_invalid=is_invalid, busy=_BUSY)

    def hang_up(self, call_id: str) -> HttpRequest:
        """The request that ends a call."""
        if not CALL_ID.fullmatch(call_id):  # it becomes part of a URL
            raise LocalProtocolError(self.name, "call_id", expected=CALL_ID_TEXT, got=shown(call_id))
        return bearer_request("POST", f"{self._api_url}/calls/{call_id}/actions/hangup", self._api_key, {})

    def read_hang_up(self, reply: HttpReply) -> bool:
        """Whether the call is over. A 404 without Telnyx's code may be a proxy's, and says nothing of the call."""
        code = _code(reply)
        has_ended = 400 <= reply.status < 500 and code == _ENDED
        return 200 <= reply.status < 300 or has_ended or (reply.status, code) == _NOT_FOUND

    def send_dtmf(self, call_id: str, digits: str) -> Sequence[HttpRequest]:
        """The one request for all keys: see ``SendsDtmf``."""
        if not CALL_ID.fullmatch(call_id):
            raise LocalProtocolError(self.name, "call_id", expected=CALL_ID_TEXT, got=shown(call_id))
        check_digits(self.name, digits, TelnyxAdapter.capabilities, over="rest")
        url = f"{self._api_url}/calls/{call_id}/actions/send_dtmf"
        return [bearer_request("POST", url, self._api_key, {"digits": digits})]

    def read_dtmf(self, reply: HttpReply) -> bool:
        """Whether Telnyx took it."""
        return 200 <= reply.status < 300

    def find_calls(self, order: CallOrder) -> Sequence[HttpRequest]:
        """The request for all calls alive of the application: Telnyx cannot be asked by numbers."""
        check_order(self.name, order, ring_timeout_max_s=_RING_TIMEOUT_MAX_S)
        url = f"{self._api_url}/connections/{self._connection_id}/active_calls?page%5Blimit%5D={_LIST_MAX}"
        return [bearer_request("GET", url, self._api_key)]

    def read_find_calls(self, reply: HttpReply, order: CallOrder) -> Sequence[str] | None:
        """The ids of those calls that this order has made: they have its ``client_state``."""
        answer = reply_object(reply)
        calls, meta = answer.get("data"), answer.get("meta")
        if reply.status != 200 or not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
            return None
        state = _client_state(_order_id(order.status_url))
        ids = [call.get("call_control_id") for call in calls if call.get("client_state") == state]
        if not all(isinstance(each, str) and CALL_ID.fullmatch(each) for each in ids):
            return None
        total = meta.get("total_items") if isinstance(meta, dict) else None
        is_whole = not isinstance(total, int) or total <= len(calls)
        return ids if ids or is_whole else None

    def verify(self, webhook: Webhook) -> bool:
        """Whether Telnyx signed this webhook, its body and its time, and was given this URL, which it does not sign."""
        timestamp = webhook.headers.get("telnyx-timestamp", "")
        signature = _signature(webhook.headers.get("telnyx-signature-ed25519", ""))
        if signature is None or not _TIMESTAMP.fullmatch(timestamp):
            return False
        if self._proofs.proven(webhook.url) is None:
            return False
        if abs(webhook.received_s - int(timestamp)) > WEBHOOK_MAX_AGE_S:
            return False
        try:
            self._public_key.verify(signature, timestamp.encode() + b"|" + webhook.body)
        except InvalidSignature:
            return False
        return True

    def verify_upgrade(self, webhook: Webhook) -> bool:
        """Whether this WebSocket upgrade has the token that went into the dial."""
        given = webhook.headers.get(_TOKEN_HEADER, "")
        return hmac.compare_digest(given.encode(errors="replace"), self._token.encode())

    def read_report(self, webhook: Webhook) -> CallReport:
        """
        What a verified webhook says: see ``CarrierControl.read_report``.

        Telnyx does not sign the URL: an event is of the order whose ``client_state`` it has, and of no other.
        """
        report, state = call_report(webhook.body)
        status_url = self._proofs.proven(webhook.url)
        if status_url is None or state != _client_state(_order_id(status_url)):
            got = "none" if state is None else "another"
            raise RemoteProtocolError(self.name, "client_state", expected="this URL's order", got=got)
        return report

    def stream_document(
        self,
        media_url: str,  # noqa: ARG002 - it was in the dial
        *,
        then_url: str | None,  # noqa: ARG002 - see above
        say: str | None = None,  # noqa: ARG002 - see above
        call_id: str = "",  # noqa: ARG002 - see above
    ) -> Document:
        """There is none: see ``opens_stream``."""
        raise self._no_document()

    def hang_up_document(self) -> Document:
        """There is none: see ``opens_stream``."""
        raise self._no_document()

    def media_adapter(self) -> TelnyxAdapter:
        """An adapter for one new stream."""
        return TelnyxAdapter()

    def _no_document(self) -> LocalProtocolError:
        return LocalProtocolError(self.name, "document", expected="commands over REST", got="a document asked for")


def _order_id(status_url: str) -> str:
    """The same for the same order, as each has a status URL of its own."""
    return sha256(status_url.encode()).hexdigest()


def _client_state(order_id: str) -> str:
    return b64encode(order_id.encode()).decode()


def _public_key(text: str) -> Ed25519PublicKey:
    try:
        key = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:  # binascii.Error is one; so is text that is not ASCII
        key = b""
    if len(key) != _KEY_BYTES:
        expected, got = f"base64 of {_KEY_BYTES} bytes", f"{len(text)} other characters"
        raise LocalProtocolError("telnyx", "public_key", expected=expected, got=got)
    return Ed25519PublicKey.from_public_bytes(key)


def _signature(text: str) -> bytes | None:
    """There is one way to write it: base64 whose last character has bits to spare is refused if they are used."""
    try:
        signature = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return None
    return signature if b64encode(signature).decode() == text else None


def _error(reply: HttpReply) -> Mapping[str, Any]:
    errors = reply_object(reply).get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    return first if isinstance(first, dict) else {}


def _code(reply: HttpReply) -> str:
    """Telnyx's code of the first error; else the status."""
    return short_code(_error(reply).get("code")) or str(reply.status)


def _pointer(reply: HttpReply) -> object:
    """Which field of the request is wrong, where the error says so."""
    source = _error(reply).get("source")
    return source.get("pointer") if isinstance(source, dict) else None
