"""
Plivo's REST and XML.

Sources: plivo.com/docs/voice/api/calls, /docs/voice/xml and /docs/voice/concepts/callbacks, and plivo-python 4.63.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final
from xml.etree.ElementTree import Element

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
from relay.providers.form_signature import read_form
from relay.providers.plivo import PlivoAdapter
from relay.providers.plivo_report import REQUEST, call_report
from relay.providers.plivo_signature import has_signature, is_request_signed, signed_upgrade_form
from relay.providers.rest import (
    UUID,
    RestAccount,
    check_order,
    check_secrets,
    check_url,
    detection_timeout_s,
    read_refusal,
    reply_object,
)
from relay.providers.upgrade_verdict import UpgradeVerdict
from relay.providers.xml_document import add_element, hang_up_document, spoken_text, xml_document

_AUTH_ID: Final = re.compile("[MS]A[A-Z0-9]{18}")
_RING_TIMEOUT_MAX_S: Final = 600  # Plivo names no longest; its own default is 120
_DETECTION_MIN_S, _DETECTION_MAX_S = 2, 10
_STREAM: Final = {
    "bidirectional": "true",
    "keepCallAlive": "true",  # else what follows runs at once, beside the stream
}
_WIDE, _NARROW = "audio/x-l16;rate=16000", "audio/x-mulaw;rate=8000"


class PlivoControl:
    """
    One Plivo account or subaccount, as ``CarrierControl`` promises.

    A call has two ids: that of the request, in the answer to the dial, and its own, in its events. The first is written
    ``request:UUID`` here.

    Args:
        auth_id: ``MA`` or ``SA`` and 18 capital letters or digits.
        auth_token: for REST, and the key of signatures.
        api_url: of the API.
        wideband: ask for L16 at 16 kHz, both ways, instead of PCMU.

    Raises:
        LocalProtocolError: an argument is none of these.
    """

    name = "plivo"
    capabilities = CallCapabilities()

    def __init__(
        self, *, auth_id: str, auth_token: str, api_url: str = "https://api.plivo.com", wideband: bool = False
    ) -> None:
        if not _AUTH_ID.fullmatch(auth_id):
            expected = "MA or SA and 18 capital letters or digits"
            raise LocalProtocolError(self.name, "auth_id", expected=expected, got=shown(auth_id))
        check_secrets(self.name, {"auth_token": auth_token})
        check_url(self.name, "api_url", api_url)
        self._account_url = f"{api_url.rstrip('/')}/v1/Account/{auth_id}"
        self._account = RestAccount(auth_id, auth_token)
        self._key = auth_token.encode()
        # Always said: Plivo's pages disagree on the default.
        self._stream = {**_STREAM, "contentType": _WIDE if wideband else _NARROW}

    def dial(self, order: CallOrder) -> HttpRequest:
        """The request that places a call; ringing and the end are told to one URL, the answer asks for its document."""
        check_order(self.name, order, ring_timeout_max_s=_RING_TIMEOUT_MAX_S)
        values: dict[str, Any] = {
            "from": order.from_number.removeprefix("+"),
            "to": order.to.removeprefix("+"),
            "answer_url": order.answer_url,
            "answer_method": "POST",
            "ring_url": order.status_url,
            "ring_method": "POST",
            "hangup_url": order.status_url,
            "hangup_method": "POST",
            "ring_timeout": order.ring_timeout_s,
            "time_limit": order.max_duration_s,
        }
        if order.detection_url is not None:
            values |= {
                "machine_detection": "true",
                "machine_detection_url": order.detection_url,  # without it the answer webhook waits
                "machine_detection_method": "POST",
            }
            timeout_s = detection_timeout_s(order, least_s=_DETECTION_MIN_S, most_s=_DETECTION_MAX_S)
            values |= {"machine_detection_time": int(1000 * timeout_s)} if timeout_s is not None else {}
        return self._account.post_json(f"{self._account_url}/Call/", values)

    def read_dial(self, reply: HttpReply) -> DialReply:
        """What Plivo answered. Its errors have no codes; that a number is none is told by the hangup of its call."""
        if 200 <= reply.status < 300:
            request_id = reply_object(reply).get("request_uuid")
            if isinstance(request_id, str) and UUID.fullmatch(request_id):
                return CallPlaced(f"{REQUEST}{request_id}")
            return CallUnclear(f"HTTP {reply.status} without a request's id")
        return read_refusal(reply, str(reply.status))

    def hang_up(self, call_id: str) -> HttpRequest:
        """The request that ends a call, or one that has not got an id of its own yet."""
        own_id = call_id.removeprefix(REQUEST)
        if not UUID.fullmatch(own_id):  # it becomes part of a URL
            expected = "a UUID, or request: and a UUID"
            raise LocalProtocolError(self.name, "call_id", expected=expected, got=shown(call_id))
        kind = "Call" if own_id == call_id else "Request"
        return self._account.delete(f"{self._account_url}/{kind}/{own_id}/")

    def read_hang_up(self, reply: HttpReply) -> bool:
        """Whether a call is over: ended, or not there. A 404 that is not in Plivo's form may be a proxy's."""
        is_plivos = not reply_object(reply).keys().isdisjoint(("api_id", "error"))
        return 200 <= reply.status < 300 or (reply.status == 404 and is_plivos)

    def read_hang_up_of(self, call_id: str, reply: HttpReply) -> bool | None:
        """As ``read_hang_up``; None of a request that is not there: it may be a call, until an event says more."""
        is_over = self.read_hang_up(reply)
        return None if is_over and call_id.startswith(REQUEST) and reply.status == 404 else is_over

    def hang_up_steps(self, call_id: str) -> Sequence[HttpRequest]:
        """
        Of a request that is not there: the one that ends the call it has become, should that have the request's UUID.

        See ``HangsUpInSteps``.
        """
        return [self.hang_up(call_id.removeprefix(REQUEST))] if call_id.startswith(REQUEST) else []

    def find_calls(self, order: CallOrder) -> Sequence[HttpRequest]:  # noqa: ARG002 - a list has nothing of an order
        """None: Plivo lists the ids of all calls of an account, which may have other programs' calls besides."""
        return ()

    def read_find_calls(self, reply: HttpReply, order: CallOrder) -> Sequence[str] | None:  # noqa: ARG002 - there is none
        """None."""
        return None

    def verify(self, webhook: Webhook) -> bool:
        """Whether Plivo signed this webhook."""
        return is_request_signed(webhook, self._key)

    def verify_upgrade(self, webhook: Webhook) -> bool:
        """Whether Plivo signed this WebSocket upgrade."""
        return self.judge_upgrade(webhook).is_true

    def judge_upgrade(self, webhook: Webhook) -> UpgradeVerdict:
        """As ``JudgesUpgrades``: which form of the URL Plivo signed is not documented, nor that it always does."""
        form = signed_upgrade_form(webhook, self._key)
        if form is not None:
            return UpgradeVerdict(is_true=True, how=f"signed as {form}")
        return UpgradeVerdict(is_true=False, how=f"signature {'wrong' if has_signature(webhook) else 'missing'}")

    def read_report(self, webhook: Webhook) -> CallReport:
        """What a verified webhook says: see ``CarrierControl.read_report``."""
        return call_report(read_form(self.name, webhook))

    def stream_document(
        self,
        media_url: str,
        *,
        then_url: str | None,
        say: str | None = None,
        call_id: str = "",  # noqa: ARG002 - its stream names its call
    ) -> Document:
        """The XML that connects the call to ``media_url``; ``say`` is cut at ``SAY_MAX_BYTES``."""
        response = Element("Response")
        if said := spoken_text(say):
            add_element(response, "Speak", text=said)
        add_element(response, "Stream", self._stream, media_url)
        if then_url is not None:
            add_element(response, "Redirect", {"method": "POST"}, then_url)
        return xml_document(response)

    def hang_up_document(self) -> Document:
        """The XML that ends the call."""
        return hang_up_document()

    def media_adapter(self) -> PlivoAdapter:
        """An adapter for one new stream."""
        return PlivoAdapter()
