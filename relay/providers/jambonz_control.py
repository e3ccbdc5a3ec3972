"""
jambonz's REST, verbs and hooks.

Sources: docs.jambonz.org/reference, lib/routes/api/accounts.js of jambonz-api-server, lib/http-routes/api and lib/tasks
of jambonz-feature-server 0.9. What is unconfirmed is listed in docs/carriers.md.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from relay._codec import RATES_HZ
from relay.errors import LocalProtocolError
from relay.providers.basic_auth import BasicCredentials
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
from relay.providers.forms import encode_form
from relay.providers.jambonz import JambonzAdapter
from relay.providers.jambonz_report import ALIVE, CALL_ID, CALL_ID_TEXT, ENDS, call_report
from relay.providers.rest import (
    bearer_request,
    check_order,
    check_secrets,
    check_url,
    detection_timeout_s,
    read_refusal,
    reply_object,
)
from relay.providers.stream import check_digits
from relay.providers.url_proof import UrlProofs
from relay.providers.xml_document import xml_text

SIGNATURE_MAX_AGE_S: Final = 300
SAY_MAX_BYTES: Final = 1500
"""Of UTF-8, some 100 s of speech; as of Twilio."""

_UUID: Final = CALL_ID
_API_KEY: Final = re.compile("[!-~]+")
_SIGNED_AT: Final = re.compile("[0-9]{1,12}")
_RING_TIMEOUT_MAX_S: Final = 600
_STREAM_USER: Final = "relay"
_NO_SPEECH_S, _DECISION_S = 5, 15  # jambonz' own
_BUSY: Final = frozenset({"480"})  # no feature server, by SIP's "Temporarily Unavailable": nothing has been tried
_NO_CALL: Final = b"Not Found"  # as Express says it; the 404 of a proxy, or of a wrong base_url, is a page


class JambonzControl:
    """
    One jambonz account, as ``CarrierControl`` and ``HangsUpInSteps`` promise.

    Args:
        base_url: of its API, without ``/v1``: ``https://jambonz.cloud/api``.
        account_sid: a UUID.
        api_key: for REST.
        webhook_secret: the key of signatures, and of the proofs in URLs.
        sample_rate_hz: of the stream, both ways: 8000, 16000, 24000 or 48000. If it is not the call's own, marks may be
            lost.
        speech_vendor, speech_language, speech_voice: who speaks and, for detection, listens: of the credentials for
            speech that the account has. jambonz wants to be told, even if nothing is said.
        stream_password: for the upgrade of media; None: one that is made for this process.

    Raises:
        LocalProtocolError: an argument is none of these.
    """

    name = "jambonz"
    capabilities = CallCapabilities()

    def __init__(
        self,
        *,
        base_url: str,
        account_sid: str,
        api_key: str,
        webhook_secret: str,
        sample_rate_hz: int = 8000,
        speech_vendor: str = "google",
        speech_language: str = "en-US",
        speech_voice: str = "en-US-Standard-C",
        stream_password: str | None = None,
    ) -> None:
        check_url(self.name, "base_url", base_url)
        if not _UUID.fullmatch(account_sid):
            raise LocalProtocolError(self.name, "account_sid", expected=CALL_ID_TEXT, got=shown(account_sid))
        if not _API_KEY.fullmatch(api_key):
            expected, got = "printable ASCII without spaces", f"{len(api_key)} other characters"
            raise LocalProtocolError(self.name, "api_key", expected=expected, got=got)
        check_secrets(self.name, {"webhook_secret": webhook_secret})
        if sample_rate_hz not in RATES_HZ:
            expected = " or ".join(map(str, RATES_HZ))
            raise LocalProtocolError(self.name, "sample_rate_hz", expected=expected, got=str(sample_rate_hz))
        self._calls_url = f"{base_url.rstrip('/')}/v1/Accounts/{account_sid}/Calls"
        self._api_key = api_key
        self._secret = webhook_secret.encode()
        self._proofs = UrlProofs(webhook_secret)
        self._sample_rate_hz = sample_rate_hz
        self._speech = {
            "speech_synthesis_vendor": speech_vendor,
            "speech_synthesis_language": speech_language,
            "speech_synthesis_voice": speech_voice,
            "speech_recognizer_vendor": speech_vendor,
            "speech_recognizer_language": speech_language,
        }
        self._credentials = BasicCredentials(_STREAM_USER, stream_password)

    def dial(self, order: CallOrder) -> HttpRequest:
        """The request that places a call: see ``CarrierControl.dial``."""
        check_order(self.name, order, ring_timeout_max_s=_RING_TIMEOUT_MAX_S)
        body: dict[str, Any] = {
            "from": order.from_number,
            "to": {"type": "phone", "number": order.to},
            "call_hook": {"url": self._proofs.added(order.answer_url), "method": "POST"},
            "call_status_hook": {"url": self._proofs.added(order.status_url), "method": "POST"},
            "timeout": order.ring_timeout_s,
            "timeLimit": order.max_duration_s,
            **self._speech,  # with an application_sid instead, that application's hooks would take the place of ours
        }
        if order.detection_url is not None:
            body["amd"] = {"actionHook": self._proofs.added(order.detection_url), **_detection_timers(order)}
        return self._send("POST", self._calls_url, body)

    def read_dial(self, reply: HttpReply) -> DialReply:
        """What jambonz answered. There is surely no call after a 4xx, and only then."""
        if 200 <= reply.status < 300:
            call_id = reply_object(reply).get("sid")
            if isinstance(call_id, str) and CALL_ID.fullmatch(call_id):
                return CallPlaced(call_id)
            return CallUnclear(f"HTTP {reply.status} without a call's id")
        return read_refusal(reply, str(reply.status), busy=_BUSY)  # it has no codes of its own

    def hang_up(self, call_id: str) -> HttpRequest:
        """The request that ends a call that was answered. A DELETE would end nothing: it forgets the call."""
        return self._send("PUT", self._call_url(call_id), {"call_status": "completed"})

    def hang_up_steps(self, call_id: str) -> Sequence[HttpRequest]:
        """What ends a call that was not answered yet, and what says whether the call is over."""
        url = self._call_url(call_id)
        return [self._send("PUT", url, {"call_status": "no-answer"}), self._get(url)]

    def read_hang_up(self, reply: HttpReply) -> bool:
        """Whether the call is over. jambonz answers 500 if it is in no state for what is asked, or over already."""
        if reply.status == 200:
            return str(reply_object(reply).get("call_status")) in ENDS
        return reply.status in (202, 204) or (reply.status == 404 and reply.body.strip() == _NO_CALL)

    def send_dtmf(self, call_id: str, digits: str) -> Sequence[HttpRequest]:
        """A request for each key, as jambonz takes one at a time: see ``SendsDtmf``."""
        url = self._call_url(call_id)
        check_digits(self.name, digits, JambonzAdapter.capabilities, over="rest")
        return [self._send("PUT", url, {"dtmf": {"digit": digit}}) for digit in digits]

    def read_dtmf(self, reply: HttpReply) -> bool:
        """Whether jambonz took it."""
        return 200 <= reply.status < 300

    def find_calls(self, order: CallOrder) -> Sequence[HttpRequest]:
        """The request for all calls from and to the order's numbers; those that are over stay in it for an hour."""
        check_order(self.name, order, ring_timeout_max_s=_RING_TIMEOUT_MAX_S)
        query = encode_form([("direction", "outbound"), ("from", order.from_number), ("to", order.to)])
        return [self._get(f"{self._calls_url}?{query}")]

    def read_find_calls(self, reply: HttpReply, order: CallOrder) -> Sequence[str] | None:
        """The ids of the list's calls that go on; older releases list every call of the account, whoever it is to."""
        try:
            calls = orjson.loads(reply.body)
        except orjson.JSONDecodeError:
            return None
        if reply.status != 200 or not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
            return None
        ids = [call.get("call_sid", "") for call in calls if _may_be(call, order)]
        return ids if all(isinstance(each, str) and CALL_ID.fullmatch(each) for each in ids) else None

    def verify(self, webhook: Webhook) -> bool:
        """
        Whether jambonz signed this body, at most ``SIGNATURE_MAX_AGE_S`` before it came, or after it by a wrong clock,
        and was given this URL, which it does not sign.

        Several signatures may be there, while a secret is being replaced.
        """
        if self._proofs.proven(webhook.url) is None:
            return False
        parts = [part.strip().partition("=")[::2] for part in webhook.headers.get("jambonz-signature", "").split(",")]
        times = [value for name, value in parts if name == "t"]
        if len(times) != 1 or not _SIGNED_AT.fullmatch(times[0]):
            return False
        made = hmac.digest(self._secret, f"{times[0]}.".encode() + webhook.body, "sha256").hex().encode()
        given = [value.encode(errors="replace") for name, value in parts if name == "v1"]
        is_signed = any(hmac.compare_digest(made, each) for each in given)
        return is_signed and abs(webhook.received_s - int(times[0])) <= SIGNATURE_MAX_AGE_S

    def verify_upgrade(self, webhook: Webhook) -> bool:
        """Whether this upgrade shows the credentials of the stream verb."""
        return self._credentials.are_in(webhook)

    def read_report(self, webhook: Webhook) -> CallReport:
        """What a verified hook says: see ``CarrierControl.read_report``."""
        return call_report(webhook)

    def stream_document(
        self,
        media_url: str,
        *,
        then_url: str | None,
        say: str | None = None,
        call_id: str = "",  # noqa: ARG002 - its stream names its call
    ) -> Document:
        """The verbs that stream the call to ``media_url``; ``say`` is cut at ``SAY_MAX_BYTES``."""
        verbs: list[dict[str, Any]] = []
        # A text that begins with "<speak>" is SSML, which may play files.
        said = xml_text(say or "").replace("<", " ").encode()[:SAY_MAX_BYTES].decode(errors="ignore")
        if said.strip():
            verbs.append({"verb": "say", "text": said})
        verbs.append(
            {
                "verb": "stream",
                "url": xml_text(media_url),
                "sampleRate": self._sample_rate_hz,
                "mixType": "mono",
                "passDtmf": True,
                # The same rate: the stream's first message tells only the other.
                "bidirectionalAudio": {"enabled": True, "streaming": True, "sampleRate": self._sample_rate_hz},
                "wsAuth": {"username": self._credentials.user, "password": self._credentials.password},
            }
        )
        if then_url is not None:  # as a verb, and not as actionHook, which is called after the end of the call too
            verbs.append({"verb": "redirect", "actionHook": self._proofs.added(xml_text(then_url))})
        return _document(verbs)

    def hang_up_document(self) -> Document:
        """The verbs that end the call."""
        return _document([{"verb": "hangup"}])

    def media_adapter(self) -> JambonzAdapter:
        """An adapter for one new stream."""
        return JambonzAdapter()

    def _call_url(self, call_id: str) -> str:
        if not CALL_ID.fullmatch(call_id):
            raise LocalProtocolError(self.name, "call_id", expected=CALL_ID_TEXT, got=shown(call_id))
        return f"{self._calls_url}/{call_id}"

    def _get(self, url: str) -> HttpRequest:
        return bearer_request("GET", url, self._api_key)

    def _send(self, method: str, url: str, body: Mapping[str, Any]) -> HttpRequest:
        return bearer_request(method, url, self._api_key, body)


def _detection_timers(order: CallOrder) -> Mapping[str, Any]:
    """How long nothing may be heard, and how long nobody be told from what is: never longer than jambonz' own."""
    timeout_s = detection_timeout_s(order, least_s=1, most_s=_DECISION_S)
    if timeout_s is None:
        return {}
    no_speech_s = min(timeout_s, _NO_SPEECH_S)
    return {"timers": {"noSpeechTimeoutMs": int(1000 * no_speech_s), "decisionTimeoutMs": int(1000 * timeout_s)}}


def _may_be(call: Mapping[str, Any], order: CallOrder) -> bool:
    """Whether a call of a list goes on, and is between the order's numbers, with the plus or without."""
    asked = {"from": order.from_number, "to": order.to, "direction": "outbound"}
    is_like = all(str(call.get(name, value)).lstrip("+") == value.lstrip("+") for name, value in asked.items())
    return is_like and str(call.get("call_status")) in ALIVE


def _document(verbs: Sequence[Any]) -> Document:
    return Document("application/json", orjson.dumps(verbs))
