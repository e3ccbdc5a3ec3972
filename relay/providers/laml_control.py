"""
The control side of Twilio's dialect, as Twilio speaks it and SignalWire took it over (LaML, Compatibility API).

REST with forms, reports and documents are here; who signs with what, and what a stream is told, differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final
from xml.etree.ElementTree import Element

from relay.errors import LocalProtocolError
from relay.providers.call_ages import age_s
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
from relay.providers.forms import encode_form
from relay.providers.laml_report import LamlDialect, laml_report
from relay.providers.rest import RestAccount, check_order, detection_timeout_s, read_refusal, reply_object, short_code
from relay.providers.xml_document import add_element, hang_up_document, spoken_text, xml_document

_RING_TIMEOUT_MAX_S: Final = 600
_ALIVE: Final = ("queued", "ringing", "in-progress")  # of the statuses a list can be asked for
_PROGRESS: Final = ("initiated", "ringing", "answered", "completed")  # "completed" stands for every end of a call

_INVALID_NUMBER: Final = frozenset({"21211", "21214", "21217"})  # no phone number; not to be reached; not valid
_BUSY: Final = frozenset({"10004", "20429"})  # too many calls; too many requests


class LamlControl:
    """
    What a ``CarrierControl`` of this dialect has in common.

    Args:
        account: for REST.
        calls_url: of the account's calls, without ``.json``.
    """

    dialect: ClassVar[LamlDialect]
    over: ClassVar[frozenset[tuple[int, str]]] = frozenset({(404, "20404"), (400, "21220")})
    """Status and code of the answers to a hang-up that say that the call is over: no such call; not in progress."""

    detection_range_s: ClassVar[tuple[int, int]] = (3, 59)
    """What ``MachineDetectionTimeout`` may be."""

    capabilities = CallCapabilities()

    def __init__(self, account: RestAccount, calls_url: str) -> None:
        self._account = account
        self._calls_url = calls_url

    def dial(self, order: CallOrder) -> HttpRequest:
        """The request that places a call: see ``CarrierControl.dial``."""
        check_order(self.dialect.carrier, order, ring_timeout_max_s=_RING_TIMEOUT_MAX_S)
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
            least_s, most_s = self.detection_range_s
            timeout_s = detection_timeout_s(order, least_s=least_s, most_s=most_s)
            fields += [("MachineDetectionTimeout", str(int(timeout_s)))] if timeout_s is not None else []
        return self._account.post(f"{self._calls_url}.json", fields)

    def read_dial(self, reply: HttpReply) -> DialReply:
        """What the carrier answered."""
        if 200 <= reply.status < 300:
            call_id = reply_object(reply).get("sid")
            if isinstance(call_id, str) and self.dialect.call_id.fullmatch(call_id):
                return CallPlaced(call_id)
            return CallUnclear(f"HTTP {reply.status} without a call's id")
        code = self._code(reply)
        return read_refusal(reply, code, is_invalid=code in _INVALID_NUMBER, busy=_BUSY)

    def hang_up(self, call_id: str) -> HttpRequest:
        """The request that ends a call: ``completed`` does so in every state, ``canceled`` only before the answer."""
        if not self.dialect.call_id.fullmatch(call_id):  # it becomes part of a URL
            expected = self.dialect.call_id_text
            raise LocalProtocolError(self.dialect.carrier, "call_id", expected=expected, got=shown(call_id))
        return self._account.post(f"{self._calls_url}/{call_id}.json", [("Status", "completed")])

    def read_hang_up(self, reply: HttpReply) -> bool:
        """Whether the call is over. A 404 without the carrier's code may be a proxy's, and says nothing of the call."""
        return 200 <= reply.status < 300 or (reply.status, self._code(reply)) in self.over

    def find_calls(self, order: CallOrder) -> Sequence[HttpRequest]:
        """The requests for all calls alive between the order's numbers: one a status, as a list takes no more."""
        check_order(self.dialect.carrier, order, ring_timeout_max_s=_RING_TIMEOUT_MAX_S)
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
        return ids if all(isinstance(each, str) and self.dialect.call_id.fullmatch(each) for each in ids) else None

    def read_ages(self, reply: HttpReply) -> Mapping[str, float]:
        """How old one list's calls are, by their ``date_created``: see ``DatesCalls.read_ages``."""
        ages_s = [(call.get("sid"), age_s(call.get("date_created"), reply)) for call in _listed(reply) or ()]
        return {call_id: age for call_id, age in ages_s if isinstance(call_id, str) and age is not None}

    def read_report(self, webhook: Webhook) -> CallReport:
        """What a verified webhook says: see ``CarrierControl.read_report``."""
        return laml_report(self.dialect, read_form(self.dialect.carrier, webhook))

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
            add_element(response, "Say", text=said)
        add_element(add_element(response, "Connect"), "Stream", {"url": media_url, **self._stream_attributes()})
        if then_url is not None:
            add_element(response, "Redirect", {"method": "POST"}, then_url)
        return xml_document(response)

    def hang_up_document(self) -> Document:
        """The XML that ends the call."""
        return hang_up_document()

    def _stream_attributes(self) -> Mapping[str, str]:
        """Of ``<Stream>``, besides its URL."""
        return {}

    def _code(self, reply: HttpReply) -> str:
        """Twilio's code, which its older errors and those of RFC 9457 have in the same place; else the status."""
        return short_code(reply_object(reply).get("code")) or str(reply.status)


def _listed(reply: HttpReply) -> Sequence[Mapping[str, Any]] | None:
    """The calls of a list; None if it is none."""
    calls = reply_object(reply).get("calls")
    is_list = reply.status == 200 and isinstance(calls, list) and all(isinstance(call, dict) for call in calls)
    return calls if is_list else None
