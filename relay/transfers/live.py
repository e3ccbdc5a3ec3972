"""One transfer while it lives: everything that happens to it in one queue, and its end in one order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from relay.transfers.clock import CallLater, pause
from relay.transfers.course import Course
from relay.transfers.course_news import Asked, Close, Dialed, News
from relay.transfers.course_settings import CourseSettings
from relay.transfers.ledger import Ledger
from relay.transfers.media_tokens import MediaTokens
from relay.transfers.phone_leg import PhoneLeg
from relay.transfers.ports import Bridge, BridgeEvent, Carrier, DialOrder, PhoneReport
from relay.transfers.reasons import Reason
from relay.transfers.record import Accept, Transfer, TransferOrder
from relay.transfers.states import State, closing_event
from relay.transfers.store import TransferStore

RELEASE_MAX_S: Final = 0.8
"""How long the phone may outlive the end of the transfer, for the agent to hear that it is over."""


class LiveTransfer:
    """
    One transfer, from its request until nothing of it is left: no phone leg, no bridge, nothing unwritten.

    ``run``, then ``settle``, are the whole of it. ``Course`` decides what happens.

    Args:
        order: what was asked for.
        carrier: the account to call through.
        store: where its record is.
        transfer: the record.
        token_key: what the tokens of its media streams are derived from.
        is_anothers: whether a call id is, or may be, another transfer's.
        on_change: told of each new version of the record.
        settings: the bounds.
        call_later: the clock.
    """

    def __init__(
        self,
        order: TransferOrder,
        carrier: Carrier,
        store: TransferStore,
        transfer: Transfer,
        *,
        token_key: bytes,
        is_anothers: Callable[[str], bool],
        on_change: Callable[[Transfer], None],
        settings: CourseSettings,
        call_later: CallLater,
    ) -> None:
        self.order = order
        self._carrier = carrier
        self._settings = settings
        self._call_later = call_later
        self._log = structlog.get_logger().bind(transfer_id=transfer.transfer_id)
        self._news: asyncio.Queue[News] = asyncio.Queue()
        self._bridge: Bridge | None = None
        self._is_closing = False
        self._ended = asyncio.Event()
        self.sending_digits = asyncio.Lock()
        """Held while keys are sent by requests to its carrier, of which there may be one for each."""
        self._tokens = MediaTokens(
            store, transfer.transfer_id, epoch=transfer.epoch, key=token_key, ttl_s=settings.token_ttl_s + order.say_s
        )
        self._ledger = Ledger(
            store,
            transfer,
            on_change=on_change,
            on_fenced=lambda: self.close(Reason.NODE_LOST),
            call_later=call_later,
            log=self._log,
        )
        self.phone = PhoneLeg(
            carrier,
            DialOrder(
                transfer.transfer_id,
                order.to,
                order.from_number,
                order.ring_timeout_s,
                order.max_duration_s,
                detect_machine=order.accept is Accept.DETECTION,
                detection_timeout_s=settings.detection_timeout_s,
            ),
            on_answer=lambda answer: self._news.put_nowait(Dialed(answer)),
            is_anothers=is_anothers,
            call_later=call_later,
            log=self._log,
        )

    @property
    def transfer(self) -> Transfer:
        """The record as it stands."""
        return self._ledger.transfer

    @property
    def bridge(self) -> Bridge | None:
        """Where its media goes; None once it is ending."""
        return None if self._is_closing else self._bridge

    @property
    def is_joined(self) -> bool:
        """Agent and customer hear each other, and it is not ending."""
        transfer = self.transfer
        return transfer.state is State.JOINED and not transfer.reconnecting and not self._is_closing

    @property
    def is_closing(self) -> bool:
        """It is ending, or over: nobody is let in any longer."""
        return self._is_closing

    @property
    def is_through(self) -> bool:
        """Its end is written, and no phone of it is left: nobody need look after it any more."""
        return self.transfer.is_terminal and not self._ledger.is_behind and self.phone.is_over

    def has(self, provider: str, call_id: str) -> bool:
        """Whether this is its phone's call."""
        return self.order.provider == provider and self.phone.call_id == call_id

    # What happens to it

    def take_bridge_event(self, event: BridgeEvent) -> None:
        """What its bridge tells."""
        self._news.put_nowait(event)

    def take_report(self, report: PhoneReport) -> None:
        """What a verified callback of the carrier says."""
        if self._is_closing:
            self._see_late(report)
        else:
            self._news.put_nowait(report)

    def close(self, reason: Reason) -> None:
        """End it; the first reason counts. Nothing is dialled any longer."""
        self.phone.dial_no_more()
        if reason is Reason.NODE_SHUTDOWN:
            self.phone.hurry()
        self._news.put_nowait(Close(reason))

    async def answered(self, stream: int, call_id: str, placed_id: str = "") -> str | None:
        """
        The carrier asks where the media of ``call_id`` goes: a token for its stream, or None: hang up.

        ``placed_id`` as in ``PhoneReport``.
        """
        if self._is_closing:
            self.phone.know(call_id, placed_id)
            return None
        asked = Asked(stream, call_id, placed_id, asyncio.get_running_loop().create_future())
        self._news.put_nowait(asked)
        return await asked.token

    async def admits(self, token: str) -> bool:
        """Consume a token; True: the connection that brought it is this transfer's media stream."""
        return not self._is_closing and await self._tokens.consume(token) and not self._is_closing

    async def until_ended(self) -> Transfer:
        """Its record once it is terminal; phone and bridge may still be on their way out."""
        await self._ended.wait()
        return self.transfer

    # Its life

    async def run(self, bridge: Bridge) -> None:
        """
        Dial, follow what happens, and return when phone and bridge are gone.

        Not to be cancelled: ``close`` it.
        """
        self._bridge = bridge
        course = Course(
            self.order,
            bridge,
            phone=self.phone,
            carrier=self._carrier,
            ledger=self._ledger,
            tokens=self._tokens,
            tell=self._news.put_nowait,
            settings=self._settings,
            call_later=self._call_later,
            log=self._log,
        )
        closing = await self._step(course.begin())
        joining = asyncio.create_task(self._join(bridge)) if self.phone.has_begun else None
        while closing is None:
            closing = await self._step(course.take(await self._news.get()))
        await self._take_down(bridge, course, closing)
        if joining is not None:
            joining.cancel()  # over, unless the bridge has forgotten it
            await asyncio.wait([joining])

    async def settle(self) -> None:
        """Return when its end is written, and no call is left that turned up late."""
        await self._ledger.flush()
        await self.phone.settle()

    async def look(self) -> None:
        """
        Have it end if another node has taken it over.

        Raises:
            StoreUnavailable: nobody can say.
        """
        await self._ledger.look()

    def give_up_writing(self) -> None:
        """Do not wait for the store any longer."""
        self._ledger.give_up()

    async def _step(self, step: Coroutine[Any, Any, Close | None]) -> Close | None:
        try:
            return await step
        except Exception:  # noqa: BLE001 - whatever a defect broke, the phone must not ring on
            self._log.exception("internal_error")
            return Close(Reason.INTERNAL_ERROR)

    async def _join(self, bridge: Bridge) -> None:
        try:
            await bridge.join()
        except Exception:  # noqa: BLE001 - a bridge that broke tells nothing any more
            self._log.exception("internal_error")
            self.close(Reason.INTERNAL_ERROR)

    async def _take_down(self, bridge: Bridge, course: Course, close: Close) -> None:
        """
        The one order in which a transfer ends; no step waits for the store.

        1. Nothing is dialled, and nobody is let in any longer: late answers get a hang-up document, media streams are
           refused.
        2. A phone that nobody has answered stops ringing at once; an agent on the line hears that it is over first.
        3. The bridge is given back, meanwhile.
        4. The end is written, meanwhile.
        """
        self._is_closing = True
        self.phone.dial_no_more()
        course.expect_nothing()
        self._refuse_what_waits()
        writing = asyncio.create_task(self._write_end(close))
        releasing = asyncio.create_task(bridge.release(close.reason))
        if course.has_media and not close.is_told:
            released = asyncio.Event()
            releasing.add_done_callback(lambda _: released.set())
            await pause(self._call_later, RELEASE_MAX_S, released)
        for result in await asyncio.gather(writing, releasing, self.phone.hang_up(), return_exceptions=True):
            if isinstance(result, BaseException):
                self._log.error("teardown_failed", error=repr(result))

    async def _write_end(self, close: Close) -> None:
        changes = {"provider_code": close.code} if close.code else {}
        try:
            await self._ledger.write(closing_event(close.reason), reason=close.reason, changes=changes)
        finally:
            self._ended.set()

    def _refuse_what_waits(self) -> None:
        while not self._news.empty():
            news = self._news.get_nowait()
            if isinstance(news, Asked):
                news.reply(None)
                self.phone.know(news.call_id, news.placed_id)
            elif isinstance(news, PhoneReport):
                self._see_late(news)

    def _see_late(self, report: PhoneReport) -> None:
        self._log.info("event_ignored", happened=type(report.news).__name__, state=self.transfer.state.value)
        self.phone.see(report)
