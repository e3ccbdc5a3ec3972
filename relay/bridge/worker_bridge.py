"""A bridge in a worker process, as transfers drive it: calls become messages, and messages what they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, TypeAlias

import structlog

from relay.bridge import events
from relay.bridge.endings import reason_not_joined
from relay.bridge.messages import (
    Admit,
    Assign,
    End,
    FromFront,
    FromWorker,
    HandOver,
    Join,
    Over,
    Ring,
    SendDigits,
    Statistics,
    Told,
)
from relay.bridge.pooled_worker import WorkerSeat
from relay.bridge.stats import BridgeStats
from relay.errors import RoomError
from relay.transfers import ports
from relay.transfers.reasons import Reason

RELEASE_MARGIN_S: Final = 2.0
"""A worker may take so much longer to end its bridge than the bridge's own bounds are."""
SILENCE_TICKS: Final = 10
"""A worker that has not reported for so many ticks, of which each should bring statistics, works no longer."""
STEPS: Final = 10
"""Waiting is counted in so many steps, not in time: a front that stood still has not read what was said meanwhile."""
KILL_S: Final = 1.0
"""How long to wait for a killed process: the kernel takes some milliseconds. One with other bridges is not killed."""
MintToken: TypeAlias = Callable[[], Awaitable[str | None]]

LEAKED: Final = "room_leaked_threads"
"""The kind of fault by which a bridge tells of a room that did not let go: no other is to share its process."""
LOST: Final = "worker_lost"
"""The kind of fault that a lost worker counts as."""
HELD_UP: Final = "worker_held_up"
"""That of one that was killed as it did not end its bridge in time: most of what can hold it up is the room."""
_NO_STATS: Final = BridgeStats(
    age_s=0.0, joined=False, participants=0, agent_to_room=None, room_to_agent=None, round_trip_ms=0.0, faults={}
)


