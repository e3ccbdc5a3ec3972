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
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from relay.transfers.clock import Patience

Command: TypeAlias = tuple[str | int, ...]

CONNECT_S: Final = 1.0
NEVER: Final = Retry(NoBackoff(), 0)
_BROKEN: Final = (RedisConnectionError, RedisTimeoutError, OSError)
TWICE: Final = Retry(ExponentialBackoff(cap=0.1, base=0.02), 2, _BROKEN)  # type: ignore[arg-type]  # any error will do
"""Two more tries, if the connection was broken. What is sent must be such that it may be done twice."""


class Line:
    """
    Sends commands and returns their answers; a connection that fails is made anew for who asks next.

    Args:
        url: as ``TransferStore``'s.
    """

    def __init__(self, url: str) -> None:
        self._pool = ConnectionPool.from_url(
            url,
            socket_connect_timeout=CONNECT_S,
            socket_timeout=None,  # one bound is enough: that of who asks
            retry=NEVER,
            protocol=2,
        )
        self._conversation: _Conversation | None = None
        self._connecting = asyncio.Lock()

    async def ask(self, commands: Sequence[Command], *, tries: Retry, silence_s: float) -> list[Any]:
        """
        Send commands, and return what they answer; where that is an error, the error.

        Args:
            commands: nobody else's come between them.
            tries: how often, if the connection breaks before all are answered.
            silence_s: how long the answers may take each time; who then has none breaks the connection.

        Raises:
            RedisError, OSError: there was no connection, or no answer.
        """
        return await tries.call_with_retry(lambda: self._try(commands, silence_s), _do_nothing)

    async def close(self) -> None:
        """Break the connection. Who still waits for an answer gets an error."""
        if self._conversation is not None:
            await self._conversation.end(RedisConnectionError("closed"))

    async def _try(self, commands: Sequence[Command], silence_s: float) -> list[Any]:
        conversation = self._conversation
        if conversation is None or conversation.is_over:
            conversation = await self._begin()
        try:
            async with Patience(silence_s):
                return await conversation.ask(commands)
        except TimeoutError:
            await conversation.end(RedisTimeoutError("no answer"))
            raise

    async def _begin(self) -> _Conversation:
        async with self._connecting:
            if self._conversation is None or self._conversation.is_over:  # else somebody else was faster
                connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]  # by redis-py
                async with Patience(CONNECT_S):  # TLS, AUTH and SELECT are answered one after the other
                    await connection.connect()  # type: ignore[no-untyped-call]  # by redis-py
                self._conversation = _Conversation(connection)
            return self._conversation


class _Conversation:
    """What is said over one connection, until it breaks."""

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection
        self._unanswered: deque[_Question] = deque()
        self.is_over = False
        self._listening = asyncio.create_task(self._listen())

    async def ask(self, commands: Sequence[Command]) -> list[Any]:
        """Return what commands are answered."""
        if self.is_over:
            raise RedisConnectionError("the connection is closed")
        question = _Question(len(commands))
        packed = b"".join([hiredis.pack_command(command) for command in commands])  # type: ignore[arg-type]  # its stub
        self._unanswered.append(question)  # and nothing comes between this and the first byte's being written
        await self._connection.send_packed_command(packed, check_health=False)
        return await question.replies

    async def end(self, error: Exception) -> None:
        """Break the connection; who waits for an answer gets the error."""
        if self.is_over:
            return
        self.is_over = True
        for question in self._unanswered:
            question.fail(error)
        self._unanswered.clear()
        if asyncio.current_task() is not self._listening:
            self._listening.cancel()
            await asyncio.wait([self._listening])
        await self._connection.disconnect(nowait=True)

    async def _listen(self) -> None:
        try:
            while True:
                self._take(await self._next_reply())
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody reads the answers any longer
            await self.end(error)

    def _take(self, reply: object) -> None:
        if not self._unanswered:
            raise RedisConnectionError("an answer that nobody asked for")
        if self._unanswered[0].take(reply):
            self._unanswered.popleft()

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


async def _do_nothing(_: Exception) -> None:
    """A connection that failed is left by itself."""
