"""
Exotel's REST and callbacks, for calls that go straight to a stream (Connect Voice AI).

Sources: developer.exotel.com/docs/agentstream/connect-voice-ai, .../voice-v1/api-reference/{connect-two-numbers,
call-details,status-callback}, .../references/webhooks, support.exotel.com 3000108630. What is unconfirmed is listed in
docs/carriers.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NoReturn

from relay.errors import LocalProtocolError
from relay.providers.basic_auth import BasicCredentials, password_for
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
from relay.providers.exotel import ExotelAdapter
from relay.providers.exotel_report import CALL_ID, CALL_ID_TEXT, ENDS, call_report, reply_value
from relay.providers.fields import shown
from relay.providers.rest import (
    RestAccount,
    check_media_url,
    check_order,
    check_secrets,
    check_url,
    read_refusal,
    short_code,
)
from relay.providers.upgrade_verdict import UpgradeVerdict
from relay.providers.url_proof import UrlProofs

RATES_HZ: Final = (8000, 16000, 24000)
TIME_LIMIT_MAX_S: Final = 14_400
STREAM_URL_MAX_CHARS: Final = 599
"""Of the stream's URL with the credentials in it: "under 600 characters"."""

_ACCOUNT_SID: Final = re.compile("[0-9A-Za-z_-]{1,64}")
_INDIAN: Final = re.compile(r"\+91([1-9][0-9]{9})")
_RING_TIMEOUT_MAX_S: Final = 600
_STREAM_USER: Final = "relay"