class WorkerBridge:
    """
    A ``ports.Bridge``. Whatever becomes of its worker, it ends once, and the transfer is told so once.

    Args:
        seat: ready, and this bridge's alone from now on.
        assign: whose bridge it is.
        on_event: as ``ports.Bridges.acquire``.
        on_statistics: told what the worker reports, once a second.
        on_over: told what it has come to, once, when it holds nothing any longer.
        mint_token: makes the token to join with, if one is needed; bounded.
    """

    def __init__(
        self,
        seat: WorkerSeat,
        assign: Assign,
        *,
        on_event: Callable[[ports.BridgeEvent], None],
        on_statistics: Callable[[BridgeStats], None],
        on_over: Callable[[WorkerBridge, events.Ended], None],
        mint_token: MintToken | None = None,
    ) -> None:
        self.transfer_id = assign.transfer_id
        self._seat = seat
        self._settings = assign.settings
        self._on_event = on_event
        self._on_statistics = on_statistics
        self._on_over = on_over
        self._mint_token = mint_token
        self._log = structlog.get_logger().bind(transfer_id=assign.transfer_id, pid=seat.pid)
        self._loop = asyncio.get_running_loop()
        self._stats = _NO_STATS
        self._was_joined = False
        self._told_end: ports.BridgeEnded | None = None
        self._asked: Reason | None = None
        """Why it is to end, if its owner said so first."""
        self._has_joined = asyncio.Event()
        self._over = asyncio.Event()
        self.is_lost = False
        """Its worker was gone before the bridge was over."""
        self._is_ending = False
        self._held_up: dict[str, int] = {}
        seat.owner = self
        seat.send(assign)
        self._timer: asyncio.TimerHandle | None = None
        self._allow(SILENCE_TICKS * self._settings.tick_s, "report")

    # What its owner does

    @property
    def pid(self) -> int:
        """The process it is in."""
        return self._seat.pid

    async def join(self) -> None:
        """As ``ports.Bridge.join``; a token that is not to be had is as a room that is not."""
        try:
            self._send(Join(await self._mint_token() if self._mint_token is not None else None))
        except RoomError as error:
            self._send(End(reason_not_joined(error), str(error)))  # the agent hears of it as of any other end
        await self._has_joined.wait()

    def hand_over(self, socket: ports.MediaSocket) -> None:
        """As ``ports.Bridge.hand_over``. A worker that is gone takes nothing: the connection is closed."""
        self._send(HandOver(socket.request, socket.provider), socket.descriptor)

    def ring(self) -> None:
        """As ``ports.Bridge.ring``."""
        self._send(Ring())

    def admit(self) -> None:
        """As ``ports.Bridge.admit``."""
        self._send(Admit())

    def send_digits(self, digits: str) -> bool:
        """As ``ports.Bridge.send_digits``; a worker that finds no stream notes it (``digits_lost``)."""
        if self._told_end is not None:
            return False
        self._send(SendDigits(digits))
        return True

    async def release(self, reason: Reason) -> None:
        """As ``ports.Bridge.release``; bounded by the settings' time-outs, and some seconds for a worker that hangs."""
        if self._asked is None and not self._over.is_set():
            self._asked = reason
            self._send(End(reason))
            self._expect_end()
        await self._over.wait()
        if self.is_lost:
            await self._until_killed()

    # What its worker tells

    def worker_told(self, message: FromWorker) -> None:
        """As ``WorkerOwner.worker_told``."""
        if not self._is_ending:
            self._steps_left = STEPS
        match message:
            case Told(event):
                self._take(event)
            case Statistics(stats):
                self._stats = stats
                self._on_statistics(stats)
            case Over(ended):
                self._seat.expect_exit(is_sound=not ended.stats.faults.get(LEAKED))
                self._tell_end(ended.reason, ended.detail)
                self._finish(ended)
            case _:
                raise ValueError(f"worker: expected no {type(message).__name__} once it has a transfer")

    def worker_lost(self, detail: str) -> None:
        """As ``WorkerOwner.worker_lost``."""
        if self._over.is_set():
            return  # in order: it has said so before
        self.is_lost = True
        told = self._tell_end(self._asked or Reason.WORKER_LOST, detail)
        # The spreads are of its last second: those of the whole call are lost with it.
        stats = replace(self._stats, faults={**self._stats.faults, LOST: 1, **self._held_up})
        self._finish(events.Ended(told.reason, told.detail, self._was_joined, stats))
        self._log.error("worker_lost", detail=detail)

    # Inside

    def _send(self, message: FromFront, descriptor: int | None = None) -> None:
        self._seat.send(message, descriptor)

    def _take(self, event: ports.BridgeEvent) -> None:
        if self._told_end is not None:
            return
        if isinstance(event, ports.BridgeEnded):
            self._expect_end()
            self._tell_end(event.reason, event.detail)
            return
        if isinstance(event, ports.RoomJoined):
            self._has_joined.set()
        elif isinstance(event, ports.BothHeard):
            self._was_joined = True
        self._on_event(event)

    def _tell_end(self, reason: Reason, detail: str) -> ports.BridgeEnded:
        """The last thing that the transfer is told; the first reason counts, and is returned."""
        self._has_joined.set()  # or never will be: nobody is to wait for it
        if self._told_end is None:
            self._told_end = ports.BridgeEnded(reason, detail)
            self._on_event(self._told_end)
        return self._told_end

    def _finish(self, ended: events.Ended) -> None:
        if not self._over.is_set():
            self._stop_waiting()
            self._over.set()
            self._on_over(self, ended)

    def _expect_end(self) -> None:
        """From here on it reports nothing, and has as long as a bridge may take to end."""
        if not self._is_ending:
            self._is_ending = True
            settings = self._settings
            leave_agent_s = settings.notice_timeout_s + settings.close_timeout_s
            self._allow(max(leave_agent_s, settings.leave_timeout_s) + RELEASE_MARGIN_S, "end the bridge")

    def _allow(self, within_s: float, what: str) -> None:
        """Give up unless the worker does this within so long."""
        self._stop_waiting()
        self._steps_left = STEPS
        self._step(within_s, what)

    def _step(self, within_s: float, what: str) -> None:
        if self._steps_left:
            self._steps_left -= 1
            self._timer = self._loop.call_later(within_s / STEPS, self._step, within_s, what)
        else:
            self._give_up(f"expected the worker to {what} within {within_s:g} s")

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self, detail: str) -> None:
        self._held_up = {HELD_UP: 1} if self._is_ending else {}
        self._seat.kill()
        self.worker_lost(detail)

    async def _until_killed(self) -> None:
        """Wait until a lost worker holds nothing any longer; it may still be in its room."""
        self._seat.kill()
        try:
            async with asyncio.timeout(KILL_S):
                await self._seat.gone.wait()
        except TimeoutError:
            self._log.error("worker_not_killed", detail=f"expected the process to be gone within {KILL_S:g} s")
