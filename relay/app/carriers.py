"""Sends what a carrier's control side asks for, and says what came of it in the coordinator's words."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Sequence
from typing import Final

import aiohttp

from relay.app.carrier_urls import CarrierUrls
from relay.app.metrics import Metrics
from relay.errors import LocalProtocolError
from relay.providers.call_ages import DatesCalls
from relay.providers.control import (
    CallOrder,
    CallPlaced,
    CallRefused,
    CallUnclear,
    CarrierBusy,
    CarrierControl,
    DialReply,
    HttpReply,
    HttpRequest,
)
from relay.providers.hang_up_steps import HangsUpInSteps, KnowsWhatIsHungUp
from relay.providers.sends_dtmf import SendsDtmf
from relay.providers.settled_dials import SettlesDials
from relay.providers.stream import check_digits
from relay.transfers.ports import (
    DialAnswer,
    DialOrder,
    DigitsWay,
    Placed,
    Refused,
    TryLater,
    Unclear,
)
from relay.transfers.reasons import Reason

RING_MARGIN_S: Final = 7
"""
The carrier stops ringing so long before the transfer gives up: what it says is better than our guess. Twilio lets it
ring up to 5 s longer than it is told ("for some call flows").
"""
RING_MIN_S: Final = 3
"""However short the transfer's time is. Twilio takes every positive number (its error 21208)."""
DURATION_MARGIN_S: Final = 60
"""The carrier ends the call so long after the transfer would have: only if nobody else does, as it cannot say why."""
DURATION_MAX_S: Final = 24 * 3600
"""Carriers let no call be longer."""
REPLY_MAX_BYTES: Final = 1 << 20
"""A list of fifty calls has a tenth of it."""
LONG_REPLY_MAX_BYTES: Final = 32 << 20
"""Of what has no bound of its own: Asterisk lists all its channels, of half a kilobyte each, whosever they are."""
CONNECT_TIMEOUT_S: Final = 5.0
OLDER_S: Final = 5.0
"""
A call that the carrier says was made so long before our dial was sent is not of that dial.

Both the call's age and the time since the dial are durations, one of them on the carrier's clock and one on ours, so
that it does not matter what time it is on either. Dates of whole seconds make an age wrong by one, a carrier whose
machines do not agree by one or two more.
"""


