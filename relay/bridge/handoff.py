"""
One end of the Unix socket pair between a front and one of its workers: messages, at most one descriptor with each.

A message is four bytes of its length, most significant first, and what ``messages.encode`` made. Its descriptor
(SCM_RIGHTS) goes with its first byte.
"""

from __future__ import annotations

import array
import asyncio
import os
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import structlog

from relay.bridge.messages import MESSAGE_MAX_BYTES, HandOver, Incoming, Message, Order, encode

OUTBOX_MAX_BYTES: Final = 256 * 1024
"""What waits here, beyond what the kernel takes: a peer that lets so much wait reads nothing any longer."""
READ_BYTES: Final = 64 * 1024
DESCRIPTORS_MAX: Final = 4
"""Received with one read. One is expected; others are taken to be closed."""

_LENGTH: Final = struct.Struct(">I")
_DESCRIPTOR_BYTES: Final = array.array("i").itemsize
_ANCILLARY_BYTES: Final = socket.CMSG_SPACE(DESCRIPTORS_MAX * _DESCRIPTOR_BYTES)
_CLOSE_ON_EXEC: Final = getattr(socket, "MSG_CMSG_CLOEXEC", 0)  # Linux; elsewhere it is set afterwards


class Channel:
    """
    One end of the pair; made on a running loop, which it reads on from then on.

    Args:
        pair: this end. Connected; the channel's own from now on.
        incoming: what the other end may say: ``FROM_FRONT`` or ``FROM_WORKER``.
        on_message: told each message, and the descriptor that came with it, which is its own to close from then on: an
            int with ``HandOver``, always, and None with all others. What it raises ends the pair.
        on_closed: told once, from the loop, why the pair is over, unless ``close`` ended it. No message comes after.
        outbox_max_bytes: what may wait to be sent.
    """

    def __init__(
        self,
        pair: socket.socket,
        *,
        incoming: Order,
        on_message: Callable[[Any, int | None], None],
        on_closed: Callable[[str], None],
        outbox_max_bytes: int = OUTBOX_MAX_BYTES,
    ) -> None:
        pair.setblocking(False)
        self._pair = pair
        self._incoming = Incoming(incoming)
        self._on_message = on_message
        self._on_closed = on_closed
        self._outbox_max_bytes = outbox_max_bytes
        self._loop = asyncio.get_running_loop()
        self._received = bytearray()
        self._descriptor: int | None = None
        """Came with the message that is not whole yet."""
        self._outbox: deque[tuple[memoryview, int | None]] = deque()
        self._outbox_bytes = 0
        self._sent = asyncio.Event()
        self._sent.set()
        self.is_closed = False
        self._loop.add_reader(pair.fileno(), self._read)

    def send(self, message: Message, descriptor: int | None = None) -> None:
        """
        Send a message, in order; never waits. When the pair is over, or ends by this, nothing is sent.

        Args:
            message: what to say.
            descriptor: goes with a ``HandOver``. It is closed here in every case, when it has been sent or cannot be.

        Raises:
            ValueError: the message cannot be encoded. The pair is as before.
        """

    def close(self) -> None:
        """End the pair, without a word: what waits is dropped, and ``on_closed`` is not told."""

    async def flush(self) -> None:
        """Wait until nothing waits to be sent any longer; also because the pair is over."""
        await self._sent.wait()
