"""
The transfers in Redis: the only door to it, and everything that is asked through it.

Whatever goes wrong with Redis is ``StoreUnavailable``, within about a second: it is down, does not answer, takes no
writes, or holds what relay has not written. It is used again by itself as soon as it answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import structlog
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from relay.errors import StoreUnavailable
from relay.transfers import scripts, stored
from relay.transfers.answer import Answer, Applied
from relay.transfers.clock import Patience
from relay.transfers.eviction import EvictionCheck
from relay.transfers.health import Health
from relay.transfers.news import ANSWER_S, Command, News, Subscription
from relay.transfers.reasons import Reason
from relay.transfers.recent import RecentTransfers
from relay.transfers.record import TRANSFER_ID, LoggedEvent, Transfer
from relay.transfers.scripts import Script
from relay.transfers.states import Event
from relay.transfers.stored_claims import Claim, ClaimStore

__all__ = ["Answer", "Applied", "Claim", "Subscription", "TransferStore"]

KEEP_S: Final = 3600
LIVE_S: Final = 48 * 3600
"""Twice as long as carriers let a call be (24 h): a live transfer does not expire, one whose node died does."""
# A server on the same network answers in a millisecond, one across an ocean in 150: 250 ms are silence. Three tries fit
# into ANSWER_S, and so does one when a connection is made first, which is three to five times there and back.
_SILENCE_S: Final = 0.25
_CONNECT_S: Final = 1.0
_READING: Final = ("HGETALL", "XRANGE", "ZREVRANGE", "INFO")  # a replica answers these
_BROKEN: Final = (RedisConnectionError, RedisTimeoutError, OSError)
_TRIES: Final = Retry(ExponentialBackoff(cap=0.1, base=0.02), 2, _BROKEN)  # type: ignore[arg-type]  # any error will do
_NO_RETRY: Final = Retry(NoBackoff(), 0)
_ENTRY_ID: Final = re.compile(r"[0-9]{1,18}-[0-9]{1,18}")
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})

_log = structlog.get_logger(__name__)


class TransferStore(ClaimStore):
    """
    All transfers, as one node sees and changes them.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix:///path?db=0``.
        prefix: of all keys, for a Redis that is shared.
        keep_s: how long a transfer can be read after it is over.
        live_s: how long one can be read to which nothing happens any more.
        connections: for commands. One more is held by the reader of the other nodes' news.
    """

    def __init__(
        self, url: str, *, prefix: str = "relay", keep_s: int = KEEP_S, live_s: int = LIVE_S, connections: int = 2
    ) -> None:
        self._door = _Door(url, connections)
        name = os.urandom(8).hex()
        numbers = itertools.count()
        super().__init__(prefix, run=self._door.run, new_attempt=lambda: f"{name}:{next(numbers)}")
        self._live_s = live_s
        check = EvictionCheck(self._door.ask, refusal=ResponseError)
        self._news = News(prefix, node=name, write=self._door.ask, read=self._door.ask_as_reader, on_met=check.look)
        self._recent = RecentTransfers(prefix, ask=self._door.ask)
        self._sources = {event: stored.sources_text(event, keep_s=keep_s, live_s=live_s) for event in Event}

    async def open(self) -> None:
        """Try to reach Redis and begin to follow the news; does not raise if it cannot be reached."""
        await self._news.open()

    async def close(self) -> None:
        """Let go of Redis. Whoever still waits gets ``StoreUnavailable``."""
        await self._news.close()
        await self._door.close()

    @property
    def is_available(self) -> bool:
        """Whether Redis answered, and took a write, when it was used last: that is within a second or so."""
        return self._door.health.is_good

    async def ping(self) -> bool:
        """Return whether Redis answers and takes a write now."""
        with contextlib.suppress(StoreUnavailable):
            await self._door.ask([("SET", f"{self._prefix}:alive", 1, "EX", 10)])
            return True
        return False

    # Transfers

    async def create(self, transfer: Transfer) -> Transfer:
        """
        Store a new transfer; its times are Redis's.

        Raises:
            ValueError: there is one of this id, or the id is none.
        """
        if not TRANSFER_ID.fullmatch(transfer.transfer_id):
            raise ValueError(f"expected a transfer id, got {transfer.transfer_id[:80]!r}")
        head = (self._new_attempt(), self._live_s, transfer.state, transfer.version)
        index = self._recent.adding(transfer.transfer_id)
        arguments = (*head, *stored.flatten_new(transfer))
        applied = await self._transition(scripts.CREATE, transfer.transfer_id, arguments, also=index)
        if applied.answer is not Answer.OK or applied.transfer is None:
            raise ValueError(f"expected a new transfer, got {transfer.transfer_id}, which is there already")
        return applied.transfer

    async def apply(
        self,
        transfer_id: str,
        event: Event,
        *,
        epoch: int,
        event_id: str = "",
        reason: Reason | None = None,
        changes: Mapping[str, str] = _NOTHING,
    ) -> Applied:
        """
        Let an event happen to a transfer, once.

        Args:
            transfer_id: whose.
            event: what happens; where it counts, and what follows, the table says.
            epoch: of the owner who writes.
            event_id: the same event comes with the same id; without one, every call is an event of its own.
            reason: kept with the transfer.
            changes: what the event brings: ``provider_call_id``, ``provider_code``.
        """
        if not changes.keys() <= stored.CHANGEABLE:
            raise ValueError(f"expected changes of {sorted(stored.CHANGEABLE)}, got {sorted(changes)}")
        attempt = self._new_attempt()
        seen_as = f"event:{event_id}" if event_id else f"attempt:{attempt}"
        changed = (reason or "", stored.reconnecting_text(event), self._sources[event])
        head = (stored.SCHEMA, epoch, seen_as, attempt, event, *changed)
        pairs = itertools.chain.from_iterable(changes.items())
        return await self._transition(scripts.APPLY, transfer_id, (*head, *pairs))

    async def get(self, transfer_id: str) -> Transfer | None:
        """Return a transfer; None: there is none of this id, or it is over for long."""
        if not TRANSFER_ID.fullmatch(transfer_id):
            return None
        (flat,) = await self._door.ask([("HGETALL", stored.transfer_key(self._prefix, transfer_id))])
        return stored.read_transfer(transfer_id, flat)

    async def recent(self, limit: int) -> list[Transfer]:
        """Return the newest transfers that can still be read, newest first."""
        return await self._recent.read(limit)

    async def events(self, transfer_id: str, *, after: str = "") -> list[LoggedEvent]:
        """Return what has happened to a transfer, oldest first, from the start or after an ``entry_id``."""
        if not TRANSFER_ID.fullmatch(transfer_id):
            return []
        # What is no entry's id comes from a client that makes it up: it gets everything.
        start = f"({after}" if _ENTRY_ID.fullmatch(after) else "-"
        (entries,) = await self._door.ask(
            [("XRANGE", f"{stored.transfer_key(self._prefix, transfer_id)}:events", start, "+")]
        )
        return [stored.read_event(transfer_id, entry) for entry in entries]

    # Waiting

    async def wait(self, transfer_id: str, met: Callable[[Transfer], bool], *, timeout_s: float) -> Transfer | None:
        """Return a transfer as soon as it is ``met``, or as it is when the time is over; None: there is none."""
        deadline_s = asyncio.get_running_loop().time() + timeout_s
        async with self.news(transfer_id) as news:
            transfer = await self.get(transfer_id)
            while transfer is not None and not met(transfer):
                if not await news.changed(deadline_s - asyncio.get_running_loop().time()):
                    return await self.get(transfer_id)
                if isinstance(news.latest, StoreUnavailable):
                    raise news.latest
                transfer = news.latest
            return transfer

    @contextlib.asynccontextmanager
    async def news(self, transfer_id: str) -> AsyncIterator[Subscription]:
        """Be told when a transfer changes, on whatever node. What is read within the context is not missed."""
        with self._news.subscriptions.to(transfer_id) as subscription:
            yield subscription

    # Tokens of media sockets

    async def mint(self, transfer_id: str, *, epoch: int, stream: int, token_sha256: str, ttl_s: float) -> Answer:
        """
        Let a token open the transfer's media stream of this number, once, within ``ttl_s``; an earlier token no more.

        Ignored if the transfer is over, or has had this stream or a later one. Numbers may be left out: a stream that
        could not be opened is not asked for again. The same token again is good for longer.
        """
        arguments = (stored.SCHEMA, epoch, stream, token_sha256, max(1, round(ttl_s * 1000)), stored.LIVE_STATES)
        return (await self._transition(scripts.MINT, transfer_id, arguments)).answer

    async def consume(self, transfer_id: str, *, token_sha256: str) -> Answer:
        """Use a token up: its stream is the last one then. Ignored if it is wrong, used or too old, or all is over."""
        arguments = (stored.SCHEMA, token_sha256, self._new_attempt(), stored.LIVE_STATES)
        return (await self._transition(scripts.CONSUME, transfer_id, arguments)).answer

    async def _transition(
        self, script: Script, transfer_id: str, arguments: Sequence[str | int], *, also: Sequence[Command] = ()
    ) -> Applied:
        if not TRANSFER_ID.fullmatch(transfer_id):
            return Applied(Answer.MISSING, None)
        key = stored.transfer_key(self._prefix, transfer_id)
        answer, flat = await self._door.run(script, (key, f"{key}:events", f"{key}:seen"), arguments, also=also)
        transfer = stored.read_transfer(transfer_id, flat)  # raises for all that is "unreadable"
        if transfer is not None:  # "duplicate" and "ignored", too: what was done then may have been told to nobody
            self._news.tell(transfer)
        return Applied(Answer(answer.decode()), transfer)


class _Door:
    """What connects to one Redis, and what its failures are called."""

    def __init__(self, url: str, connections: int) -> None:
        self.health = Health("store")
        self._reader_health = Health("news")
        self._is_closed = False
        self._lines = _Lines(url, connections)
        self._reader = _Lines(url, 1)

    async def run(
        self, script: Script, keys: Sequence[str], arguments: Sequence[str | int], *, also: Sequence[Command] = ()
    ) -> Any:
        """Run a script, and more commands right after it; return what the script answers."""
        rest = (len(keys), *keys, *arguments)
        try:
            reply, *_ = await self.ask([("EVALSHA", script.sha1, *rest), *also])
        except NoScriptError:  # Redis has been restarted, or has flushed its scripts
            reply, *_ = await self.ask([("EVAL", script.text, *rest), *also])
        return reply

    async def ask(self, commands: Sequence[Command], timeout_s: float = ANSWER_S) -> list[Any]:
        """Send commands, and return what they answer."""
        asking = self._lines.ask(commands, tries=_TRIES, silence_s=_SILENCE_S)
        replies = await self._watched(asking, timeout_s, self.health)
        if commands[0][0] not in _READING:
            self.health.note(None)
        return replies

    async def ask_as_reader(self, commands: Sequence[Command], timeout_s: float) -> list[Any]:
        """Send commands over the reader's connection, and return what they answer, however long that takes."""
        asking = self._reader.ask(commands, tries=_NO_RETRY, silence_s=timeout_s)
        replies = await self._watched(asking, timeout_s, self._reader_health)
        self._reader_health.note(None)
        return replies

    async def close(self) -> None:
        self._is_closed = True
        await self._lines.close()
        await self._reader.close()

    async def _watched(self, asking: Coroutine[Any, Any, list[Any]], timeout_s: float, health: Health) -> list[Any]:
        if self._is_closed:
            asking.close()
            raise StoreUnavailable("the store was closed")
        try:
            async with Patience(timeout_s):
                return await asking
        except NoScriptError:
            raise
        except (RedisError, OSError) as error:
            if not _is_of_one_key(error):
                health.note(error)
            raise StoreUnavailable(f"Redis: {type(error).__name__} {error}") from error


