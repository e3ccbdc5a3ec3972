"""Control sides that break one promise each, and the check that finds out."""

import hmac
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from relay.conformance import ControlCase
from relay.errors import RemoteProtocolError
from relay.providers.control import (
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
from tests.conformance.made_up import ACME_CONTROL, AcmeControl

BROKEN_CONTROLS: dict[str, ControlCase] = {}
SIGNATURE = "acme-signature"


def found_by(*checks: str, **changes: Any) -> Callable[[type[Any]], type[Any]]:
    """Put the control in the case's place."""

    def take(control: type[Any]) -> type[Any]:
        def made() -> Any:
            return control(api_key="key-of-rest", secret=ACME_CONTROL.secrets[1])

        BROKEN_CONTROLS.update({check: replace(ACME_CONTROL, new_control=made, **changes) for check in checks})
        return control

    return take


@found_by("webhooks_are_verified_and_read")
class CountsReports(AcmeControl):
    """The same report is another each time."""

    count = 0

    def read_report(self, webhook: Webhook) -> CallReport:
        self.count += 1
        return replace(super().read_report(webhook), event_id=str(self.count))


@found_by("upgrade_is_verified")
class OpensOnce(AcmeControl):
    is_open = False

    def verify_upgrade(self, webhook: Webhook) -> bool:
        was_open, self.is_open = self.is_open, True
        return not was_open and super().verify_upgrade(webhook)


@found_by("thousand_changes_of_what_is_covered_are_refused", "what_was_sent_elsewhere_is_refused")
class LooksAtTheEndOfTheUrlOnly(AcmeControl):
    """As a carrier that does not sign it: R1's hole."""

    def verify(self, webhook: Webhook) -> bool:
        urls = [signed.url for signed, _ in ACME_CONTROL.webhooks.values()]
        return super().verify(webhook) or any(super(type(self), self).verify(replace(webhook, url=url)) for url in urls)


@found_by("every_part_of_a_signature_has_to_be_there")
class TakesWhatIsNotSigned(AcmeControl):
    def verify(self, webhook: Webhook) -> bool:
        return SIGNATURE not in webhook.headers or super().verify(webhook)


@found_by("webhook_is_good_for_its_time")
class KnowsNoTime(AcmeControl):
    def verify(self, webhook: Webhook) -> bool:
        at = webhook.headers.get(SIGNATURE, "").partition("/")[0]
        return super().verify(replace(webhook, received_s=float(at) if at.isdecimal() else 0.0))


@found_by("what_is_signed_for_one_thing_is_good_for_no_other")
class OpensForAnyWebhook(AcmeControl):
    def verify_upgrade(self, webhook: Webhook) -> bool:
        given = webhook.headers.get(SIGNATURE, "")
        known = [signed.headers[SIGNATURE] for signed, _ in ACME_CONTROL.webhooks.values()]
        return super().verify_upgrade(webhook) or any(hmac.compare_digest(given, each) for each in known)


_OTHER = replace(ACME_CONTROL.webhooks["ended"][0], url="https://relay.example.com/carriers/acme/tr_2/status")


@found_by("recorded_forgeries_are_refused", forged={"another transfer's": _OTHER})
class TakesAnothers(AcmeControl):
    def verify(self, webhook: Webhook) -> bool:
        return webhook.url == _OTHER.url or super().verify(webhook)


@found_by("any_changed_webhook_is_read_or_refused")
class QuotesBodies(AcmeControl):
    def read_report(self, webhook: Webhook) -> CallReport:
        try:
            return super().read_report(webhook)
        except RemoteProtocolError as error:
            got = webhook.body.decode(errors="replace")
            raise RemoteProtocolError(self.name, "webhook", expected="a report", got=got) from error


@found_by("any_request_is_taken_or_refused")
class TakesAnyGet(AcmeControl):
    def verify_upgrade(self, webhook: Webhook) -> bool:
        return webhook.method == "GET" or super().verify_upgrade(webhook)


@found_by("control_says_who_it_is")
class ShowsItsKey(AcmeControl):
    def __init__(self, *, api_key: str, secret: str) -> None:
        super().__init__(api_key=api_key, secret=secret)
        self.shown = api_key

    def __repr__(self) -> str:
        return f"AcmeControl({self.shown})"


@found_by("dial_can_be_sent_and_is_what_was_ordered")
class DialsInTheClear(AcmeControl):
    def dial(self, order: CallOrder) -> HttpRequest:
        request = super().dial(order)
        return replace(request, url=request.url.replace("https", "http"))


@found_by("order_that_may_not_go_into_a_request_is_refused")
class DialsAnything(AcmeControl):
    def dial(self, order: CallOrder) -> HttpRequest:
        return super().dial(replace(order, to="+14155550123"))


@found_by("hang_up_can_be_sent_of_the_carriers_own_calls_only")
class HangsUpAnything(AcmeControl):
    def hang_up(self, call_id: str) -> HttpRequest:
        request = super().hang_up("c-1")
        return replace(request, url=request.url.replace("c-1", call_id))


@found_by("dial_answers_mean_what_they_should")
class QuotesAnswers(AcmeControl):
    def read_dial(self, reply: HttpReply) -> DialReply:
        meaning = super().read_dial(reply)
        return replace(meaning, detail=reply.body.decode()) if isinstance(meaning, CallUnclear) else meaning


@found_by("any_answer_is_read")
class BelievesAnId(AcmeControl):
    """Whatever the status is."""

    def read_dial(self, reply: HttpReply) -> DialReply:
        return CallPlaced("c-1") if b"c-1" in reply.body else super().read_dial(reply)


@found_by("documents_lead_to_the_stream_and_show_no_token")
class LeadsNowhere(AcmeControl):
    def stream_document(
        self, media_url: str, *, then_url: str | None, say: str | None = None, call_id: str = ""
    ) -> Document:
        return super().stream_document(media_url.replace("wss", "ws"), then_url=then_url, say=say, call_id=call_id)


class OnlyAsks(AcmeControl):
    """As Exotel's: closing the stream ends the call, and its details say so."""

    def hang_up(self, call_id: str) -> HttpRequest:
        return replace(super().hang_up(call_id), method="GET")


class OnlyAsksInVain(OnlyAsks):
    def media_adapter(self) -> Any:
        adapter = super().media_adapter()
        adapter.capabilities = replace(adapter.capabilities, close_ends_call=False)
        return adapter


def _case(control: type[AcmeControl]) -> ControlCase:
    return replace(ACME_CONTROL, new_control=lambda: control(api_key="key-of-rest", secret=ACME_CONTROL.secrets[1]))


ONLY_ASKS, ONLY_ASKS_IN_VAIN = _case(OnlyAsks), _case(OnlyAsksInVain)
