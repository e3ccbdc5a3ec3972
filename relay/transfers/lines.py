"""
One connection to Redis that many use at once: commands go out as they come, and are answered in that order.

It is redis-py's, without its client and its pool: those look at a connection before each command whether it has been
closed meanwhile, which takes a third of a transition, and keep it from everybody else until it is answered.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import hiredis
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from relay.transfers.clock import Patience, Steps

Command: TypeAlias = tuple[str | int, ...]

CONNECT_S: Final = 1.0
NEVER: Final = Retry(NoBackoff(), 0)
_BROKEN: Final = (RedisConnectionError, RedisTimeoutError, OSError)
TWICE: Final = Retry(ExponentialBackoff(cap=0.1, base=0.02), 2, _BROKEN)  # type: ignore[arg-type]  # any error will do
"""Two more tries, if the connection was broken. What is sent must be such that it may be done twice."""


class Line:
    """
    Sends commands and returns their answers; a connection that fails is made anew for who asks next.

    Who stops waiting breaks nothing: the answer comes, and is nobody's. How long to wait is the asker's own matter.

    Args:
        url: as ``TransferStore``'s.
        silence_s: while anything is unanswered, something must be answered within this, or the connection is broken.
    """

    def __init__(self, url: str, *, silence_s: float) -> None:
        self._pool = ConnectionPool.from_url(
            url,
            socket_connect_timeout=CONNECT_S,
            socket_timeout=None,  # one bound is enough: the conversation's
            retry=NEVER,
            protocol=2,
        )
        self._silence_s = silence_s
        self._conversation: _Conversation | None = None
        self._connecting: asyncio.Task[_Conversation] | None = None
        self._is_closed = False

    async def ask(self, commands: Sequence[Command], *, tries: Retry) -> list[Any]:
        """
        Send commands, and return what they answer; where that is an error, the error.

        Args:
            commands: nobody else's come between them.
            tries: how often, if the connection breaks before all are answered.

        Raises:
            RedisError, OSError: there was no connection, or no answer.
        """
        return await tries.call_with_retry(lambda: self._try(commands), _do_nothing)

    async def close(self) -> None:
        """Break the connection, for good. Who still waits for an answer gets an error."""
        self._is_closed = True
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        if self._conversation is not None:
            await self._conversation.end(_closed())

    async def _try(self, commands: Sequence[Command]) -> list[Any]:
        if self._is_closed:
            raise _closed()
        conversation = self._conversation
        if conversation is None or conversation.is_over:
            conversation = await self._connected()
        return await conversation.ask(commands)

    async def _connected(self) -> _Conversation:
        """All wait for one attempt, which goes on when one of them does not wait any longer."""
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect())
            self._connecting.add_done_callback(self._has_connected)
        connecting = self._connecting
        try:
            return await asyncio.shield(connecting)
        except asyncio.CancelledError:
            if connecting.cancelled():  # by close
                raise _closed() from None
            raise

    async def _connect(self) -> _Conversation:
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]  # by redis-py
        try:
            async with Patience(CONNECT_S):  # TLS, AUTH and SELECT are answered one after the other
                await connection.connect()  # type: ignore[no-untyped-call]  # by redis-py
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        self._conversation = _Conversation(connection, self._silence_s)
        return self._conversation

    def _has_connected(self, connecting: asyncio.Task[_Conversation]) -> None:
        self._connecting = None
        if not connecting.cancelled():
            connecting.exception()  # nobody may be waiting any longer to be told


class _Conversation:
    """What is said over one connection, until it breaks."""

    def __init__(self, connection: AbstractConnection, silence_s: float) -> None:
        self._connection = connection
        self._unanswered: deque[_Question] = deque()
        self._silence = Steps(silence_s, self._give_up)
        self._is_silent = False
        self._ending: asyncio.Task[None] | None = None
        self._listening = asyncio.create_task(self._listen())

    @property
    def is_over(self) -> bool:
        """Nothing is asked any more."""
        return self._ending is not None

    async def ask(self, commands: Sequence[Command]) -> list[Any]:
        """Return what commands are answered."""
        if self.is_over or not self._connection.is_connected:
            raise RedisConnectionError("the connection is closed")
        question = _Question(len(commands))
        packed = b"".join([hiredis.pack_command(command) for command in commands])  # type: ignore[arg-type]  # its stub
        if not self._unanswered:
            self._silence.start()
        self._unanswered.append(question)  # and nothing comes between this and the first byte's being written
        try:
            await self._connection.send_packed_command(packed, check_health=False)
        except BaseException:  # redis-py has hung up: what comes next must not be taken for the rest of this
            await self.end(RedisConnectionError("a command was sent in part"))
            raise
        return await question.replies

    async def end(self, error: Exception) -> None:
        """Break the connection, and return when it is; who waits for an answer gets the error."""
        if self._ending is None:
            self._silence.stop()
            for question in self._unanswered:
                question.fail(error)
            self._unanswered.clear()
            if asyncio.current_task() is not self._listening:
                self._listening.cancel()
            self._ending = asyncio.create_task(self._connection.disconnect(nowait=True))
        await asyncio.wait({self._listening, self._ending} - {asyncio.current_task()})

    def _give_up(self) -> None:
        self._is_silent = True
        self._listening.cancel()

    async def _listen(self) -> None:
        try:
            while True:
                self._take(await self._next_reply())
        except asyncio.CancelledError:
            if not self._is_silent:
                raise
            await self.end(RedisTimeoutError("no answer"))
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody reads the answers any longer
            await self.end(error)

    def _take(self, reply: object) -> None:
        if not self._unanswered:
            raise RedisConnectionError("an answer that nobody asked for")
        if self._unanswered[0].take(reply):
            self._unanswered.popleft()
        if self._unanswered:
            self._silence.restart()
        else:
            self._silence.stop()

    async def _next_reply(self) -> Any:
        try:
            return await self._connection.read_response()
        except ResponseError as error:
            return error


class _Question:
    """Commands that were sent together, and what has been answered of them. Who asked may have gone."""

    def __init__(self, count: int) -> None:
        self.replies: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._count = count
        self._so_far: list[Any] = []

    def take(self, reply: object) -> bool:
        """Take the next answer; True if it was the last."""
        self._so_far.append(reply)
        if len(self._so_far) < self._count:
            return False
        if not self.replies.done():
            self.replies.set_result(self._so_far)
        return True

    def fail(self, error: Exception) -> None:
        """There will be no more answers."""
        if not self.replies.done():
            self.replies.set_exception(error)
            self.replies.exception()  # whoever is still sending sees that fail, and never looks here


def _closed() -> RedisError:
    return RedisError("the line is closed")  # no error of a connection: nobody tries again


async def _do_nothing(_: Exception) -> None:
    """A connection that failed is left by itself."""
