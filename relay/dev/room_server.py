"""
The local room server: a small conference server that stands in for Daily on one machine.

Every origin may open its WebSocket, a page from a file or about:blank too, and there is no password: it is for
development, and listens on 127.0.0.1 unless told otherwise.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Annotated, Final, Self
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import orjson
import structlog
import typer
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from relay.dev.conference import Conference
from relay.dev.seat import Seat
from relay.dev.serving import serve_until_signal
from relay.dev.until import Changes
from relay.rooms.base import Participant
from relay.rooms.device_clock import Ticks, shared_clock
from relay.rooms.outbox import Outbox, Stalled
from relay.rooms.wire import CONNECTION_OPTIONS, EJECTED, FRAME_BYTES, ROOM_PATH, STALLED_S

STEP_MS: Final = 10
NAME_MAX: Final = 64
PARTICIPANTS_MAX: Final = 16  # each hears all others: 240 sums of 10 ms a step
ROOMS_MAX: Final = 64

UNSUPPORTED_DATA: Final = 1003
POLICY_VIOLATION: Final = 1008

log = structlog.get_logger(__name__)


class RoomServer:
    """
    ``async with RoomServer(port=0) as server: server.room_url("blue")``.

    Args:
        host, port: where to listen; port 0 is any free one, see ``port``.
        stalled_s: a participant that reads nothing for so long is disconnected.

    Raises:
        OSError: it cannot listen there (on entering).
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 8090, *, stalled_s: float = STALLED_S) -> None:
        self.host = host
        self.port = port
        self.rooms: dict[str, Conference] = {}
        self.changes = Changes()
        """Told whenever somebody has come or gone."""
        self._stalled_s = stalled_s
        self._connections: dict[str, ServerConnection] = {}
        self._server: Server | None = None
        self._ticks: Ticks | None = None

    def room_url(self, name: str) -> str:
        """The ``room_url`` of the room ``name``, which exists while somebody is in it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/rooms/{name}"

    def names(self, room: str) -> list[str]:
        """The names of those in a room."""
        return [seat.participant.name for seat in self.rooms[room].seats.values()] if room in self.rooms else []

    async def eject(self, participant_id: str, reason: str = "by the host") -> None:
        """Make a participant leave; it is told why."""
        await self._connections[participant_id].close(1000, f"{EJECTED}: {reason}")

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve,
            self.host,
            self.port,
            process_request=self._answer,
            **CONNECTION_OPTIONS,
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]
        self._ticks = shared_clock().subscribe(self._step, STEP_MS)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ticks is not None:
            self._ticks.stop()
        if self._server is not None:
            self._server.close(code=1001, reason="the room server is closing")
            await self._server.wait_closed()

    def _step(self, _now_ns: int) -> None:
        for room in self.rooms.values():
            room.step()

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """What is no join of a room is answered over HTTP; None lets the WebSocket open."""
        match = ROOM_PATH.fullmatch(urlsplit(request.path).path)
        if match is None:
            return connection.respond(
                404, f"Expected /rooms/NAME, NAME of {ROOM_PATH.pattern}, got {request.path!r}.\n"
            )
        if "Upgrade" not in request.headers:
            return self._who_is_there(connection, match[1])
        refusal = self._refusal(match[1])
        return None if refusal is None else connection.respond(403, f"{refusal}\n")

    def _who_is_there(self, connection: ServerConnection, name: str) -> Response:
        seats = self.rooms[name].seats.values() if name in self.rooms else ()
        names = [{"id": seat.participant.participant_id, "name": seat.participant.name} for seat in seats]
        response = connection.respond(200, orjson.dumps({"room": name, "participants": names}).decode())
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "application/json"
        return response

    def _refusal(self, name: str) -> str | None:
        if name not in self.rooms:
            return f"All {ROOMS_MAX} rooms are taken." if len(self.rooms) >= ROOMS_MAX else None
        full = len(self.rooms[name].seats) >= PARTICIPANTS_MAX
        return f"The room {name} is full: {PARTICIPANTS_MAX} participants." if full else None

    async def _serve(self, connection: ServerConnection) -> None:
        request = connection.request
        assert request is not None  # noqa: S101 - it has been answered
        url = urlsplit(request.path)
        name = url.path.rpartition("/")[2]
        refusal = self._refusal(name)  # again: others may have come during the handshake
        if refusal is not None:
            await connection.close(POLICY_VIOLATION, refusal)
            return
        display_name = parse_qs(url.query).get("name", [""])[0][:NAME_MAX]
        await self._host(connection, name, Participant(uuid4().hex, display_name))

    async def _host(self, connection: ServerConnection, name: str, participant: Participant) -> None:
        entry = log.bind(room=name, participant_id=participant.participant_id, name=participant.name)
        outbox = Outbox(connection, stalled_s=self._stalled_s, log=entry)
        room = self.rooms.setdefault(name, Conference())
        seat = room.enter(participant, outbox)
        self._connections[participant.participant_id] = connection
        self.changes.changed()
        entry.info("room_server.joined", participants=len(room.seats))
        reason = "error"
        try:
            reason = await _converse(connection, seat)
        finally:
            room.leave(seat, reason)
            if not room.seats:
                del self.rooms[name]
            del self._connections[participant.participant_id]
            self.changes.changed()
            entry.info(
                "room_server.left",
                reason=reason,
                dropped_frames=seat.outbox.dropped_frames,
                dropped_events=seat.outbox.dropped_events,
                trimmed_bytes=seat.heard.trimmed_bytes,
                underruns=seat.heard.underruns,
            )


async def _converse(connection: ServerConnection, seat: Seat) -> str:
    """Carry audio both ways until one of them ends, and return why."""
    writing = asyncio.create_task(seat.outbox.run())
    reading = asyncio.create_task(_read(connection, seat))
    try:
        await asyncio.wait([writing, reading], return_when=asyncio.FIRST_COMPLETED)
        if reading.done():
            return reading.result()
        error = writing.exception()
    finally:
        for task in (writing, reading):
            task.cancel()
        await asyncio.gather(writing, reading, return_exceptions=True)
    if isinstance(error, Stalled):
        # A close frame would wait behind what the participant does not read.
        connection.transport.abort()
        return str(error)
    return "connection lost"


async def _read(connection: ServerConnection, seat: Seat) -> str:
    """Queue what the participant says until it leaves, or breaks the protocol; return why it is gone."""
    try:
        while True:
            message = await connection.recv()
            if isinstance(message, str):
                return await _refuse(connection, UNSUPPORTED_DATA, "expected binary messages only, got text")
            if len(message) != FRAME_BYTES:
                got = f"expected {FRAME_BYTES} bytes of audio, got {len(message)}"
                return await _refuse(connection, POLICY_VIOLATION, got)
            seat.heard.push(message)
    except ConnectionClosed:
        close = connection.protocol.close_rcvd or connection.protocol.close_sent
        return "connection lost" if close is None else close.reason or "left"


async def _refuse(connection: ServerConnection, code: int, reason: str) -> str:
    await connection.close(code, reason)
    return reason


def run(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 is any free one.")] = 8090,
) -> None:
    """Run the local room server until SIGINT or SIGTERM."""
    serve_until_signal(RoomServer(host, port), _announcement, where=f"{host}:{port}")


def _announcement(server: RoomServer) -> str:
    return f"Local room server (stands in for Daily): {server.room_url('NAME')}"


if __name__ == "__main__":
    typer.run(run)
