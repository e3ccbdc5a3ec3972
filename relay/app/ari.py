"""An account at an Asterisk: a carrier's, and the WebSocket over which Asterisk says what happens to calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

import aiohttp
import structlog

from relay.app.ari_calls import AriCalls
from relay.app.carrier_urls import CarrierUrls
from relay.app.carriers import CONNECT_TIMEOUT_S, CarrierAccount
from relay.errors import RemoteProtocolError
from relay.providers.asterisk_control import AsteriskControl
from relay.providers.asterisk_events import Replaced, read_event
from relay.transfers.coordinator import Coordinator
from relay.transfers.ports import DialAnswer, DialOrder, DigitsWay, Placed, Refused, TryLater
from relay.transfers.reasons import Reason

RECONNECT_S: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Pauses before events that are not heard any longer are listened to again; the last one for ever."""
HEARTBEAT_S: Final = 10.0
"""So often Asterisk is pinged; what does not answer within half of it is no connection."""
EVENT_MAX_BYTES: Final = 1 << 20
"""A longer message ends the connection. Events have some kilobytes."""


WRONG_STATUSES: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
"""
Answers to the WebSocket that say that the settings are wrong: the user or the password.

So does 404, of the URL, if it comes twice in a row: an Asterisk that has only just begun to load ARI says it, too.
"""


class _NotHeard(Exception):
    """The connection is of no use: why, for the log."""


class AriAccount:
    """
    One account of one Asterisk, as ``transfers.ports.Carrier`` promises, within ``listening``.

    It dials only while events are heard: Asterisk ends a call that is answered when nobody listens. Where they are not
    because of what somebody has to mend, dials are refused; else they may be tried again.

    Args:
        control: makes the requests and reads the replies.
        account: sends them.
        session: opens the WebSocket; see ``carrier_session``.
        urls: what media streams are known by.
        reconnect_s: pauses between tries.
    """

    def __init__(
        self,
        control: AsteriskControl,
        account: CarrierAccount,
        session: aiohttp.ClientSession,
        urls: CarrierUrls,
        *,
        reconnect_s: Sequence[float] = RECONNECT_S,
    ) -> None:
        self._control = control
        self._account = account
        self._session = session
        self._urls = urls
        self._reconnect_s = reconnect_s
        self._failures = 0
        self._fault: Refused | None = None
        self._calls: AriCalls | None = None
        self._heard = asyncio.Event()
        self._log = structlog.get_logger()

    @property
    def is_heard(self) -> bool:
        """Events are heard, and what was missed of them has been asked for."""
        return self._heard.is_set()

    async def until_heard(self) -> None:
        """Return when events are heard: the next dial waits for nothing."""
        await self._heard.wait()

    @property
    def opens_stream_at_dial(self) -> bool:
        """As the account has it: the stream is opened when the phone has been answered."""
        return self._account.opens_stream_at_dial

    @property
    def reopens_stream(self) -> bool:
        """As the account has it: the stream is opened again when it broke."""
        return self._account.reopens_stream

    @property
    def tells_ringing(self) -> bool:
        """As the account has it: Asterisk says when the phone's channel rings."""
        return self._account.tells_ringing

    @property
    def stops_ringing(self) -> bool:
        """As the account has it: a channel can be ended in every state."""
        return self._account.stops_ringing

    async def dial(self, order: DialOrder) -> DialAnswer:
        """Send one dial, if its call's events will be heard."""
        calls = self._calls
        if not self.is_heard or calls is None:
            return self._fault or TryLater(None, "Asterisk's events are not heard")
        calls.dialling(order.transfer_id)
        answer = await self._account.dial(order)
        calls.dialled(order.transfer_id, is_there=isinstance(answer, Placed))
        return answer

    async def hang_up(self, call_id: str) -> bool | None:
        """Ask once to end a call."""
        return await self._account.hang_up(call_id)

    @property
    def sends_digits(self) -> DigitsWay:
        """As ``ports.Carrier.sends_digits``."""
        return self._account.sends_digits

    def refuses_digits(self, digits: str) -> str | None:
        """As ``ports.Carrier.refuses_digits``."""
        return self._account.refuses_digits(digits)

    async def send_digits(self, call_id: str, digits: str, *, goes_on: Callable[[], bool]) -> bool:
        """Ask once to let the phone's channel hear keys."""
        return await self._account.send_digits(call_id, digits, goes_on=goes_on)

    def can_list(self, order: DialOrder) -> bool:
        """It can: for the one call that there may be."""
        return self._account.can_list(order)

    async def find_calls(self, order: DialOrder, *, sent_s: float | None) -> Sequence[str] | None:
        """Ask whether there is this order's call."""
        return await self._account.find_calls(order, sent_s=sent_s)

    @asynccontextmanager
    async def listening(self, coordinator: Coordinator) -> AsyncIterator[None]:
        """Listen to events within the block, whatever becomes of the connection, and tell ``coordinator``."""
        calls = self._calls = AriCalls(self._control, self._account.ask, self._urls, coordinator)
        listening = asyncio.create_task(self._listen(calls))
        try:
            yield
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await calls.close()
            self._calls = None

    async def _listen(self, calls: AriCalls) -> None:
        is_missing = False  # the last answer was 404
        while True:
            fault, was_missing, is_missing = None, is_missing, False
            try:
                await self._hear(calls)
                detail = "closed"
            except _NotHeard as error:
                detail = str(error)
            except aiohttp.WSServerHandshakeError as error:
                detail = f"HTTP {error.status}"
                is_missing = error.status == HTTPStatus.NOT_FOUND
                if error.status in WRONG_STATUSES or (is_missing and was_missing):
                    fault = _refused(str(error.status), detail)
            except aiohttp.ClientConnectorCertificateError as error:
                detail = type(error).__name__
                fault = _refused("", "expected a certificate that this system trusts, got another")
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                detail = type(error).__name__
            except Exception as error:  # noqa: BLE001 - whatever a defect broke, calls must be heard of again
                self._log.exception("ari_broke")
                detail = type(error).__name__
            finally:
                self._heard.clear()
            self._fault = fault
            again_in_s = self._reconnect_s[min(self._failures, len(self._reconnect_s) - 1)]
            self._failures += 1
            self._log.warning("ari_not_heard", detail=detail, again_in_s=again_in_s)
            await asyncio.sleep(again_in_s)

    async def _hear(self, calls: AriCalls) -> None:
        """Connect, catch up, and take events until the connection ends."""
        request = self._control.events()
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            socket = await self._session.ws_connect(
                request.url, headers=request.headers, heartbeat=HEARTBEAT_S, max_msg_size=EVENT_MAX_BYTES
            )
        async with socket:
            if not await calls.catch_up():
                raise _NotHeard("it did not list our application, its channels and its bridges")
            self._heard.set()
            self._failures = 0
            self._log.info("ari_heard")
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._take(calls, message.data)

    def _take(self, calls: AriCalls, message: str) -> None:
        try:
            event = read_event(message)
        except RemoteProtocolError as error:
            self._log.warning("ari_event_unreadable", detail=str(error))
            return
        if isinstance(event, Replaced):
            self._failures = len(self._reconnect_s)  # two that take it from each other must not do so all the time
            raise _NotHeard("another client listens to this application: each relay needs one of its own")
        if event is not None:
            calls.take(event)


def _refused(code: str, detail: str) -> Refused:
    return Refused(Reason.PROVIDER_ERROR, code, f"Asterisk's events are not heard: {detail}")
