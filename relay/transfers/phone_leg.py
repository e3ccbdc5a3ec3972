"""The phone of one transfer: dialled at most once, and hung up until it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from structlog.typing import FilteringBoundLogger

from relay.transfers.clock import CallLater, pause
from relay.transfers.ports import (
    Carrier,
    DialAnswer,
    DialOrder,
    PhoneEnded,
    PhoneReport,
    Placed,
    TryLater,
    Unclear,
)

REDIAL_S: Final = (0.5, 1.0, 2.0, 4.0)
"""Pauses before a dial that the carrier did not take is sent again; the last one for ever. None is shorter."""
ASK_AGAIN_S: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Pauses before a carrier that did not do what it must is asked again; then it is given up, loudly."""
EMPTY_LISTS: Final = 4
"""A carrier's list of calls may lag behind its dials: so often one without a call is not believed."""


class PhoneLeg:
    """
    Everything that is asked of the carrier for one transfer.

    Args:
        carrier: the account to call through.
        order: what to dial.
        on_answer: told the carrier's answer to the dial, once; never ``TryLater``.
        is_anothers: whether a call id is, or may be, another transfer's.
        call_later: the clock.
        log: bound to the transfer.
    """

    def __init__(
        self,
        carrier: Carrier,
        order: DialOrder,
        *,
        on_answer: Callable[[DialAnswer], None],
        is_anothers: Callable[[str], bool],
        call_later: CallLater,
        log: FilteringBoundLogger,
    ) -> None:
        self._carrier = carrier
        self._order = order
        self._on_answer = on_answer
        self._is_anothers = is_anothers
        self._call_later = call_later
        self._log = log
        self._is_wanted = True
        self._is_sending = False
        self._is_named = True
        """``call_id``, if there is one, is the call's own; else what the dial's answer calls it until a report does."""
        self._placed_id = ""
        """What the dial's answer calls, or will call, the call whose own id is ``call_id``."""
        self._go_on = asyncio.Event()
        self._dialing: asyncio.Task[None] | None = None
        self._over: set[str] = set()
        self._hang_ups: dict[str, HangUp] = {}
        self._is_hurried = False
        self.may_dial = True
        """``dial_no_more`` was not called yet."""
        self.call_id: str | None = None
        self.answer: DialAnswer | None = None
        """The carrier's answer to the last dial; None: not dialled, or not answered yet."""

    @property
    def has_begun(self) -> bool:
        """A dial may have been sent."""
        return self._dialing is not None

    @property
    def is_over(self) -> bool:
        """No call is known that may be alive."""
        return self.call_id is None or self.call_id in self._over

    @property
    def is_placing(self) -> bool:
        """A call is wanted that may be there already, and whose own id is not known."""
        is_unknown = self._is_sending or isinstance(self.answer, Unclear)
        return self._is_wanted and (not self._is_named or (self.call_id is None and is_unknown))

    def dial(self, *, media_token: str | None = None) -> None:
        """Dial, once ever; ``media_token``: opens its stream, where the dial says where that goes."""
        if self._dialing is not None:
            raise RuntimeError("PhoneLeg.dial: expected one dial, got a second")
        if self.may_dial:
            self._order = replace(self._order, media_token=media_token)
            self._dialing = asyncio.create_task(self._dial())

    def dial_no_more(self) -> None:
        """Send no dial from now on. One that is on its way may still make a call."""
        self.may_dial = False
        self._go_on.set()

    def know(self, call_id: str, placed_id: str = "") -> None:
        """
        The carrier named a call of this dial. One that is not wanted any longer, or is one too many, is ended.

        Args:
            call_id: the call's own id.
            placed_id: what the dial's answer calls it, where that is another.
        """
        if self.call_id != call_id == self._placed_id:
            return
        if self.call_id is None:
            self._name(call_id, placed_id)
        elif call_id != self.call_id and (placed_id == self.call_id or not (self._is_named or placed_id)):
            self._rename(self.call_id, call_id)
        elif call_id != self.call_id:
            self._log.error("second_call", detail="expected one call of this dial, got another: it is hung up")
            self._end(call_id)
        if not self._is_wanted:
            self._end(call_id)

    def see(self, report: PhoneReport) -> bool:
        """Note what a callback says of the phone; True if it is of this dial's call."""
        if isinstance(report.news, PhoneEnded):
            self._over.add(report.call_id)
            if report.call_id in self._hang_ups:
                self._hang_ups[report.call_id].call_ended()
        self.know(report.call_id, report.placed_id)
        return report.call_id == self.call_id

    async def hang_up(self) -> None:
        """
        End every call that this dial has made, or turns out to have made; nothing is dialled any longer.

        Returns when there is none left, or the carrier did not end it in the time of ``HangUp``; where none can end a
        phone that rings, only ``settle`` waits for that.
        """
        self.dial_no_more()
        self._is_wanted = False
        if self.call_id is not None:
            self._end(self.call_id)
        if self._dialing is not None:
            await self._dialing  # its answer must not be lost: there may be a call id in it
        if self.call_id is None and isinstance(self.answer, Unclear):
            await self._find()
        if self._carrier.stops_ringing:
            await self.settle()

    def hurry(self) -> None:
        """Wait for no phone that rings on longer than for one that a carrier ends."""
        self._is_hurried = True
        for hang_up in self._hang_ups.values():
            hang_up.hurry()

    async def settle(self) -> None:
        """Return when no call is being ended: one may have turned up after ``hang_up``."""
        while self._hang_ups:
            await asyncio.wait([hang_up.task for hang_up in self._hang_ups.values()])

    # Names

    def _name(self, call_id: str, placed_id: str) -> None:
        self.call_id = call_id
        self._placed_id = placed_id
        self._go_on.set()

    def _rename(self, placed_id: str, call_id: str) -> None:
        """The call's own id is known at last; nobody need go on asking to end it by the other."""
        if placed_id in self._hang_ups:
            self._hang_ups[placed_id].call_ended()
        self._is_named = True
        self._name(call_id, placed_id)

    def _place(self, placed: Placed) -> None:
        """The dial's answer names the call."""
        if self.call_id is None:
            self._is_named = placed.is_final
        elif not placed.is_final and not self._placed_id:  # a report was faster, and has the call's own id
            self._placed_id = placed.call_id
        self.know(placed.call_id)

    # Dialling

    async def _dial(self) -> None:
        tries = 0
        while self.may_dial and self.call_id is None:  # a call that is there, whatever the carrier says, is the one
            answer = await self._send()
            if not isinstance(answer, TryLater):
                if isinstance(answer, Placed):
                    self._place(answer)
                self._on_answer(answer)
                return
            pause_s = max(answer.after_s or 0.0, REDIAL_S[min(tries, len(REDIAL_S) - 1)])
            tries += 1
            self._log.warning("carrier_busy", detail=answer.detail, again_in_s=pause_s)
            await pause(self._call_later, pause_s, self._go_on)

    async def _send(self) -> DialAnswer:
        self.answer = None
        self._is_sending = True
        try:
            self.answer = await self._carrier.dial(self._order)
        except Exception as error:  # noqa: BLE001 - a defect says nothing of whether there is a call
            self._log.exception("dial_broke")
            self.answer = Unclear(type(error).__name__)
        finally:
            self._is_sending = False
        return self.answer

    # Hanging up

    async def _find(self) -> None:
        """Look for a call that the carrier may have made without saying so, if it can be asked for one."""
        found = await self._seek() if self._can_list() else None
        mine = [call_id for call_id in found or () if not self._is_anothers(call_id)]
        if self.call_id is None and len(mine) == 1:  # of several nobody can say which one is ours
            self.know(mine[0])
        elif self.call_id is None:
            count = len(found) if found is not None else None
            self._log.error("dial_unknown", detail="the carrier may have made a call", found=count)

    async def _seek(self) -> Sequence[str] | None:
        """What the carrier lists, when that can be believed; None: it never could."""
        self._go_on.clear()
        found = await self._ask_for_calls()
        for tries, pause_s in enumerate(ASK_AGAIN_S):
            is_believed = found is not None and (bool(found) or tries >= EMPTY_LISTS)
            if is_believed or self.call_id is not None:
                break
            await pause(self._call_later, pause_s, self._go_on)
            found = await self._ask_for_calls()
        return found

    def _can_list(self) -> bool:
        try:
            return self._carrier.can_list(self._order)
        except Exception:  # noqa: BLE001 - as below
            self._log.exception("find_calls_broke")
            return False

    async def _ask_for_calls(self) -> Sequence[str] | None:
        try:
            sent_s = self.answer.sent_s if isinstance(self.answer, Unclear) else None
            return await self._carrier.find_calls(self._order, sent_s=sent_s)
        except Exception:  # noqa: BLE001 - a defect here must not keep what is known from being hung up
            self._log.exception("find_calls_broke")
            return None

    def _end(self, call_id: str) -> None:
        if call_id not in self._over and call_id not in self._hang_ups:
            rings_s = self._order.ring_timeout_s
            hang_up = HangUp(self._carrier, call_id, rings_s=rings_s, call_later=self._call_later, log=self._log)
            self._hang_ups[call_id] = hang_up
            if self._is_hurried:
                hang_up.hurry()
            hang_up.task.add_done_callback(lambda _: self._ended(call_id))

    def _ended(self, call_id: str) -> None:
        if self._hang_ups.pop(call_id).is_over:
            self._over.add(call_id)