class ExotelControl:
    """
    One Exotel account, as ``CarrierControl`` promises.

    Exotel signs nothing. What it is to call back has a proof in its path, an HMAC of the rest of the URL; what it is to
    open has a name and a password in it, made likewise, which it sends as a header. Both are known again after a
    restart: a phone that rings outlives the process that dialled it.

    Args:
        account_sid: the account's name in URLs.
        api_key, api_token: for REST; the token is also what proofs and the passwords of streams are made with.
        api_url: of the account's region.
        sample_rate_hz: of the stream, both ways: 8000, 16000 or 24000.

    Raises:
        LocalProtocolError: an argument is none of these.
    """

    name = "exotel"
    capabilities = CallCapabilities(
        opens_stream="dial",
        tells_ringing=False,
        stops_ringing=False,
        reopens_stream=False,
        can_say=False,
        can_detect=False,
    )

    def __init__(
        self,
        *,
        account_sid: str,
        api_key: str,
        api_token: str,
        api_url: str = "https://api.in.exotel.com",
        sample_rate_hz: int = 16_000,
    ) -> None:
        if not _ACCOUNT_SID.fullmatch(account_sid):
            expected = "up to 64 letters, digits, _ and -"
            raise LocalProtocolError(self.name, "account_sid", expected=expected, got=shown(account_sid))
        check_secrets(self.name, {"api_key": api_key, "api_token": api_token})
        if sample_rate_hz not in RATES_HZ:
            expected = " or ".join(map(str, RATES_HZ))
            raise LocalProtocolError(self.name, "sample_rate_hz", expected=expected, got=str(sample_rate_hz))
        check_url(self.name, "api_url", api_url)
        self._calls_url = f"{api_url.rstrip('/')}/v1/Accounts/{account_sid}/Calls"
        self._account = RestAccount(api_key, api_token)
        self._proofs = UrlProofs(api_token)
        self._sample_rate_hz = sample_rate_hz
        self._api_token = api_token

    def dial(self, order: CallOrder) -> HttpRequest:
        """
        The request that places a call: see ``CarrierControl.dial``.

        The call may last 4 hours at most, whatever the order says. Whether a machine picks up cannot be asked for.
        """
        check_order(self.name, order, ring_timeout_max_s=_RING_TIMEOUT_MAX_S)
        fields = [
            ("From", order.to),  # who is called first, and here alone
            ("CallerId", _local(order.from_number)),
            ("StreamUrl", self._stream_url(order.media_url)),
            ("StreamType", "bidirectional"),
            ("StatusCallback", self._proofs.added(order.status_url)),
            ("StatusCallbackEvents[0]", "terminal"),
            ("StatusCallbackEvents[1]", "answered"),
            ("StatusCallbackContentType", "application/json"),  # else it is multipart/form-data
            ("TimeOut", str(order.ring_timeout_s)),
            ("TimeLimit", str(min(order.max_duration_s, TIME_LIMIT_MAX_S))),
        ]
        return self._account.post(f"{self._calls_url}/connect.json", fields)

    def read_dial(self, reply: HttpReply) -> DialReply:
        """What Exotel answered. There is surely no call after a 4xx, and only then."""
        if 200 <= reply.status < 300:
            call_id = reply_value(reply, "Call", "Sid")
            if CALL_ID.fullmatch(call_id):
                return CallPlaced(call_id)
            return CallUnclear(f"HTTP {reply.status} without a call's id")
        return read_refusal(reply, _code(reply))

    def hang_up(self, call_id: str) -> HttpRequest:
        """The request for the call's details: Exotel has none that ends a call. Closing its media does."""
        if not CALL_ID.fullmatch(call_id):  # it becomes part of a URL
            raise LocalProtocolError(self.name, "call_id", expected=CALL_ID_TEXT, got=shown(call_id))
        return self._account.get(f"{self._calls_url}/{call_id}.json")

    def read_hang_up(self, reply: HttpReply) -> bool:
        """Whether the details say that the call is over. That there are none says nothing: they may come later."""
        return reply.status == 200 and reply_value(reply, "Call", "Status") in ENDS

    def find_calls(self, order: CallOrder) -> Sequence[HttpRequest]:
        """None: Exotel's list has no call that goes on."""
        check_order(self.name, order, ring_timeout_max_s=_RING_TIMEOUT_MAX_S)
        return ()

    def read_find_calls(self, reply: HttpReply, order: CallOrder) -> Sequence[str] | None:  # noqa: ARG002 - never asked for
        """None: as none is asked for."""
        return None

    def verify(self, webhook: Webhook) -> bool:
        """Whether the URL is one that Exotel was given for status callbacks. Nobody vouches for the body."""
        return self._proofs.proven(webhook.url) is not None

    def verify_upgrade(self, webhook: Webhook) -> bool:
        """Whether this upgrade shows the credentials that Exotel was given with this URL, and no other."""
        return self.judge_upgrade(webhook).is_true

    def judge_upgrade(self, webhook: Webhook) -> UpgradeVerdict:
        """As ``JudgesUpgrades``: who shows no credentials, or others, is asked for them."""
        if self._credentials(webhook.url).are_in(webhook):
            return UpgradeVerdict(is_true=True)
        how = "credentials wrong" if "authorization" in webhook.headers else "credentials missing"
        return UpgradeVerdict(is_true=False, how=how, asks_for='Basic realm="relay"')

    def read_report(self, webhook: Webhook) -> CallReport:
        """What a verified status callback says: see ``CarrierControl.read_report``."""
        return call_report(webhook)

    def stream_document(
        self,
        media_url: str,  # noqa: ARG002 - there is no document
        *,
        then_url: str | None,  # noqa: ARG002
        say: str | None = None,  # noqa: ARG002
        call_id: str = "",  # noqa: ARG002
    ) -> Document:
        """
        There is none: the stream's URL is in the dial.

        Raises:
            LocalProtocolError: always.
        """
        self._no_document()

    def hang_up_document(self) -> Document:
        """
        There is none: see ``stream_document``.

        Raises:
            LocalProtocolError: always.
        """
        self._no_document()

    def media_adapter(self) -> ExotelAdapter:
        """An adapter for one new stream."""
        return ExotelAdapter()

    def _stream_url(self, media_url: str | None) -> str:
        url = check_media_url(self.name, media_url)
        url = self._credentials(url).in_url(url)
        if self._sample_rate_hz != RATES_HZ[0]:
            url += f"{'&' if '?' in url else '?'}sample-rate={self._sample_rate_hz}"
        if len(url) > STREAM_URL_MAX_CHARS:
            expected = f"up to {STREAM_URL_MAX_CHARS} characters with its credentials"
            raise LocalProtocolError(self.name, "media_url", expected=expected, got=f"{len(url)}")
        return url

    def _credentials(self, url: str) -> BasicCredentials:
        """Of one stream's URL, without its query, to which a rate is added."""
        return BasicCredentials(_STREAM_USER, password_for(self._api_token, url.partition("?")[0]))

    def _no_document(self) -> NoReturn:
        expected, got = "the stream's URL in the dial", "a document asked for"
        raise LocalProtocolError(self.name, "document", expected=expected, got=got)


def _local(number: str) -> str:
    """An Indian number as Exotel's documentation writes those of an account: +918012345678 is 08012345678."""
    found = _INDIAN.fullmatch(number)
    return f"0{found[1]}" if found is not None else number


def _code(reply: HttpReply) -> str:
    """Exotel's code, where it has one; else the status."""
    code = short_code(reply_value(reply, "RestException", "Code"))
    return code if code.strip("0") else str(reply.status)
