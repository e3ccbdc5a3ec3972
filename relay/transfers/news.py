"""
Who waits for news of which transfer, and how news travel between nodes.

What a node writes wakes its own waiters at once. The other nodes learn of it by a hint in one short stream that all
share, which is sent right behind what it is about: one blocking reader per node reads it, and reads again what its
waiters wait for.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

from relay.errors import StoreUnavailable
from relay.transfers.door import ANSWER_S, BLOCK_MAX_S
from relay.transfers.lines import Command
from relay.transfers.record import Transfer
from relay.transfers.stored import read_transfer, transfer_key

Ask: TypeAlias = Callable[[Sequence[Command], float], Awaitable[list[Any]]]
"""Send commands over one connection; what they answer, or StoreUnavailable after so many seconds."""
Readout: TypeAlias = Transfer | StoreUnavailable | None
"""A transfer as last read; why it cannot be read; None: there is none."""

SYNC_S: Final = BLOCK_MAX_S
"""How often the reader, however busy or idle, makes sure that Redis takes writes and has not lost the stream."""
RETRY_S: Final = 0.2
PACE_S: Final = 0.004
"""Before the reader reads on: in a busy second many hints are read together. Nobody notices 4 ms."""
ALIVE_TTL_S: Final = 10
HINTS_KEPT: Final = 10_000
"""The reader may be as many behind; what it misses, waiters find when their time is over."""
READ_AT_ONCE: Final = 100
"""Transfers: some 4 ms of the loop's time."""