class CarrierAccount:
    """
    One account of one carrier, over HTTP; as ``transfers.ports.Carrier`` promises.

    Args:
        control: makes the requests and reads the replies.
        session: sends them; see ``carrier_session``.
        urls: where the carrier is to come back to.
        metrics: told of every request.
        timeout_s: of each request, whole.
    """

    def __init__(
        self,
        control: CarrierControl,
        session: aiohttp.ClientSession,
        urls: CarrierUrls,
        *,
        metrics: Metrics,
        timeout_s: float,
    ) -> None:
        self._control = control
        self._can = control.media_adapter().capabilities
        self._session = session
        self._urls = urls
        self._metrics = metrics
        # Half of it at most for the connection: when the whole is over, something has been sent.
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s / 2))

    @property
    def opens_stream_at_dial(self) -> bool:
        """As ``ports.Carrier.opens_stream_at_dial``."""
        return self._control.capabilities.opens_stream == "dial"

    @property
    def reopens_stream(self) -> bool:
        """As ``ports.Carrier.reopens_stream``."""
        return self._control.capabilities.reopens_stream and not self.opens_stream_at_dial

    @property
    def tells_ringing(self) -> bool:
        """As ``ports.Carrier.tells_ringing``."""
        return self._control.capabilities.tells_ringing

    @property
    def stops_ringing(self) -> bool:
        """As ``ports.Carrier.stops_ringing``."""
        return self._control.capabilities.stops_ringing

    async def dial(self, order: DialOrder) -> DialAnswer:
        """Send one dial."""
        try:
            request = self._control.dial(self._call(order))
        except LocalProtocolError as error:  # what no carrier takes: nothing has been sent
            return Refused(Reason.PROVIDER_ERROR, "", f"{error.field}: expected {error.expected}")
        sent_s = time.monotonic()
        try:
            reply = await self._send("dial", request)
        except aiohttp.ClientConnectorCertificateError:  # that will be no better a moment later
            return Refused(Reason.PROVIDER_ERROR, "", "expected a certificate that this system trusts, got another")
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:  # nothing has been sent
            return TryLater(None, f"no connection to the carrier: {type(error).__name__}")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Unclear(type(error).__name__, sent_s)
        answer = _dial_answer(self._control.read_dial(reply), sent_s)
        if isinstance(answer, Unclear) and isinstance(self._control, SettlesDials) and self._control.is_settled(reply):
            return await self._settled(order, answer, reply)
        return answer

    async def _settled(self, order: DialOrder, unclear: Unclear, reply: HttpReply) -> DialAnswer:
        """Whether an unclear dial has made a call, from a carrier that knows."""
        found = await self.find_calls(order, sent_s=None)
        if found is None:
            return unclear
        return Placed(found[0]) if found else Refused(Reason.PROVIDER_ERROR, str(reply.status), unclear.detail)

    async def hang_up(self, call_id: str) -> bool | None:
        """
        Ask once to end a call: in each of its states, where no single request ends it in all of them.

        None as ``ports.Carrier.hang_up``: none of the requests found anything by this id.
        """
        requests = [self._control.hang_up(call_id)]
        if isinstance(self._control, HangsUpInSteps):
            requests += self._control.hang_up_steps(call_id)
        answers = []
        try:
            for request in requests:
                answers.append(self._is_over(call_id, await self._send("hang_up", request)))
                if answers[-1]:
                    return True
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False
        return None if all(answer is None for answer in answers) else False

    def _is_over(self, call_id: str, reply: HttpReply) -> bool | None:
        if isinstance(self._control, KnowsWhatIsHungUp):
            return self._control.read_hang_up_of(call_id, reply)
        return self._control.read_hang_up(reply)

    @property
    def sends_digits(self) -> DigitsWay:
        """As ``ports.Carrier.sends_digits``."""
        return self._can.dtmf_sent

    def refuses_digits(self, digits: str) -> str | None:
        """As ``ports.Carrier.refuses_digits``."""
        if self._can.dtmf_sent == "no":
            return "a carrier that can send keys"
        try:
            check_digits(self._control.name, digits, self._can, over=self._can.dtmf_sent)
        except LocalProtocolError as error:
            return error.expected
        return None

    async def send_digits(self, call_id: str, digits: str, *, goes_on: Callable[[], bool]) -> bool:
        """Send each key's request when the one before it has been taken."""
        if not isinstance(self._control, SendsDtmf):
            return False
        try:
            for request in self._control.send_dtmf(call_id, digits):
                if not goes_on() or not self._control.read_dtmf(await self._send("send_dtmf", request)):
                    return False
        except (LocalProtocolError, aiohttp.ClientError, TimeoutError, OSError):
            return False
        return True

    def can_list(self, order: DialOrder) -> bool:
        """Whether there is anything to ask for the calls that may be this order's."""
        return bool(self._control.find_calls(self._call(order)))

    async def find_calls(self, order: DialOrder, *, sent_s: float | None) -> Sequence[str] | None:
        """
        Ask for the calls that may be this order's, None if there is nothing to ask; one that goes on meanwhile may be
        in two lists.

        Those that are older than the dial, by ``OLDER_S`` or more, are left out; one that has no age may be ours.
        """
        found: dict[str, None] = {}
        call = self._call(order)
        requests = self._control.find_calls(call)
        if not requests:
            return None
        for request in requests:
            try:
                reply = await self._send("find_calls", request)
            except (aiohttp.ClientError, TimeoutError, OSError):
                return None
            calls = self._control.read_find_calls(reply, call)
            if calls is None:
                return None
            found |= dict.fromkeys(call_id for call_id in calls if call_id not in self._older(reply, sent_s))
        return list(found)

    async def ask(self, operation: str, request: HttpRequest) -> HttpReply | None:
        """Send what only this carrier knows; None: it was not answered."""
        try:
            return await self._send(operation, request, reply_max_bytes=LONG_REPLY_MAX_BYTES)
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None

    def _older(self, reply: HttpReply, sent_s: float | None) -> Collection[str]:
        """The calls of a list that were made before the dial was sent."""
        if sent_s is None or not isinstance(self._control, DatesCalls):
            return ()
        longest_s = time.monotonic() - sent_s + OLDER_S
        return {call_id for call_id, age_s in self._control.read_ages(reply).items() if age_s >= longest_s}

    def _call(self, order: DialOrder) -> CallOrder:
        name, transfer_id, token = self._control.name, order.transfer_id, order.media_token
        return CallOrder(
            to=order.to,
            from_number=order.from_number,
            answer_url=self._urls.answer(name, transfer_id, 0),
            status_url=self._urls.status(name, transfer_id),
            detection_url=self._urls.detection(name, transfer_id) if order.detect_machine else None,
            ring_timeout_s=max(int(order.ring_timeout_s) - RING_MARGIN_S, RING_MIN_S),
            detection_timeout_s=order.detection_timeout_s,
            max_duration_s=min(math.ceil(order.max_duration_s) + DURATION_MARGIN_S, DURATION_MAX_S),
            media_url=self._urls.media(name, transfer_id, token) if token is not None else None,
        )

    async def _send(self, operation: str, request: HttpRequest, *, reply_max_bytes: int = REPLY_MAX_BYTES) -> HttpReply:
        started_s = time.monotonic()
        outcome = "failed"
        try:
            async with self._session.request(
                request.method,
                request.url,
                headers=request.headers,
                data=request.body or None,
                allow_redirects=False,
                timeout=self._timeout,
                middlewares=(_sent_once,) if operation == "send_dtmf" else None,
            ) as response:
                body = await _start_of(response.content, reply_max_bytes)
                outcome = f"{response.status // 100}xx"
                headers = {name.lower(): value for name, value in response.headers.items()}
                return HttpReply(response.status, headers, body)
        finally:
            self._metrics.carrier(self._control.name, operation, outcome, time.monotonic() - started_s)


def carrier_session() -> aiohttp.ClientSession:
    """
    A session for carriers' REST.

    Every request has a connection of its own: one that the carrier had closed while it was idle would make a dial
    that was never sent look like one that may have been. None waits for another's to end: a carrier that does not
    answer dials must not keep phones from being hung up. A proxy or password that the environment names is not used.
    """
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


async def _sent_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Of a PUT whose connection broke, aiohttp sends another by itself: a phone must not hear its keys twice."""
    try:
        return await send(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientError(type(error).__name__) from error


async def _start_of(content: aiohttp.StreamReader, max_bytes: int) -> bytes:
    """The whole body, but for what is too much of it."""
    body = bytearray()
    async for piece in content.iter_any():
        body += piece
        if len(body) >= max_bytes:
            break
    return bytes(body[:max_bytes])


def _dial_answer(reply: DialReply, sent_s: float) -> DialAnswer:
    match reply:
        case CallPlaced(call_id, is_final):
            return Placed(call_id, is_final)
        case CallRefused(refusal, code, detail):
            return Refused(Reason(refusal.value), code, detail)
        case CarrierBusy(retry_after_s, detail):
            return TryLater(retry_after_s, detail)
        case CallUnclear(detail):
            return Unclear(detail, sent_s)
