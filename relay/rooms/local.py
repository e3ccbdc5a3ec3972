"""One place in a room of the local room server (``relay dev room``), over its WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote, urlsplit, urlunsplit

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.frames import Close

from relay.errors import RoomDenied, RoomEnded, RoomError, RoomLost, RoomUnreachable
from relay.media.format import PTIME_MS
from relay.rooms.base import Participant, RoomListener
from relay.rooms.device_clock import DeviceClock, Ticks, shared_clock
from relay.rooms.gate import ListenerGate
from relay.rooms.outbox import Outbox
from relay.rooms.wire import (
    CLOSE_TIMEOUT_S,
    CONNECTION_OPTIONS,
    EJECTED,
    FRAME_BYTES,
    RATE_HZ,
    STALLED_S,
    Joined,
    ParticipantJoined,
    ParticipantLeft,
    parse_event,
)

JOIN_TIMEOUT_S: Final = 10.0
SPEAKER_LOST_MS: Final = (
    5_000  # the server sends a frame every 20 ms, also to those who are alone: its mixer has stopped
)

DENIED_STATUSES: Final = frozenset({401, 403})
DENIED_CODES: Final = frozenset({1008, 1013})  # policy violation, try again later: before we are in
ENDED_CODES: Final = frozenset({1000, 1001})  # normal closure, going away

log = structlog.get_logger(__name__)


class SpeakerLost(Exception):
    """The connection lives, but no frame comes any longer."""


class LocalRoom:
    """
    A ``Room`` at ``room_url``, ``http://HOST:PORT/rooms/NAME``.

    The microphone has a clock of its own; what the server cannot take is dropped, oldest first.
    Speaker frames come as they arrive: the server's clock is the speaker's. The room is lost if none comes for
    ``SPEAKER_LOST_MS``.
    """

    rate_hz = RATE_HZ
    microphone_ptime_ms = PTIME_MS
    speaker_ptime_ms = PTIME_MS

    def __init__(
        self,
        room_url: str,
        *,
        name: str = "relay",
        clock: DeviceClock | None = None,
        join_timeout_s: float = JOIN_TIMEOUT_S,
    ) -> None:
        self.participant_id = ""
        self._room_url = room_url
        self._name = name
        self._clock = clock
        self._join_timeout_s = join_timeout_s
        self._gate: ListenerGate | None = None
        self._connection: ClientConnection | None = None
        self._outbox: Outbox | None = None
        self._ticks: Ticks | None = None
        self._opening: asyncio.Task[Joined] | None = None
        self._live: asyncio.Task[None] | None = None
        self._is_left = False
        self._unheard_ms = 0
        self._is_unheard = asyncio.Event()
        self._log = log.bind(room=room_url)
        self._bad_messages = 0

    async def join(self, listener: RoomListener) -> Sequence[Participant]:
        """As ``Room.join``, within ``join_timeout_s``."""
        if self._gate is not None:
            raise RuntimeError("LocalRoom.join: a room is joined once")
        if self._is_left:  # a place taken now would never be given back
            raise RoomEnded(f"{self._room_url}: left before joining")
        self._gate = ListenerGate(listener, microphone_bytes=FRAME_BYTES, room=self._room_url)
        self._opening = asyncio.create_task(self._open())
        try:
            joined = await self._opening
        except asyncio.CancelledError:
            if self._is_left:
                raise RoomEnded(f"{self._room_url}: left while joining") from None
            raise
        self.participant_id = joined.participant_id
        return joined.participants

    async def leave(self) -> None:
        """As ``Room.leave``, within ``CLOSE_TIMEOUT_S`` and a little; also while joining."""
        self._is_left = True
        if self._gate is not None:
            self._gate.shut()
        self._stop_microphone()
        for task in (self._opening, self._live):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        if self._connection is not None:
            await self._close(self._connection)

    async def _close(self, connection: ClientConnection) -> None:
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):  # close() waits without bound where the server does not read
                await connection.close(1000, "left")
        except TimeoutError:
            connection.transport.abort()

    @property
    def counts(self) -> Mapping[str, int]:
        """As ``Room.counts``."""
        return {
            "listener_errors": self._gate.errors if self._gate is not None else 0,
            "missed_ticks": self._ticks.missed if self._ticks is not None else 0,
            "dropped_frames": self._outbox.dropped_frames if self._outbox is not None else 0,
            "bad_messages": self._bad_messages,
        }

    async def _open(self) -> Joined:
        try:
            async with asyncio.timeout(self._join_timeout_s):
                self._connection = connection = await connect(
                    _websocket_uri(self._room_url, self._name),
                    proxy=None,
                    open_timeout=None,
                    **CONNECTION_OPTIONS,
                )
                joined = await self._first_event(connection)
        except (OSError, TimeoutError, ValueError, WebSocketException) as error:
            raise _join_error(self._room_url, error) from error
        self._start(connection)
        return joined

    async def _first_event(self, connection: ClientConnection) -> Joined:
        try:
            return _joined(await connection.recv())
        except BaseException:
            connection.transport.abort()
            raise

    def _start(self, connection: ClientConnection) -> None:
        self._outbox = Outbox(connection, stalled_s=STALLED_S, log=self._log)
        self._live = asyncio.create_task(self._run(connection, self._outbox))
        clock = self._clock or shared_clock()
        self._ticks = clock.subscribe(self._microphone_tick, self.microphone_ptime_ms)

    def _microphone_tick(self, now_ns: int) -> None:
        if self._gate is not None and self._outbox is not None:
            self._outbox.put_frame(self._gate.microphone_due(now_ns))
        self._unheard_ms += self.microphone_ptime_ms  # not by the time: after a stall of ours, frames wait to be read
        if self._unheard_ms >= SPEAKER_LOST_MS:
            self._is_unheard.set()

    def _stop_microphone(self) -> None:
        if self._ticks is not None:
            self._ticks.stop()

    async def _run(self, connection: ClientConnection, outbox: Outbox) -> None:
        """Both directions and their watch, until one ends, which is told to the listener, or ``leave`` cancels."""
        directions = [asyncio.create_task(each) for each in (self._read(connection), outbox.run(), self._watch())]
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
            error = _closing_error(self._room_url, connection, directions)
        finally:
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)
        connection.transport.abort()
        self._stop_microphone()
        self._log.info("local_room.closed", error=repr(error))
        if self._gate is not None:
            self._gate.close(error)

    async def _read(self, connection: ClientConnection) -> None:
        clock = self._clock or shared_clock()
        while True:
            message = await connection.recv()
            if isinstance(message, str):
                self._event(message)
            elif len(message) == FRAME_BYTES and self._gate is not None:
                self._unheard_ms = 0
                self._gate.speaker_frame(message, clock.now_ns())
            else:
                self._bad_message(f"expected {FRAME_BYTES} bytes of audio, got {len(message)}")

    async def _watch(self) -> None:
        await self._is_unheard.wait()
        raise SpeakerLost(f"no audio for {SPEAKER_LOST_MS} ms")

    def _event(self, text: str) -> None:
        try:
            event = parse_event(text)
        except ValueError as error:
            self._bad_message(str(error))
            return
        if self._gate is None:
            return
        match event:
            case ParticipantJoined():
                self._gate.participant_joined(event.participant)
            case ParticipantLeft():
                self._gate.participant_left(event.participant, event.reason)

    def _bad_message(self, problem: str) -> None:
        self._bad_messages += 1
        if self._bad_messages & (self._bad_messages - 1) == 0:  # 1, 2, 4, ...: 50 messages a second must not flood it
            self._log.warning("local_room.bad_message", problem=problem, bad_messages=self._bad_messages)


def _websocket_uri(room_url: str, name: str) -> str:
    parts = urlsplit(room_url)
    schemes = {"http": "ws", "https": "wss"}
    if parts.scheme not in schemes:
        raise ValueError(f"expected a room_url of http://HOST:PORT/rooms/NAME, got {room_url!r}")
    return urlunsplit((schemes[parts.scheme], parts.netloc, parts.path, f"name={quote(name)}", ""))


def _joined(message: bytes | str) -> Joined:
    event = parse_event(message) if isinstance(message, str) else None
    if not (isinstance(event, Joined) and (event.rate_hz, event.ptime_ms) == (RATE_HZ, PTIME_MS)):
        raise ValueError(f"expected joined at {RATE_HZ} Hz and {PTIME_MS} ms first, got {message[:100]!r}")
    return event


def _join_error(room_url: str, error: Exception) -> RoomError:
    """What a failed join means."""
    match error:
        case InvalidStatus() if error.response.status_code in DENIED_STATUSES:
            body = (error.response.body or b"").decode(errors="replace").strip()
            return RoomDenied(f"{room_url}: HTTP {error.response.status_code}: {body}")
        case ConnectionClosed(rcvd=Close(code=code, reason=reason)) if code in DENIED_CODES:
            return RoomDenied(f"{room_url}: closed with {code}: {reason}")
        case TimeoutError():
            return RoomUnreachable(f"{room_url}: no answer in time")
        case _:
            return RoomUnreachable(f"{room_url}: {error}")


def _closing_error(room_url: str, connection: ClientConnection, directions: list[asyncio.Task[None]]) -> RoomError:
    """Why a connection ended: on purpose only if the server has said so."""
    close = connection.protocol.close_rcvd
    if close is not None and (close.code in ENDED_CODES or close.reason.startswith(EJECTED)):
        return RoomEnded(f"{room_url}: {close.reason or 'closed by the server'}")
    if close is not None:
        return RoomLost(f"{room_url}: closed with {close.code}: {close.reason}")
    ended = next(direction for direction in directions if direction.done())
    return RoomLost(f"{room_url}: {ended.exception()}")
