"""The local room server over real sockets: each hears the others, and nobody disturbs anybody."""

import asyncio
import json
import socket
import urllib.error
import urllib.request

import numpy as np
import pytest
from websockets.asyncio.client import connect

from relay.dev import room_server
from relay.dev.conference import Conference
from relay.dev.room_server import RoomServer
from relay.dev.seat import QUEUED_MAX_BYTES, STEP_BYTES, Heard
from relay.errors import RoomEnded
from relay.rooms.local import LocalRoom
from relay.rooms.wire import FRAME_BYTES
from tests.rooms.listener import Listener, level, run
from tests.signals import largest_step, pcm, samples_of, tone

TONES_HZ = (400, 1000, 2200)
UPGRADE = (
    "GET /rooms/x HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


async def join(server: RoomServer, listener: Listener, name: str = "") -> LocalRoom:
    room = LocalRoom(server.room_url("x"), name=name)
    await room.join(listener)
    return room


def websocket_url(server: RoomServer) -> str:
    return server.room_url("x").replace("http", "ws")


def seat_errors(server: RoomServer, room: LocalRoom) -> tuple[int, int, int]:
    seat = server.rooms["x"].seats[room.participant_id]
    return seat.heard.underruns, seat.heard.trimmed_bytes, seat.outbox.dropped_frames


def test_each_of_three_hears_the_two_others_and_not_itself() -> None:
    async def scenario() -> None:
        async with RoomServer(port=0) as server:
            listeners = [Listener(tone_hz) for tone_hz in TONES_HZ]
            rooms = [await join(server, listener) for listener in listeners]
            await asyncio.gather(*(listener.hears(10) for listener in listeners))
            heard = await asyncio.gather(*(listener.hears(25) for listener in listeners))
            for own_hz, samples in zip(TONES_HZ, heard, strict=True):
                levels = {tone_hz: level(samples, tone_hz) for tone_hz in TONES_HZ}
                assert levels.pop(own_hz) < 8
                assert list(levels.values()) == pytest.approx([8000, 8000], rel=0.01)
            for room in rooms:
                await room.leave()

    run(scenario())


def test_somebody_alone_hears_silence_in_real_time() -> None:
    """The speaker's clock is what it receives."""

    async def scenario() -> None:
        async with RoomServer(port=0) as server:
            room = await join(server, listener := Listener(400))
            assert not np.any(await listener.hears(25))
            times_ms = np.array([now_ns for now_ns, _ in listener.heard]) / 1e6
            assert times_ms[-1] - times_ms[0] == pytest.approx(20 * (len(times_ms) - 1), abs=15)
            await room.leave()

    run(scenario())


def test_the_mixer_saturates() -> None:
    async def scenario() -> None:
        async with RoomServer(port=0) as server:
            loud = [await join(server, Listener(400, level=32000)) for _ in range(3)]
            room = await join(server, listener := Listener())
            await listener.hears(10)
            samples = await listener.hears(10)
            assert (samples.max(), samples.min()) == (32767, -32768)
            steps = np.abs(np.diff(samples.astype(int)))
            assert steps.max() < 3 * 32000 * 2 * np.pi * 400 / 16000 * 1.05  # of three sines; wrapping would be 65535
            for place in (*loud, room):
                await place.leave()

    run(scenario())


def test_a_silent_participant_and_one_that_never_reads_disturb_nobody() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with RoomServer(port=0, stalled_s=0.3) as server:
            one, two = Listener(400), Listener(1000)
            rooms = [await join(server, listener) for listener in (one, two)]
            async with connect(websocket_url(server), compression=None, max_queue=None):  # sends nothing
                with socket.socket() as deaf:
                    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                    deaf.setblocking(False)  # noqa: FBT003 - the standard library's own way
                    await loop.sock_connect(deaf, ("127.0.0.1", server.port))
                    await loop.sock_sendall(deaf, UPGRADE.encode())
                    await one.until(lambda: len(one.joined) == 3)
                    begin = len(one.heard)
                    await one.until(lambda: bool(one.left))
                assert one.left == [(one.joined[2], "read nothing for 0.3 s")]
                samples = samples_of(b"".join(pcm for _, pcm in one.heard[begin + 10 :]))
                whole = len(samples) // 800 * 800
                assert level(samples[:whole], 1000) == pytest.approx(8000, rel=0.01)
                assert [seat_errors(server, room) for room in rooms] == [(0, 0, 0)] * 2
            for room in rooms:
                await room.leave()

    run(scenario())


def test_a_burst_after_a_stall_leaves_no_lasting_delay() -> None:
    """200 ms late at once: at most 60 ms wait, and a second later no more than in the steady case."""
    heard, frame = Heard(), bytes(FRAME_BYTES)
    for _ in range(20):
        heard.pull()
    for _ in range(10):
        heard.push(frame)
    assert heard.queued_bytes == QUEUED_MAX_BYTES
    depths = []
    for step in range(400):
        heard.pull()
        depths.append(heard.queued_bytes)
        if step % 2:
            heard.push(frame)
    assert max(depths[-100:]) <= FRAME_BYTES + STEP_BYTES
    assert min(depths[-100:]) == STEP_BYTES
    assert heard.underruns == 0


def test_what_is_trimmed_is_heard_as_no_click() -> None:
    """A step is five and a half periods: without it the wave would jump to its opposite."""
    said = pcm(tone(550, 16000, 4 * FRAME_BYTES // 2, amplitude=0.5))
    frames = [said[at : at + FRAME_BYTES] for at in range(0, len(said), FRAME_BYTES)]
    heard = Heard()
    for frame in frames[:3]:
        heard.push(frame)
    played = [heard.pull(), heard.pull()]
    heard.push(frames[3])
    assert heard.trimmed_bytes == STEP_BYTES
    played += [heard.pull() for _ in range(6)]
    assert b"".join(filter(None, played))[:STEP_BYTES] == said[:STEP_BYTES]
    assert largest_step(b"".join(filter(None, played))) <= 1.1 * largest_step(said)


def test_a_frame_may_be_ten_milliseconds_late() -> None:
    heard, frame = Heard(), bytes(range(256)) * 2 + bytes(128)
    heard.push(frame)
    assert heard.pull() is None
    assert (heard.pull(), heard.pull()) == (frame[:STEP_BYTES], frame[STEP_BYTES:])
    heard.push(frame)
    assert (heard.pull(), heard.underruns) == (frame[:STEP_BYTES], 0)


def test_an_empty_queue_is_silence_and_begins_anew() -> None:
    heard = Heard()
    heard.push(bytes(FRAME_BYTES))
    assert [heard.pull() is None for _ in range(5)] == [True, False, False, True, True]
    assert heard.underruns == 1


@pytest.mark.parametrize(
    ("message", "code", "reason"),
    [
        (bytes(639), 1008, "expected 640 bytes of audio, got 639"),
        (b"", 1008, "expected 640 bytes of audio, got 0"),
        ('{"event":"news"}', 1003, "expected binary messages only, got text"),
    ],
)
def test_a_wrong_message_closes_that_connection_alone(message: bytes | str, code: int, reason: str) -> None:
    async def scenario() -> None:
        async with RoomServer(port=0) as server:
            room = await join(server, listener := Listener())
            async with connect(websocket_url(server), compression=None) as wrong:
                await wrong.send(message)
                await wrong.wait_closed()
                assert (wrong.close_code, wrong.close_reason) == (code, reason)
            await listener.until(lambda: [told for _, told in listener.left] == [reason])
            await listener.hears(2)
            await room.leave()

    run(scenario())


async def get(url: str) -> tuple[int, str]:
    def request() -> tuple[int, str]:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - our own server
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    return await asyncio.to_thread(request)


def test_http_says_who_is_there_and_that_other_paths_are_no_rooms() -> None:
    async def scenario() -> None:
        async with RoomServer(port=0) as server:
            room = await join(server, Listener(), "Ann & Bo")
            status, body = await get(server.room_url("x"))
            people = [{"id": room.participant_id, "name": "Ann & Bo"}]
            assert (status, json.loads(body)) == (200, {"room": "x", "participants": people})
            for name in ("", "a/b", "a" * 65, "%20"):
                status, body = await get(server.room_url(name))
                assert (status, body.startswith("Expected /rooms/NAME")) == (404, True)
            await room.leave()

    run(scenario())


def test_a_room_is_gone_with_its_last_participant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_server, "ROOMS_MAX", 1)

    async def scenario() -> None:
        async with RoomServer(port=0) as server:
            for name in ("one", "two"):
                room, witness = LocalRoom(server.room_url(name)), LocalRoom(server.room_url(name))
                await witness.join(listener := Listener())
                await room.join(Listener())
                await room.leave()
                await listener.until(lambda listener=listener: bool(listener.left))  # type: ignore[misc]
                assert list(server.rooms) == [name]
                connection = server._connections[witness.participant_id]
                await witness.leave()
                await asyncio.gather(*server._server.handler_tasks)  # type: ignore[union-attr]
                assert connection.close_code == 1000
                assert not server.rooms

    run(scenario())


def test_a_closing_server_tells_everybody() -> None:
    async def scenario() -> None:
        listeners = [Listener(), Listener()]
        async with RoomServer(port=0) as server:
            rooms = [await join(server, listener) for listener in listeners]
        for listener in listeners:
            await listener.until(lambda listener=listener: bool(listener.closed))  # type: ignore[misc]
            assert isinstance(listener.closed[0], RoomEnded)
            assert "closing" in str(listener.closed[0])
        for room in rooms:
            await room.leave()
        assert server._connections == {}

    run(scenario())


def test_a_name_that_is_no_utf_8_is_shown_as_such() -> None:
    async def scenario() -> None:
        async with RoomServer(port=0) as server:
            room = await join(server, listener := Listener())
            async with connect(f"{websocket_url(server)}?name=a%FF{'b' * 100}", compression=None):
                await listener.until(lambda: bool(listener.joined))
            assert listener.joined[0].name == "a\ufffd" + "b" * 62
            await room.leave()

    run(scenario())


def test_an_empty_conference_steps() -> None:
    conference = Conference()
    conference.step()
    assert conference.seats == {}