class HangUp:
    """
    Asks a carrier to end a call, and again for a minute if it does not; ``task`` is its work, to be awaited.

    A phone that the carrier cannot stop, or does not know by this id, is asked after for as long as it may ring. What
    is unknown still is over then: of whoever had picked up, the carrier would have told.

    Args:
        carrier: the account that the call is of.
        call_id: the call.
        rings_s: how long its phone may ring on, if the carrier does not end it.
        call_later: the clock.
        log: bound to the transfer.
    """

    def __init__(
        self, carrier: Carrier, call_id: str, *, rings_s: float, call_later: CallLater, log: FilteringBoundLogger
    ) -> None:
        self._carrier = carrier
        self._call_id = call_id
        self._rings_s = rings_s
        self._waited_s = 0.0
        self._is_unknown = False
        self._is_hurried = False
        self._call_later = call_later
        self._log = log
        self._go_on = asyncio.Event()
        self.is_over = False
        """The carrier has ended it, or said that it is over."""
        self.task = asyncio.create_task(self._run())

    def call_ended(self) -> None:
        """The carrier says by itself that the call is over."""
        self.is_over = True
        self._go_on.set()

    def hurry(self) -> None:
        """Ask for no longer than one would whose carrier can stop it."""
        self._is_hurried = True
        if self._waited_s >= sum(ASK_AGAIN_S):
            self._go_on.set()

    async def _run(self) -> None:
        await self._ask()
        for pause_s in self._pauses():
            if self.is_over:
                return
            await pause(self._call_later, pause_s, self._go_on)
            await self._ask()
        if self.is_over:
            return
        detail = f"the carrier was asked to end it for {self._waited_s:.0f} s"
        if self._may_ring_on:
            self._log.warning("phone_rings_on", detail=f"{detail}, and cannot stop it within {self._rings_s:g} s")
        elif self._is_unknown:
            self.is_over = True
            self._log.warning("call_unknown", detail=f"{detail}, and knows nothing by its id: it is taken for over")
        else:
            self._log.error("phone_may_be_alive", detail=detail)

    def _pauses(self) -> Iterator[float]:
        for pause_s in ASK_AGAIN_S:
            yield pause_s
            self._waited_s += pause_s
        while self._may_ring_on and not self._is_hurried:
            yield ASK_AGAIN_S[-1]
            if not self._is_hurried:  # else it was cut short
                self._waited_s += ASK_AGAIN_S[-1]

    @property
    def _may_ring_on(self) -> bool:
        """Whatever the carrier is asked."""
        return (self._is_unknown or not self._carrier.stops_ringing) and self._waited_s < self._rings_s

    async def _ask(self) -> None:
        self._is_unknown = False
        try:
            answer = self.is_over or await self._carrier.hang_up(self._call_id)
            self._is_unknown = answer is None
            self.is_over |= bool(answer)  # the carrier may have said so meanwhile
        except Exception:  # noqa: BLE001 - a defect is one more reason to ask again
            self._log.exception("hang_up_broke")
