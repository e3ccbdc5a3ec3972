"""The local room's client: joins that fail, ends of both kinds, and what it does with a server that errs."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.server import ServerConnection, serve

from relay.dev import room_server
from relay.dev.room_server import RoomServer
from relay.errors import RoomDenied, RoomEnded, RoomError, RoomLost, RoomUnreachable
from relay.rooms.base import Participant
from relay.rooms.device_clock import ManualClock
from relay.rooms.local import LocalRoom
from relay.rooms.wire import Joined, ParticipantJoined, event_text, parse_event
from tests.rooms.listener import Listener, run

Handler = Callable[[ServerConnection], Awaitable[None]]
JOINED = event_text(Joined("me", ()))


@asynccontextmanager
async def server_of(handler: Handler) -> AsyncIterator[str]:
    """The room_url of a server that does what the test says."""
    async with serve(handler, "127.0.0.1", 0, compression=None) as server:
        yield f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/rooms/x"


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/rooms/x", "http://no.such.host.invalid/rooms/x", "ftp://x/y"])
def test_a_room_that_is_not_there_is_unreachable(url: str, closed_port: int) -> None:
    """F18."""

    async def scenario() -> None:
        with pytest.raises(RoomUnreachable):
            await LocalRoom(url.format(port=closed_port)).join(Listener())

    run(scenario())


def test_a_path_that_is_no_room_is_unreachable() -> None:
    async def scenario() -> None:
        async with RoomServer(port=0) as server:
            with pytest.raises(RoomUnreachable, match="404"):
                await LocalRoom(server.room_url("no/room")).join(Listener())

    run(scenario())


def test_a_full_room_is_denied(monkeypatch: pytest.MonkeyPatch) -> None:
    """F18."""
    monkeypatch.setattr(room_server, "PARTICIPANTS_MAX", 1)

    async def scenario() -> None:
        async with RoomServer(port=0) as server:
            first = LocalRoom(server.room_url("x"))
            await first.join(Listener())
            with pytest.raises(RoomDenied, match=r"403: The room x is full: 1 participants\."):
                await LocalRoom(server.room_url("x")).join(Listener())
            await first.leave()

    run(scenario())


def test_a_server_that_accepts_and_says_nothing_is_unreachable_in_time() -> None:
    async def scenario() -> None:
        async with server_of(lambda connection: connection.wait_closed()) as url:
            with pytest.raises(RoomUnreachable, match="no answer in time"):
                await LocalRoom(url, join_timeout_s=0.1).join(Listener())

    run(scenario())


@pytest.mark.parametrize("first", ["{}", "no json", b"\0" * 640, event_text(Joined("me", (), rate_hz=8000))])
def test_a_server_that_begins_otherwise_is_unreachable(first: str | bytes) -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.send(first)
        await connection.wait_closed()

    async def scenario() -> None:
        async with server_of(handler) as url:
            with pytest.raises(RoomUnreachable):
                await LocalRoom(url).join(Listener())

    run(scenario())


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [(1008, "full", RoomDenied), (1013, "later", RoomDenied), (1011, "oops", RoomUnreachable)],
)
def test_a_close_before_we_are_in_is_told_by_its_code(code: int, reason: str, error: type[RoomError]) -> None:
    async def scenario() -> None:
        async with server_of(lambda connection: connection.close(code, reason)) as url:
            with pytest.raises(error, match=reason):
                await LocalRoom(url).join(Listener())

    run(scenario())


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        (1000, "", RoomEnded),
        (1001, "going", RoomEnded),
        (1008, "ejected: rude", RoomEnded),
        (1011, "oops", RoomLost),
        (0, "no close frame", RoomLost),
    ],
)
def test_an_end_is_on_purpose_only_if_the_server_says_so(code: int, reason: str, error: type[RoomError]) -> None:
    """F20, F21: code 0 is a connection that breaks."""

    async def handler(connection: ServerConnection) -> None:
        await connection.send(JOINED)
        await connection.recv()
        if code:
            await connection.close(code, reason)
        else:
            connection.transport.abort()

    async def scenario() -> None:
        async with server_of(handler) as url:
            room, listener = LocalRoom(url), Listener()
            await room.join(listener)
            await listener.until(lambda: bool(listener.closed))
            assert type(listener.closed[0]) is error
            calls = listener.calls
            await room.leave()
            assert listener.calls == calls

    run(scenario())


def test_a_server_that_lives_without_sending_audio_is_lost_in_five_seconds() -> None:
    """Its pings go on when its mixer has stopped. Events are no audio, and a frame begins the five seconds anew."""
    somebody = ParticipantJoined(Participant("2", "somebody"))

    async def scenario() -> None:
        servers: asyncio.Queue[ServerConnection] = asyncio.Queue()

        async def handler(connection: ServerConnection) -> None:
            await connection.send(JOINED)
            servers.put_nowait(connection)
            await connection.wait_closed()

        async with server_of(handler) as url:
            clock, listener = ManualClock(), Listener()
            await LocalRoom(url, clock=clock).join(listener)
            server = await servers.get()
            for frames in (1, 2):
                clock.advance(4980)
                await server.send(bytes(640))
                await listener.has_heard(frames)
            clock.advance(4980)
            await server.send(event_text(somebody))
            await listener.until(lambda: bool(listener.joined))
            assert listener.closed == []
            clock.advance(20)
            await listener.until(lambda: bool(listener.closed))
            assert isinstance(listener.closed[0], RoomLost)
            assert str(listener.closed[0]).endswith("no audio for 5000 ms")
            assert clock._devices == {}

    run(scenario())


def test_a_stall_of_our_own_does_not_lose_the_room() -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.send(JOINED)
        async for _ in connection:
            await connection.send(bytes(640))

    async def scenario() -> None:
        async with server_of(handler) as url:
            clock, listener = ManualClock(), Listener()
            room = LocalRoom(url, clock=clock)
            await room.join(listener)
            clock.stall(60_000)
            await listener.hears(1)
            assert (listener.closed, room.counts["missed_ticks"]) == ([], 2998)
            await room.leave()

    run(scenario())


def test_leave_while_joining_ends_the_join() -> None:
    async def scenario() -> None:
        connected = asyncio.Event()

        async def handler(connection: ServerConnection) -> None:
            connected.set()
            await connection.wait_closed()

        async with server_of(handler) as url:
            room, listener = LocalRoom(url), Listener()
            joining = asyncio.create_task(room.join(listener))
            await connected.wait()
            await room.leave()
            with pytest.raises(RoomEnded, match="left while joining"):
                await joining
            assert listener.calls == 0

    run(scenario())


def test_bad_messages_are_counted_and_the_rest_goes_on() -> None:
    somebody = Participant("2", "somebody")

    async def handler(connection: ServerConnection) -> None:
        for message in (JOINED, b"\0", "no json", '{"event":"participant_joined"}', '{"event":"news"}'):
            await connection.send(message)
        await connection.send(event_text(ParticipantJoined(somebody)))
        await connection.wait_closed()

    async def scenario() -> None:
        async with server_of(handler) as url:
            room, listener = LocalRoom(url), Listener()
            await room.join(listener)
            await listener.until(lambda: listener.joined == [somebody])
            assert room.counts["bad_messages"] == 3
            await room.leave()

    run(scenario())


@pytest.mark.long
def test_a_server_that_does_not_read_gets_the_newest_frames_and_leave_is_bounded() -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.send(JOINED)
        connection.transport.pause_reading()
        await connection.wait_closed()

    async def scenario() -> None:
        async with serve(handler, "127.0.0.1", 0, compression=None, close_timeout=0.1) as server:
            listening = next(iter(server.sockets))
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            room, listener = LocalRoom(f"http://127.0.0.1:{listening.getsockname()[1]}/rooms/x"), Listener()
            await room.join(listener)
            await listener.until(lambda: room.counts["dropped_frames"] >= 3)
            async with asyncio.timeout(3):
                await room.leave()

    run(scenario())


def test_events_read_as_they_were_written() -> None:
    event = Joined("me", (Participant("1", 'a "name"'), Participant("2", "ü")))
    assert parse_event(event_text(event)) == event
    assert parse_event('{"event":"news"}') is None