class _Lines:
    """
    A few connections to one Redis, each for one who asks at a time; one that fails is made anew by who uses it next.

    They are redis-py's, without its client and its pool: those look at a connection before each command whether it has
    been closed meanwhile, which takes a third of a transition. Here the command itself finds out, and is sent again.
    """

    def __init__(self, url: str, count: int) -> None:
        pool = ConnectionPool.from_url(
            url,
            socket_connect_timeout=_CONNECT_S,
            socket_timeout=None,  # one bound is enough, see _try
            retry=_NO_RETRY,
            protocol=2,
        )
        self._all = [pool.make_connection() for _ in range(count)]  # type: ignore[no-untyped-call]  # by redis-py
        self._idle: asyncio.LifoQueue[AbstractConnection] = asyncio.LifoQueue()
        for connection in self._all:
            self._idle.put_nowait(connection)

    async def ask(self, commands: Sequence[Command], *, tries: Retry, silence_s: float) -> list[Any]:
        connection = await self._idle.get()
        try:
            replies = await tries.call_with_retry(
                lambda: self._try(connection, commands, silence_s), lambda _: connection.disconnect(nowait=True)
            )
        except BaseException:
            await connection.disconnect(nowait=True)  # an answer that was not read would be taken for the next one's
            raise
        finally:
            self._idle.put_nowait(connection)
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    async def close(self) -> None:
        for connection in self._all:
            await connection.disconnect()

    async def _try(self, connection: AbstractConnection, commands: Sequence[Command], silence_s: float) -> list[Any]:
        if not connection.is_connected:
            async with Patience(_CONNECT_S):  # TLS, AUTH and SELECT are answered one after the other
                await connection.connect()  # type: ignore[no-untyped-call]  # by redis-py
        async with Patience(silence_s):
            await connection.send_packed_command(connection.pack_commands(commands))
            return [await _reply(connection) for _ in commands]


async def _reply(connection: AbstractConnection) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error


def _is_of_one_key(error: Exception) -> bool:
    """Return whether only the key that was asked for is bad, and not Redis: full, read-only, loading, ..."""
    return isinstance(error, ResponseError) and str(error).startswith(("WRONGTYPE", "ERR", "NOPERM"))