class Subscription:
    """Says that a transfer may have changed."""

    def __init__(self) -> None:
        self.latest: Readout = None
        """As read when it changed last."""
        self._changed = asyncio.Event()

    async def changed(self, timeout_s: float) -> bool:
        """Return whether it has changed since this was called last, or does within ``timeout_s``."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            return False
        self._changed.clear()
        return True

    def tell(self, latest: Readout) -> None:
        """Wake who waits, unless this is known already."""
        if latest == self.latest and latest is not None:
            return
        self.latest = latest
        self._changed.set()


class Subscriptions:
    """Who waits for news of which transfer, on this node."""

    def __init__(self) -> None:
        self._of: dict[str, dict[Subscription, None]] = {}

    @contextlib.contextmanager
    def to(self, transfer_id: str) -> Iterator[Subscription]:
        """Tell of one transfer from now on."""
        subscription = Subscription()
        of_this = self._of.setdefault(transfer_id, {})
        of_this[subscription] = None
        try:
            yield subscription
        finally:
            del of_this[subscription]
            if not of_this:
                del self._of[transfer_id]

    def ids(self) -> list[str]:
        """Return the transfers that somebody waits for."""
        return list(self._of)

    def among(self, transfer_ids: Iterable[str]) -> list[str]:
        """Return those that somebody waits for, each once."""
        return [each for each in dict.fromkeys(transfer_ids) if each in self._of]

    def tell(self, transfer_id: str, latest: Readout) -> None:
        """Wake all who wait for the transfer."""
        for one in self._of.get(transfer_id, ()):
            one.tell(latest)


class News:
    """
    The news of this node: its waiters, what it tells the other nodes, and the reader of theirs.

    Args:
        prefix: of the keys.
        node: names this node among all that share a Redis.
        write: asks over a connection that is shared with others.
        read: asks over a connection of the reader's own.
        on_met: called when Redis may be there, or be there again; ``StoreUnavailable``: it is not.
    """

    def __init__(self, prefix: str, *, node: str, write: Ask, read: Ask, on_met: Callable[[], Awaitable[None]]) -> None:
        self.subscriptions = Subscriptions()
        self._prefix = prefix
        self._stream = f"{prefix}:news"
        # Answered if Redis takes writes, and with what it was answered a second ago, if Redis has not been emptied.
        self._probe: Command = ("SET", f"{prefix}:alive:{node}", 1, "EX", ALIVE_TTL_S, "GET")
        self._write = write
        self._read = read
        self._on_met = on_met
        self._node = node
        self._in_doubt: set[str] = set()
        self._tried = asyncio.Event()
        self._is_closing = False
        self._following: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start to read; return when the first attempt has come to something."""
        self._following = asyncio.create_task(self._follow())
        await self._tried.wait()

    async def close(self) -> None:
        """Stop reading. Who still waits is told to stop."""
        # Before Python 3.12, wait_for may swallow a cancellation: the task looks here, too.
        self._is_closing = True
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])
        for transfer_id in self.subscriptions.ids():
            self.subscriptions.tell(transfer_id, StoreUnavailable("the store was closed"))

    def tell(self, transfer: Transfer) -> None:
        """Tell this node's waiters of what it has just written, or found written."""
        self.subscriptions.tell(transfer.transfer_id, transfer)

    def doubt(self, transfer_id: str) -> None:
        """Have a transfer looked up soon, and told of: it was written to, and there was no answer."""
        self._in_doubt.add(transfer_id)

    def hint(self, transfer_id: str) -> Command:
        """Return the command that tells the other nodes, to be sent right behind what it is about."""
        fields = ("id", transfer_id, "node", self._node)
        return ("XADD", self._stream, "MAXLEN", "~", HINTS_KEPT, "*", *fields)

    # Reading what the other nodes tell

    async def _follow(self) -> None:
        while not self._is_closing:
            try:
                await self._follow_while_answered()
            except StoreUnavailable:  # it is logged where it is raised
                self._tried.set()
                await asyncio.sleep(RETRY_S)

    async def _follow_while_answered(self) -> None:
        """Everything that is waited for is read first: hints were missed."""
        await self._on_met()
        position = await self._synchronise(None)
        self._tried.set()
        now_s = asyncio.get_running_loop().time
        while not self._is_closing:
            sync_at_s = now_s() + SYNC_S
            while (left_s := sync_at_s - now_s()) > 0:
                position = await self._read_hints(position, block_s=left_s)
            position = await self._synchronise(position)

    async def _synchronise(self, position: tuple[int, int] | None) -> tuple[int, int]:
        """Check that Redis takes writes, and still has what it had when the stream was read to ``position``."""
        (before,) = await self._write([self._probe], ANSWER_S)  # over a connection of those who write: it is theirs
        (last,) = await self._read([("XREVRANGE", self._stream, "+", "-", "COUNT", 1)], ANSWER_S)
        newest = _position(last[0][0]) if last else (0, 0)
        if position is None or before is None or newest < position:
            await self._read_again(self.subscriptions.ids())
            return newest
        await self._clear_doubts()
        return position

    async def _clear_doubts(self) -> None:
        """Tell of what may have been written and not been told of, here and elsewhere."""
        in_doubt, self._in_doubt = self._in_doubt, set()
        if not in_doubt:
            return
        try:
            await self._write([self.hint(each) for each in in_doubt], ANSWER_S)
        except StoreUnavailable:
            self._in_doubt |= in_doubt
            raise
        await self._read_again(self.subscriptions.among(in_doubt))

    async def _read_hints(self, position: tuple[int, int], *, block_s: float) -> tuple[int, int]:
        block_ms = max(1, round(block_s * 1000))  # 0 would be for ever
        after = f"{position[0]}-{position[1]}"
        command: Command = ("XREAD", "COUNT", 1000, "BLOCK", block_ms, "STREAMS", self._stream, after)
        (streams,) = await self._read([command], block_s + ANSWER_S)
        if not streams:
            return position
        entries = streams[0][1]
        await self._read_again(self.subscriptions.among(self._of_others(entries)))
        await asyncio.sleep(PACE_S)
        return _position(entries[-1][0])

    def _of_others(self, entries: Sequence[Any]) -> Iterator[str]:
        """Return the transfers of which other nodes tell."""
        for _, flat in entries:
            fields = dict(zip(flat[::2], flat[1::2], strict=False))
            if fields.get(b"node") != self._node.encode():
                yield fields.get(b"id", b"").decode(errors="replace")

    async def _read_again(self, transfer_ids: Sequence[str]) -> None:
        for at in range(0, len(transfer_ids), READ_AT_ONCE):
            some = transfer_ids[at : at + READ_AT_ONCE]
            commands: list[Command] = [("HGETALL", transfer_key(self._prefix, one)) for one in some]
            for one, flat in zip(some, await self._read(commands, ANSWER_S), strict=True):
                self.subscriptions.tell(one, _readout(one, flat))


def _readout(transfer_id: str, flat: Sequence[bytes]) -> Readout:
    try:
        return read_transfer(transfer_id, flat)
    except StoreUnavailable as error:
        return error


def _position(entry_id: bytes) -> tuple[int, int]:
    ms, _, sequence = entry_id.partition(b"-")
    return int(ms), int(sequence)
