"""The phone of one transfer: dialled at most once, and hung up until it is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from structlog.typing import FilteringBoundLogger

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
"""Pauses before a dial that the carrier did not take is sent again; the last one for ever."""
HANG_UP_S: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Pauses before a carrier that did not hang up is asked again; then it is given up, loudly."""


class Timer(Protocol):
    """What ``CallLater`` returns."""

    def cancel(self) -> None:
        """Do not call any more."""


class CallLater(Protocol):
    """``loop.call_later``, or a clock of a test."""

    def __call__(self, delay_s: float, callback: Callable[[], None], /) -> Timer:
        """Call back after so long."""


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
        self._go_on = asyncio.Event()
        self._dialing: asyncio.Task[None] | None = None
        self._over: set[str] = set()
        self._hanging_up: dict[str, asyncio.Task[None]] = {}
        self.call_id: str | None = None
        self.answer: DialAnswer | None = None
        """The carrier's last answer to the dial; None: not dialled, or not answered yet."""

    @property
    def is_placing(self) -> bool:
        """A dial has been sent, and whether there is a call is not known."""
        return self._dialing is not None and self.call_id is None and not isinstance(self.answer, TryLater)

    def dial(self) -> None:
        """Dial, once ever."""
        if self._dialing is not None:
            raise RuntimeError("PhoneLeg.dial: expected one dial, got a second")
        self._dialing = asyncio.create_task(self._dial())

    def know(self, call_id: str) -> None:
        """The carrier named a call of this dial. One that is not wanted any longer, or is one too many, is ended."""
        if self.call_id is None:
            self.call_id = call_id
        elif call_id != self.call_id:
            self._log.error("second_call", detail="expected one call of this dial, got another: it is hung up")
            self._end(call_id)
        if not self._is_wanted:
            self._end(call_id)

    def see(self, report: PhoneReport) -> bool:
        """Note what a callback says of the phone; True if it is of this dial's call."""
        if isinstance(report.news, PhoneEnded):
            self._over.add(report.call_id)
        self.know(report.call_id)
        return report.call_id == self.call_id

    async def hang_up(self) -> None:
        """
        End every call that this dial has made, or turns out to have made; nothing is dialled any longer.

        Returns when there is none left, or the carrier did not end it for a minute.
        """
        self._is_wanted = False
        self._go_on.set()
        if self.call_id is not None:
            self._end(self.call_id)
        if self._dialing is not None:
            await self._dialing  # its answer must not be lost: there may be a call id in it
        if self.call_id is None and isinstance(self.answer, Unclear):
            await self._find()
        while self._hanging_up:
            await next(iter(self._hanging_up.values()))

    async def _dial(self) -> None:
        tries = 0
        while self._is_wanted:
            self.answer = answer = await self._carrier.dial(self._order)
            if not isinstance(answer, TryLater):
                if isinstance(answer, Placed):
                    self.know(answer.call_id)
                self._on_answer(answer)
                return
            pause_s = answer.after_s if answer.after_s is not None else REDIAL_S[min(tries, len(REDIAL_S) - 1)]
            tries += 1
            self._log.warning("carrier_busy", detail=answer.detail, again_in_s=pause_s)
            self._go_on.clear()
            timer = self._call_later(pause_s, self._go_on.set)
            await self._go_on.wait()
            timer.cancel()

    async def _find(self) -> None:
        found = await self._carrier.find_calls(self._order)
        mine = [call_id for call_id in found or () if not self._is_anothers(call_id)]
        if self.call_id is None and len(mine) == 1:  # of several nobody can say which one is ours
            self.know(mine[0])
        elif self.call_id is None:
            self._log.error("dial_unknown", detail="the carrier may have made a call", found=found and len(found))

    def _end(self, call_id: str) -> None:
        if call_id not in self._over and call_id not in self._hanging_up:
            self._hanging_up[call_id] = asyncio.create_task(self._finish(call_id))

    async def _finish(self, call_id: str) -> None:
        try:
            await end_call(
                self._carrier,
                call_id,
                is_over=lambda: call_id in self._over,
                call_later=self._call_later,
                log=self._log,
            )
            self._over.add(call_id)
        finally:
            del self._hanging_up[call_id]


async def end_call(
    carrier: Carrier,
    call_id: str,
    *,
    call_later: CallLater,
    log: FilteringBoundLogger,
    is_over: Callable[[], bool] = lambda: False,
) -> bool:
    """Ask a carrier to end a call, again and again for a minute; False: it may be alive, and that is logged."""
    for pause_s in (*HANG_UP_S, None):
        if is_over() or await carrier.hang_up(call_id):
            return True
        if pause_s is not None:
            woken = asyncio.Event()
            call_later(pause_s, woken.set)
            await woken.wait()
    log.error("phone_may_be_alive", detail=f"the carrier did not hang up, asked {len(HANG_UP_S) + 1} times")
    return False
