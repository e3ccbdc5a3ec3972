"""The load's phones against a real server: what they say, when, and what they answer."""

import contextlib
import itertools
import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from relay.dev.bench._phones import Phones
from relay.dev.bench.load import PHONE_FRAME_BYTES, Bursts, LoadPlan, Stall
from relay.dev.bench.phone_call import Call
from relay.dev.bench.phones import LoadError, PhonesProcess
from relay.providers.base import AudioReceived, StreamStarted
from relay.providers.twilio import TwilioAdapter
from tests.dev.bench.server import peer

MS = 1_000_000
PING, PONG = 0x89, 0x8A
PAYLOADS = [bytes([number]) * PHONE_FRAME_BYTES for number in range(3)]


def said(plan: LoadPlan, frames: int, calls: int = 1) -> list[tuple[list[int], list[int]]]:
    """When each frame was due and was written, by call."""
    with peer() as server, PhonesProcess(server.port, calls, plan=plan, keep=True) as phones:
        phones.begin()
        server.until(frames * calls)
        return [(each.due_ns.tolist(), each.written_ns.tolist()) for each in phones.records()]


def test_messages_are_twilios_with_rising_numbers_and_masked() -> None:
    """The server fails a connection whose frames are not masked."""
    with peer() as server, PhonesProcess(server.port, 1, payloads=PAYLOADS) as phones:
        phones.begin()
        server.until(4)
        adapter = TwilioAdapter()
        started, *audio = [event for text in server.texts for event in adapter.parse(text.encode())]
        first = json.loads(server.until(1)[0])
    assert isinstance(started, StreamStarted)
    assert started.stream_id == Call.numbered(0).stream_sid
    assert [(each.sequence, each.payload) for each in audio[:4] if isinstance(each, AudioReceived)] == [
        (number + 1, PAYLOADS[number % 3]) for number in range(4)
    ]
    assert (first["sequenceNumber"], first["media"]["timestamp"]) == ("2", "5")


def test_calls_are_spread_over_the_frame_and_never_early() -> None:
    (one, one_written), (two, _) = said(LoadPlan(), 3, calls=2)
    assert [b - a for a, b in itertools.pairwise(one)][:2] == [20 * MS, 20 * MS]
    assert two[0] - one[0] == 10 * MS
    assert all(written >= due for due, written in zip(one, one_written, strict=True))


def test_clock_of_a_phone_that_drifts_is_fast() -> None:
    ((due, _),) = said(LoadPlan(drift_ppm=1000), 3)
    assert due[2] - due[0] == pytest.approx(40 * MS / 1.001, abs=2)


def test_stall_holds_frames_back_and_lets_them_go_at_once() -> None:
    (one, one_written), (two, two_written) = said(LoadPlan(stalls=(Stall(0.0, 100, every=2),)), 8, calls=2)
    assert min(one_written) >= one[0] + 100 * MS
    assert two_written[0] < one_written[0]
    assert two[0] < one[0] + 100 * MS


def test_burst_ends_within_its_frames() -> None:
    ((due, written),) = said(LoadPlan(bursts=Bursts(every_s=0.08, frames=4)), 8)
    held = [at for at, wrote in zip(due, written, strict=True) if wrote - at >= 10 * MS]
    assert held


def test_jitter_keeps_order() -> None:
    ((due, written),) = said(LoadPlan(jitter_ms=60, seed=3), 20)
    assert written == sorted(written)
    assert max(wrote - at for at, wrote in zip(due, written, strict=True)) >= 30 * MS


def test_pings_are_answered_and_marks_when_all_before_them_is_played() -> None:
    media = json.dumps({"event": "media", "media": {"payload": "AAAA" * 400}})  # 150 ms
    with peer() as server, PhonesProcess(server.port, 1) as phones:
        phones.begin()
        server.until(1)
        (connection,) = server.connections
        connection.send(media)
        connection.send('{"event": "mark", "mark": {"name": "here"}}')
        assert connection.ping().wait(30)
        (mark,) = server.until(1, '"mark"')
        load = phones.end()
    assert json.loads(mark)["mark"] == {"name": "here"}
    assert [text for text in server.texts[: server.texts.index(mark)] if '"media"' in text][6:]
    assert (load.marks, load.pings, load.received, load.heard_bytes) == (1, 1, 1, 1200)


