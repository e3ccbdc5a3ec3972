"""The door to Redis: what is asked through it is answered, or is ``StoreUnavailable`` within about a second."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, Final

from redis.exceptions import NoScriptError, RedisError, ResponseError

from relay.errors import StoreUnavailable
from relay.transfers.clock import Patience
from relay.transfers.health import Health
from relay.transfers.lines import NEVER, TWICE, Command, Line
from relay.transfers.scripts import Script

ANSWER_S: Final = 1.25
BLOCK_MAX_S: Final = 1.0
"""What a command of the reader's may block in Redis."""
REFUSAL: Final = ResponseError
"""Causes a ``StoreUnavailable`` when Redis has answered, but not with what was asked for."""
# A server on the same network answers in a millisecond, one across an ocean in 150: 250 ms without any answer are
# silence. Three tries fit into ANSWER_S, and so does one when a connection is made first, which is three to five times
# there and back; all who ask meanwhile wait for that one attempt.
_SILENCE_S: Final = 0.25
_READING: Final = ("HGETALL", "XRANGE", "ZREVRANGE", "INFO", "SMEMBERS", "EXISTS")  # a replica answers these


class Door:
    """
    What connects to one Redis, and what its failures are called.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix:///path?db=0``.
    """

    def __init__(self, url: str) -> None:
        self.health = Health("store")
        self._reader_health = Health("news")
        self._also_health = Health("store_notices")
        self._is_closed = False
        self._line = Line(url, silence_s=_SILENCE_S)
        self._reader = Line(url, silence_s=BLOCK_MAX_S + ANSWER_S)

    async def run(
        self, script: Script, keys: Sequence[str], arguments: Sequence[str | int], *, also: Sequence[Command] = ()
    ) -> Any:
        """
        Run a script, and return what it answers.

        Args:
            script: such that it may be run twice.
            keys: the script's.
            arguments: the script's.
            also: sent right behind it. The script has been run, whatever becomes of these: that is logged.
        """
        rest = (len(keys), *keys, *arguments)
        replies = await self._answers([("EVALSHA", script.sha1, *rest), *also], ANSWER_S)
        if isinstance(replies[0], NoScriptError):  # Redis has been restarted, or has flushed its scripts
            replies = await self._answers([("EVAL", script.text, *rest), *also], ANSWER_S)
        reply, *others = replies
        if isinstance(reply, RedisError):
            raise _unavailable(reply, self.health)
        self.health.note(None)
        if also:
            self._also_health.note(_first_error(others))
        return reply

    async def ask(self, commands: Sequence[Command], timeout_s: float = ANSWER_S) -> list[Any]:
        """Send commands, and return what they answer."""
        replies = await self._answers(commands, timeout_s)
        if (error := _first_error(replies)) is not None:
            raise _unavailable(error, self.health)
        if commands[0][0] not in _READING:
            self.health.note(None)
        return replies

    async def ask_as_reader(self, commands: Sequence[Command], timeout_s: float) -> list[Any]:
        """Send commands over the reader's own connection, and return what they answer, however long that takes."""
        asking = self._reader.ask(commands, tries=NEVER)
        replies = await self._bounded(asking, timeout_s, self._reader_health)
        if (error := _first_error(replies)) is not None:
            raise _unavailable(error, self._reader_health)
        self._reader_health.note(None)
        return replies

    async def close(self) -> None:
        """Let go of Redis."""
        self._is_closed = True
        await self._line.close()
        await self._reader.close()

    async def _answers(self, commands: Sequence[Command], timeout_s: float) -> list[Any]:
        asking = self._line.ask(commands, tries=TWICE)
        return await self._bounded(asking, timeout_s, self.health)

    async def _bounded(self, asking: Coroutine[Any, Any, list[Any]], timeout_s: float, health: Health) -> list[Any]:
        if self._is_closed:
            asking.close()
            raise StoreUnavailable("the store was closed")
        try:
            async with Patience(timeout_s):
                return await asking
        except (RedisError, OSError) as error:
            raise _unavailable(error, health) from error


def _first_error(replies: Sequence[Any]) -> RedisError | None:
    return next((reply for reply in replies if isinstance(reply, RedisError)), None)


def _unavailable(error: Exception, health: Health) -> StoreUnavailable:
    """What went wrong; noted, unless only the key that was asked for is bad and not Redis: full, read-only, ..."""
    if not (isinstance(error, ResponseError) and str(error).startswith(("WRONGTYPE", "ERR", "NOPERM"))):
        health.note(error)
    unavailable = StoreUnavailable(f"Redis: {type(error).__name__} {error}")
    unavailable.__cause__ = error
    return unavailable
