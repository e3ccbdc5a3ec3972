"""One connection that many share: answers are whose they are, and what breaks it breaks it for all, once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import hiredis
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from relay.transfers.lines import NEVER, TWICE, Line

OPEN_S = 0.3


class EchoServer:
    """Answers each ECHO, in order; what a test says about a connection, by its number from 1, goes first."""

    def __init__(self, socket: Path) -> None:
        self.url = f"unix://{socket}"
        self.connections = 0
        self.asked: list[tuple[int, bytes]] = []
        self.is_dead: Callable[[int], bool] = lambda _: False
        self.is_mute_at_first: Callable[[int], bool] = lambda _: False
        self.answers_of: dict[str, int] = {}
        self.go_on = asyncio.Event()
        self.go_on.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._socket = socket

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[EchoServer]:
        listener = await asyncio.start_unix_server(self._serve, self._socket)
        try:
            yield self
        finally:
            self.go_on.set()
            listener.close()
            while self._tasks:  # whose lines are closed by now
                await asyncio.wait(self._tasks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        number = self.connections
        commands = hiredis.Reader()
        try:
            while data := await reader.read(65_536):
                commands.feed(data)
                while (command := commands.gets()) is not False:
                    await self._answer(number, command, writer)
        except OSError:
            pass
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _answer(self, number: int, command: list[bytes], writer: asyncio.StreamWriter) -> None:
        if command[0] != b"ECHO":  # what redis-py says of itself when it connects
            if not self.is_mute_at_first(number):
                writer.write(b"+OK\r\n")
            return
        self.asked.append((number, command[1]))
        await self.go_on.wait()
        if not self.is_dead(number):
            answer = b"-ERR no\r\n" if command[1] == b"bad" else b"$%d\r\n%s\r\n" % (len(command[1]), command[1])
            writer.write(answer * self.answers_of.get(command[1].decode(), 1))


@contextlib.asynccontextmanager
async def opened(server: EchoServer, *, silence_s: float = OPEN_S) -> AsyncIterator[Line]:
    line = Line(server.url, silence_s=silence_s)
    try:
        yield line
    finally:
        await line.close()


async def echo(line: Line, *words: str) -> list[object]:
    return await line.ask([("ECHO", word) for word in words], tries=TWICE)


@contextlib.asynccontextmanager
async def stage(tmp_path: Path, *, silence_s: float = OPEN_S) -> AsyncIterator[tuple[EchoServer, Line]]:
    async with EchoServer(tmp_path / "s").serving() as server, opened(server, silence_s=silence_s) as line:
        yield server, line


async def test_everybody_gets_the_answers_to_what_they_asked(tmp_path: Path) -> None:
    async with stage(tmp_path) as (server, line):
        words = [[f"{asker}-{number}" for number in range(asker % 3 + 1)] for asker in range(50)]
        answers = await asyncio.gather(*(echo(line, *of_one) for of_one in words))
        assert answers == [[word.encode() for word in of_one] for of_one in words]
        assert server.connections == 1


async def test_an_error_is_the_answer_to_one_command_only(tmp_path: Path) -> None:
    async with stage(tmp_path) as (server, line):
        one, bad, last = await echo(line, "one", "bad", "last")
        assert (one, last) == (b"one", b"last")
        assert isinstance(bad, RedisError)
        assert await echo(line, "next") == [b"next"]
        assert server.connections == 1


async def test_who_stops_waiting_leaves_its_answer_to_nobody(tmp_path: Path) -> None:
    async with stage(tmp_path, silence_s=30) as (server, line):
        await echo(line, "first")
        server.go_on.clear()
        askers = [asyncio.create_task(echo(line, str(number))) for number in range(6)]
        while len(server.asked) < 2:  # noqa: ASYNC110 - the server holds the rest back
            await asyncio.sleep(0)
        for gone in askers[::2]:
            gone.cancel()
        server.go_on.set()
        assert await asyncio.gather(*askers[1::2]) == [[b"1"], [b"3"], [b"5"]]
        assert server.connections == 1


async def test_a_connection_that_goes_dead_is_given_up_and_what_was_asked_asked_again(tmp_path: Path) -> None:
    """Nothing comes, and no end either: a power cut, a forgetful NAT."""
    async with stage(tmp_path) as (server, line):
        await echo(line, "first")
        server.is_dead = lambda number: number == 1
        assert await asyncio.gather(*(echo(line, str(number)) for number in range(5))) == [
            [str(number).encode()] for number in range(5)
        ]
        assert server.connections == 2


async def test_a_dead_connection_is_given_up_though_nobody_waits_any_longer(tmp_path: Path) -> None:
    async with stage(tmp_path) as (server, line):
        await echo(line, "first")
        server.is_dead = lambda number: number == 1
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(OPEN_S / 3):
                await echo(line, "lost")
        assert await line.ask([("ECHO", "x")], tries=TWICE) == [b"x"]
        assert server.connections == 2


async def test_answers_that_keep_coming_are_no_silence_for_those_behind(tmp_path: Path) -> None:
    """Whoever is last waits for longer than the silence that is allowed."""
    async with stage(tmp_path, silence_s=0.1) as (server, line):
        await echo(line, "first")
        server.go_on.clear()
        asking = [asyncio.create_task(echo(line, str(number))) for number in range(12)]
        for _ in asking:
            server.go_on.set()
            await asyncio.sleep(0.03)  # the server takes its time: that is what is tested
            server.go_on.clear()
        server.go_on.set()
        await asyncio.gather(*asking)
        assert (server.connections, len(server.asked)) == (1, 13)


async def test_a_write_that_is_cut_off_ends_the_connection_and_nobody_reads_the_rest(tmp_path: Path) -> None:
    async with stage(tmp_path, silence_s=30) as (server, line):
        await echo(line, "first")
        server.go_on.clear()
        large = asyncio.create_task(line.ask([("ECHO", "x" * 40_000_000)], tries=NEVER))
        small = asyncio.create_task(echo(line, "small"))
        await asyncio.sleep(0.05)  # until the sockets are full, which nobody tells
        large.cancel()
        with pytest.raises(asyncio.CancelledError):
            await large
        server.go_on.set()
        assert await small == [b"small"]
        assert await echo(line, "last") == [b"last"]
        assert server.connections == 2


async def test_all_wait_for_one_attempt_to_connect_that_outlives_the_first_of_them(tmp_path: Path) -> None:
    async with stage(tmp_path) as (server, line):
        askers = [asyncio.create_task(echo(line, str(number))) for number in range(4)]
        await asyncio.sleep(0)
        askers[0].cancel()
        assert await asyncio.gather(*askers[1:]) == [[b"1"], [b"2"], [b"3"]]
        assert server.connections == 1


async def test_a_server_that_is_not_there_is_an_error_for_all_who_ask(tmp_path: Path) -> None:
    line = Line(f"unix://{tmp_path}/nothing", silence_s=OPEN_S)
    outcomes = await asyncio.gather(*(echo(line, "x") for _ in range(3)), return_exceptions=True)
    assert {type(each) for each in outcomes} <= {RedisConnectionError, RedisTimeoutError, FileNotFoundError}
    await line.close()


@pytest.mark.parametrize("is_connecting", [False, True])
async def test_closing_is_for_good_and_told_to_all_who_wait(tmp_path: Path, *, is_connecting: bool) -> None:
    async with EchoServer(tmp_path / "s").serving() as server:
        line = Line(f"{server.url}?db=1", silence_s=30)  # a database is asked for, and answered, when it connects
        if is_connecting:
            server.is_mute_at_first = lambda _: True
        else:
            await echo(line, "first")
            server.go_on.clear()
        asking = [asyncio.create_task(echo(line, "x")) for _ in range(3)]
        while not server.connections or (not is_connecting and len(server.asked) < 2):  # noqa: ASYNC110
            await asyncio.sleep(0)
        await line.close()
        for outcome in await asyncio.gather(*asking, return_exceptions=True):
            assert isinstance(outcome, RedisError)
            assert "closed" in str(outcome)
        with pytest.raises(RedisError, match="closed"):
            await echo(line, "again")
        assert server.connections == 1


async def test_an_answer_that_nobody_asked_for_ends_the_connection(tmp_path: Path) -> None:
    """What comes after it would be taken for the answer to something else."""
    async with stage(tmp_path) as (server, line):
        server.answers_of["twice"] = 2
        assert await echo(line, "twice") == [b"twice"]
        assert await echo(line, "next") == [b"next"]
        assert server.connections == 2