def test_clear_brings_marks_back_at_once() -> None:
    with peer() as server, PhonesProcess(server.port, 1) as phones:
        phones.begin()
        server.until(1)
        (connection,) = server.connections
        connection.send(json.dumps({"event": "media", "media": {"payload": "AAAA" * 160000}}))  # a minute
        connection.send('{"event": "mark", "mark": {"name": "here"}}')
        connection.send('{"event": "clear"}')
        server.until(1, '"mark"')
        assert phones.end().clears == 1


def test_what_is_heard_is_kept_with_its_time() -> None:
    with peer(echoes=True) as server, PhonesProcess(server.port, 1, payloads=PAYLOADS, keep=True) as phones:
        phones.begin()
        server.until(5)
        load = phones.end()
        (record,) = phones.records()
    assert record.payload[: 3 * PHONE_FRAME_BYTES] == b"".join(PAYLOADS)
    assert record.ends[2] == 3 * PHONE_FRAME_BYTES
    assert all(came > wrote for came, wrote in zip(record.arrived_ns, record.written_ns, strict=False))
    assert 0 < load.sent <= len(record.written_ns)  # the first may have been said before the window
    assert 0 < load.core < 1


def test_calls_come_and_go() -> None:
    added = Call("MZadded", path="/other", parameters={"token": "t"})
    with peer() as server, PhonesProcess(server.port, 1) as phones:
        phones.begin()
        (index,) = phones.add(added)
        assert json.loads(server.until(1, '"MZadded"')[0])["start"]["customParameters"] == {"token": "t"}
        assert "/other" in [connection.request.path for connection in server.connections if connection.request]
        assert phones.hang_up(index)
        server.until(1, '"stop"')
        assert not phones.hang_up(index)
        assert (phones.end().open, phones.end().ended) == (1, 0)


def test_call_that_the_server_ends_is_counted() -> None:
    with peer() as server, PhonesProcess(server.port, 2) as phones:
        phones.begin()
        server.until(2)
        server.connections[0].close()
        load = phones.end()
        assert (load.ended, load.ended_by, load.open) == (1, "ECONNRESET", 1)
        assert phones.end().ended_by == "ECONNRESET", "the next window knows it, too"


def test_server_that_is_not_there_is_said() -> None:
    with peer() as server:
        port = server.port
    with pytest.raises(LoadError, match="ConnectionRefusedError"):
        PhonesProcess(port, 1)


def test_who_is_behind_with_everything_still_listens_and_answers() -> None:
    """A load that cannot keep up would else never read again: calls would end that its server did not end."""
    ours, theirs = socket.socketpair()
    phones = Phones([b"AAAA"], speed=1.0)
    ours.setblocking(False)  # noqa: FBT003 - as it is
    phones.add(ours.detach(), b"MZ", b"", -10_000 * MS)  # 500 frames are due at once
    theirs.sendall(bytes((PING, 1)) + b"?")
    thread = threading.Thread(target=phones.run)
    thread.start()
    try:
        frames = list(itertools.takewhile(lambda opcode: opcode != PONG, opcodes(theirs)))
    finally:
        phones.stop()
        thread.join()
        theirs.close()
    assert 0 < len(frames) < 250


def opcodes(connection: socket.socket) -> Iterator[int]:
    """The first byte of each masked frame that comes."""
    with connection.makefile("rb") as data:
        while head := data.read(2):
            size = head[1] & 0x7F
            yield head[0]
            data.read((int.from_bytes(data.read(2), "big") if size == 126 else size) + 4)


class Answering:
    """A load's two pipes, which lets one thread in before it answers another, if it is let."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._both = threading.Barrier(2)

    def write(self, line: str) -> None:
        self.said.append(line)
        with contextlib.suppress(threading.BrokenBarrierError):
            self._both.wait(0.1)

    def flush(self) -> None: ...

    def readline(self) -> str:
        return json.dumps({"was_there": json.loads(self.said[-1])["index"]})


def test_threads_that_ask_at_once_have_their_own_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with peer() as server, PhonesProcess(server.port, 0) as phones, ThreadPoolExecutor(2) as threads:
        pipes = Answering()
        monkeypatch.setattr(phones, "_commands", pipes)
        monkeypatch.setattr(phones, "_answers", pipes)
        assert list(threads.map(phones.hang_up, (0, 1))) == [False, True]
