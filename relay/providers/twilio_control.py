"""
Twilio's REST, TwiML and signatures.

Sources: twilio.com/docs/voice/api/call-resource, .../docs/voice/twiml, .../docs/api/errors, and twilio-python 9.13.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal
from xml.etree.ElementTree import Element

from relay.errors import LocalProtocolError, RemoteProtocolError
from relay.providers.call_ages import age_s
from relay.providers.control import (
    CallOrder,
    CallPlaced,
    CallRefused,
    CallReport,
    CallUnclear,
    CarrierBusy,
    DialReply,
    Document,
    HttpReply,
    HttpRequest,
    Refusal,
    Webhook,
)
from relay.providers.fields import shown
from relay.providers.form_signature import Secret, form_of, is_url_signed, is_webhook_signed
from relay.providers.forms import encode_form
from relay.providers.rest import RestAccount, check_order, check_url, reply_object, retry_after_s, short_code
from relay.providers.twilio import TwilioAdapter
from relay.providers.twilio_report import CALL_ID, CALL_ID_TEXT, call_report
from relay.providers.xml_document import add_element, xml_document, xml_text

SAY_MAX_BYTES: Final = 1500
"""Of UTF-8, some 100 s of speech. Twilio takes 4500 characters URL-encoded, three for a byte at worst (error 13521)."""

_ACCOUNT_SID: Final = re.compile("AC[0-9a-f]{32}")
_RING_TIMEOUT_MAX_S: Final = 600
_ALIVE: Final = ("queued", "ringing", "in-progress")  # of the statuses a list can be asked for
_PROGRESS: Final = ("initiated", "ringing", "answered", "completed")  # "completed" stands for every end of a call

_INVALID_NUMBER: Final = frozenset({"21211", "21214", "21217"})  # no phone number; not to be reached; not valid
_BUSY: Final = frozenset({"10004", "20429"})  # too many calls; too many requests
_OVER: Final = frozenset({(404, "20404"), (400, "21220")})  # no such call; not in progress
_NO_KEYS: Final[Mapping[str, str]] = MappingProxyType({})


class TwilioControl:
    """
    One Twilio account, as ``CarrierControl`` promises.

    Args:
        account_sid: ``AC`` and 32 hexadecimal digits.
        auth_token: for REST, and the key of signatures.
        api_url: of the account's region.
        shared_keys: secrets of SharedKeys by their ids, if the account's webhooks are signed with such.

    Raises:
        LocalProtocolError: an argument is none of these.
    """

    name = "twilio"
    opens_stream: Literal["answer", "dial"] = "answer"
    can_say = True

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str,
        api_url: str = "https://api.twilio.com",
        shared_keys: Mapping[str, str] = _NO_KEYS,
    ) -> None:
        if not _ACCOUNT_SID.fullmatch(account_sid):
            expected = "AC and 32 hexadecimal digits in lower case"
            raise LocalProtocolError(self.name, "account_sid", expected=expected, got=shown(account_sid))
        for field, secret in {"auth_token": auth_token, **shared_keys}.items():
            if not secret:
                raise LocalProtocolError(self.name, field, expected="a secret", got="an empty one")
        check_url(self.name, "api_url", api_url)
        self._calls_url = f"{api_url.rstrip('/')}/2010-04-01/Accounts/{account_sid}/Calls"
        self._account = RestAccount(account_sid, auth_token)
        self._secret = Secret(auth_token.encode())
        self._shared = {key_id: Secret(secret.encode(), "sha256") for key_id, secret in shared_keys.items()}

    def dial(self, order: CallOrder) -> HttpRequest:
        """The request that places a call: see ``CarrierControl.dial``."""
        check_order(self.name, order, ring_timeout_max_s=_RING_TIMEOUT_MAX_S)
        fields = [
            ("To", order.to),
            ("From", order.from_number),
            ("Url", order.answer_url),
            ("Method", "POST"),
            ("StatusCallback", order.status_url),
            ("StatusCallbackMethod", "POST"),
            *(("StatusCallbackEvent", event) for event in _PROGRESS),
            ("Timeout", str(order.ring_timeout_s)),
            ("TimeLimit", str(order.max_duration_s)),
        ]
        if order.detection_url is not None:
            fields += [
                ("MachineDetection", "Enable"),
                ("AsyncAmd", "true"),  # else the answer webhook waits for it, and the agent hears nothing meanwhile
                ("AsyncAmdStatusCallback", order.detection_url),
                ("AsyncAmdStatusCallbackMethod", "POST"),
            ]
        return self._account.post(f"{self._calls_url}.json", fields)

    def read_dial(self, reply: HttpReply) -> DialReply:
        """What Twilio answered. There is surely no call after a 4xx, and only then."""
        if 200 <= reply.status < 300:
            call_id = reply_object(reply).get("sid")
            if isinstance(call_id, str) and CALL_ID.fullmatch(call_id):
                return CallPlaced(call_id)
            return CallUnclear(f"HTTP {reply.status} without a call's id")
        code = _code(reply)
        detail = f"HTTP {reply.status}, error {code}"  # not its message, which quotes phone numbers
        if not 400 <= reply.status < 500 or reply.status == 408:  # Request Timeout: who knows what of it was read
            return CallUnclear(detail)
        if reply.status == 429 or code in _BUSY:
            return CarrierBusy(retry_after_s(reply), detail)
        return CallRefused(Refusal.INVALID_NUMBER if code in _INVALID_NUMBER else Refusal.REJECTED, code, detail)

    def hang_up(self, call_id: str) -> HttpRequest:
        """The request that ends a call: ``completed`` does so in every state, ``canceled`` only before the answer."""
        if not CALL_ID.fullmatch(call_id):  # it becomes part of a URL
            raise LocalProtocolError(self.name, "call_id", expected=CALL_ID_TEXT, got=shown(call_id))
        return self._account.post(f"{self._calls_url}/{call_id}.json", [("Status", "completed")])

    def read_hang_up(self, reply: HttpReply) -> bool:
        """Whether the call is over. A 404 without Twilio's code may be a proxy's, and says nothing of the call."""
        return 200 <= reply.status < 300 or (reply.status, _code(reply)) in _OVER

    def find_calls(self, order: CallOrder) -> Sequence[HttpRequest]:
        """The requests for all calls alive between the order's numbers: one a status, as Twilio takes no more."""
        check_order(self.name, order, ring_timeout_max_s=_RING_TIMEOUT_MAX_S)
        numbers = [("To", order.to), ("From", order.from_number)]
        queries = [encode_form([*numbers, ("Status", status), ("PageSize", "50")]) for status in _ALIVE]
        return [self._account.get(f"{self._calls_url}.json?{query}") for query in queries]

    def read_find_calls(
        self,
        reply: HttpReply,
        order: CallOrder,  # noqa: ARG002 - the list was asked for by its numbers
    ) -> Sequence[str] | None:
        """The ids of one list's calls, but for those that were not placed over REST."""
        calls = _listed(reply)
        if calls is None:
            return None
        ids = [call.get("sid", "") for call in calls if call.get("direction", "outbound-api") == "outbound-api"]
        return ids if all(isinstance(each, str) and CALL_ID.fullmatch(each) for each in ids) else None

    def read_ages(self, reply: HttpReply) -> Mapping[str, float]:
        """How old one list's calls are, by their ``date_created``: see ``DatesCalls.read_ages``."""
        ages_s = [(call.get("sid"), age_s(call.get("date_created"), reply)) for call in _listed(reply) or ()]
        return {call_id: age for call_id, age in ages_s if isinstance(call_id, str) and age is not None}

    def verify(self, webhook: Webhook) -> bool:
        """Whether Twilio signed this webhook."""
        secret = self._secret_of(webhook)
        return secret is not None and is_webhook_signed(webhook, _signature(webhook), secret)

    def verify_upgrade(self, webhook: Webhook) -> bool:
        """Whether Twilio signed this WebSocket upgrade."""
        secret = self._secret_of(webhook)
        return secret is not None and is_url_signed(webhook.url, _signature(webhook), secret)

    def read_report(self, webhook: Webhook) -> CallReport:
        """What a verified webhook says: see ``CarrierControl.read_report``."""
        try:
            form = form_of(webhook)
        except ValueError as error:
            raise RemoteProtocolError(self.name, "webhook", expected="a form", got=str(error)) from None
        if form is None:
            raise RemoteProtocolError(self.name, "webhook", expected="a form", got="another type")
        return call_report(form)

    def stream_document(
        self,
        media_url: str,
        *,
        then_url: str | None,
        say: str | None = None,
        call_id: str = "",  # noqa: ARG002 - Twilio's stream says it
    ) -> Document:
        """The TwiML that connects the call to ``media_url``; ``say`` is cut at ``SAY_MAX_BYTES``."""
        response = Element("Response")
        said = xml_text(say or "").encode()[:SAY_MAX_BYTES].decode(errors="ignore")
        if said.strip():  # nothing to say is an error to Twilio, 13520
            add_element(response, "Say", text=said)
        add_element(add_element(response, "Connect"), "Stream", {"url": media_url})
        if then_url is not None:
            add_element(response, "Redirect", {"method": "POST"}, then_url)
        return xml_document(response)

    def hang_up_document(self) -> Document:
        """The TwiML that ends the call."""
        response = Element("Response")
        add_element(response, "Hangup")
        return xml_document(response)

    def media_adapter(self) -> TwilioAdapter:
        """An adapter for one new stream."""
        return TwilioAdapter()

    def _secret_of(self, webhook: Webhook) -> Secret | None:
        """What this webhook should be signed with; None if it names a key that is not ours, or an unknown way."""
        settings = webhook.headers.get("x-twilio-webhooks-signature-settings", "")
        if not settings:
            return self._secret
        said = dict(part.strip().partition("=")[::2] for part in settings.split(","))
        return self._shared.get(said.get("key", "")) if said.get("algorithm") == "HMAC_SHA256" else None


def _listed(reply: HttpReply) -> Sequence[Mapping[str, Any]] | None:
    """The calls of a list; None if it is none."""
    calls = reply_object(reply).get("calls")
    is_list = reply.status == 200 and isinstance(calls, list) and all(isinstance(call, dict) for call in calls)
    return calls if is_list else None


def _signature(webhook: Webhook) -> str:
    return webhook.headers.get("x-twilio-signature", "")


def _code(reply: HttpReply) -> str:
    """Twilio's code, which its older errors and those of RFC 9457 have in the same place; else the status."""
    return short_code(reply_object(reply).get("code")) or str(reply.status)
