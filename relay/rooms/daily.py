"""One place in a Daily room, through daily-python: the only module that imports its SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import ModuleType
from typing import Final, Self, TypeAlias

import daily
import structlog

from relay.errors import RoomEnded, RoomUnreachable
from relay.rooms.base import Participant, RoomListener
from relay.rooms.daily_call import LEAVE_TIMEOUT_S, Backend, CrossingEvents
from relay.rooms.daily_callbacks import Crossing
from relay.rooms.daily_devices import MICROPHONE_BYTES, MICROPHONE_PTIME_MS, RATE_HZ, SPEAKER_PTIME_MS
from relay.rooms.daily_errors import cleaned
from relay.rooms.daily_place import Place
from relay.rooms.daily_watch import CallWatch
from relay.rooms.device_clock import DeviceClock, shared_clock
from relay.rooms.gate import ListenerGate

JOIN_TIMEOUT_S: Final = 10.0
RELEASE_TIMEOUT_S: Final = 2.0  # after leaving: together less than a bridge waits for its room, 5 s

MintToken: TypeAlias = Callable[[], Awaitable[str | None]]

log = structlog.get_logger(__name__)


class DailyRoom:
    """
    A ``Room`` at ``room_url``, ``https://DOMAIN.daily.co/NAME``.

    The SDK's completions are its clock. ``docs/rooms.md`` says what is known of it, and what only a live room can tell.

    Args:
        room_url: of the room.
        token: a meeting token, used as it is; None: the room is open, or ``mint_token`` makes one.
        name: what others see, unless the token says another.
        backend: how audio goes in and out.
        mint_token: makes a token for this one join, within its bound; None: none is needed. May raise ``RoomDenied`` or
            ``RoomUnreachable``.
        clock: what the SDK is held to.
        sdk: stands in for ``daily``.
        join_timeout_s: for all of ``join``.
    """

    rate_hz = RATE_HZ
    microphone_ptime_ms = MICROPHONE_PTIME_MS
    speaker_ptime_ms = SPEAKER_PTIME_MS

    def __init__(
        self,
        room_url: str,
        *,
        token: str | None,
        name: str = "relay",
        backend: Backend = Backend.VIRTUAL,
        mint_token: MintToken | None = None,
        clock: DeviceClock | None = None,
        sdk: ModuleType | None = None,
        join_timeout_s: float = JOIN_TIMEOUT_S,
    ) -> None:
        self._room_url = room_url
        self._token = token
        self._name = name
        self._backend = backend
        self._mint_token = mint_token
        self._clock = clock
        self._sdk = sdk or daily
        self._join_timeout_s = join_timeout_s
        self._log = log.bind(room=room_url)
        self._gate: ListenerGate | None = None
        self._opening: asyncio.Task[Sequence[Participant]] | None = None
        self._place: Place | None = None
        self._is_left = False
        self._leaked_threads = 0

    async def join(self, listener: RoomListener) -> Sequence[Participant]:
        """As ``Room.join``, within ``join_timeout_s``."""
        if self._gate is not None:
            raise RuntimeError("DailyRoom.join: a room is joined once")
        if self._is_left:  # a place taken now would never be given back
            raise RoomEnded(f"{self._room_url}: left before joining")
        self._gate = ListenerGate(listener, microphone_bytes=MICROPHONE_BYTES, room=self._room_url)
        self._opening = asyncio.create_task(self._open(self._gate))
        try:
            return await self._opening
        except asyncio.CancelledError:
            if self._is_left:
                raise RoomEnded(f"{self._room_url}: left while joining") from None
            raise

    async def leave(self) -> None:
        """As ``Room.leave``, within ``LEAVE_TIMEOUT_S`` and ``RELEASE_TIMEOUT_S``; also while joining."""
        self._is_left = True
        if self._gate is not None:
            self._gate.shut()
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        if self._place is not None:
            await self._wait_taken_down(self._place)

    @property
    def counts(self) -> Mapping[str, int]:
        """As ``Room.counts``."""
        place = self._place
        return {
            "listener_errors": self._gate.errors if self._gate is not None else 0,
            "missed_ticks": place.missed_ticks if place is not None else 0,
            "dropped_frames": place.dropped_frames if place is not None else 0,
            "bad_messages": place.bad_messages if place is not None else 0,
            "leaked_threads": self._leaked_threads,
        }

    async def _open(self, gate: ListenerGate) -> Sequence[Participant]:
        try:
            async with asyncio.timeout(self._join_timeout_s):
                return await self._take_place(gate)
        except BaseException as error:
            gate.shut()
            if self._place is not None:
                self._place.begin_take_down()  # nobody waits for it here
            if isinstance(error, TimeoutError):
                raise RoomUnreachable(f"{self._room_url}: no answer within {self._join_timeout_s:g} s") from None
            raise

    async def _take_place(self, gate: ListenerGate) -> Sequence[Participant]:
        token, self._token = self._token, None  # the SDK keeps its own, to reconnect with
        if token is None and self._mint_token is not None:
            token = await self._mint_token()
        self._place = place = self._new_place(gate)
        return place.start(await place.join(token, self._name))

    def _new_place(self, gate: ListenerGate) -> Place:
        return Place(
            self._room_url,
            sdk=self._sdk,
            backend=self._backend,
            gate=gate,
            clock=self._clock or shared_clock(),
            events_of=_Events,
            log=self._log,
        )

    async def _wait_taken_down(self, place: Place) -> None:
        try:
            is_down = await place.taken_down(0 if self._leaked_threads else LEAVE_TIMEOUT_S + RELEASE_TIMEOUT_S)
        except Exception as error:  # noqa: BLE001 - of no known class; there is nothing left to give back
            self._log.error("daily_room.release_failed", error=cleaned(repr(error)))
            return
        if not is_down and place.is_answered:
            self._leaked_threads = 1  # it may still end by itself, but nobody waits for that
            self._log.error("daily_room.release_hangs")
        elif not is_down:  # the SDK ends no join before it has failed by itself: 19 s without a network
            self._log.warning("daily_room.join_goes_on")


class _Events(CrossingEvents, daily.EventHandler):
    """The SDK's handler, whose other events are nothing to us."""

    def __new__(cls, *_args: object) -> Self:
        """The SDK's own takes no arguments."""
        return super().__new__(cls)

    def __init__(self, crossing: Crossing, watch: CallWatch) -> None:
        super().__init__()
        self.crossing = crossing
        self.watch = watch
