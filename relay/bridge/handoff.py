"""
One end of the Unix socket pair between a front and one of its workers: messages, at most one descriptor with each.

A message is four bytes of its length, most significant first, and what ``messages.encode`` made. Its descriptor
(SCM_RIGHTS) goes with its first byte.
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import os
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import structlog

from relay.bridge.messages import MESSAGE_MAX_BYTES, WITH_DESCRIPTOR, Incoming, Message, Order, encode

OUTBOX_MAX_BYTES: Final = 256 * 1024
"""What waits here, beyond what the kernel takes: a peer that lets so much wait reads nothing any longer."""
READ_BYTES: Final = 64 * 1024
READS_MAX: Final = 512
"""In a row, though there may be more: the kernel holds some 200 KB, and one message with a descriptor is the least."""
DESCRIPTORS_MAX: Final = 4
"""Received with one read: the kernel gives those of one message. Others are taken to be closed."""

_LENGTH: Final = struct.Struct(">I")
_DESCRIPTOR_BYTES: Final = array.array("i").itemsize
_ANCILLARY_BYTES: Final = socket.CMSG_SPACE(DESCRIPTORS_MAX * _DESCRIPTOR_BYTES)
_CLOSE_ON_EXEC: Final = getattr(socket, "MSG_CMSG_CLOEXEC", 0)  # Linux; elsewhere it is set afterwards

log = structlog.get_logger(__name__)


class Channel:
    """
    One end of the pair; made on a running loop, which it reads on from then on.

    Args:
        pair: this end. Connected; the channel's own from now on.
        incoming: what the other end may say: ``FROM_FRONT``, ``FROM_WORKER``, or that of a seat.
        on_message: told each message, and the descriptor that came with it, which is its own to close from then on: an
            int with those of ``WITH_DESCRIPTOR``, always, and None with all others. What it raises ends the pair.
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
        pair.settimeout(0)
        self._pair = pair
        self._number = pair.fileno()
        self._incoming = Incoming(incoming)
        self._on_message = on_message
        self._on_closed = on_closed
        self._outbox_max_bytes = outbox_max_bytes
        self._loop = asyncio.get_running_loop()
        self._received = bytearray()
        self._descriptors: deque[int] = deque()
        """Of messages that are not whole yet, or not looked at."""
        self._outbox: deque[tuple[memoryview, int | None]] = deque()
        self._outbox_bytes = 0
        self._is_unread = False
        """The other end reads nothing any longer; what it has said before is still to be heard."""
        self._sent = asyncio.Event()
        self._sent.set()
        self._telling: asyncio.Handle | None = None
        self.is_closed = False
        self._loop.add_reader(self._number, self._read)

    def send(self, message: Message, descriptor: int | None = None) -> None:
        """
        Send a message, in order; never waits. When the pair is over, or ends by this, nothing is sent.

        Args:
            message: what to say.
            descriptor: goes with those of ``WITH_DESCRIPTOR``. It is closed here in every case, when it has been sent
                or cannot be.

        Raises:
            ValueError: the message cannot be encoded, or has a descriptor that it should not have, or has none that it
                should. The pair is as before.
        """
        try:
            encoded = _encoded(message, descriptor)
        except ValueError:
            _close([descriptor])
            raise
        if self.is_closed or self._is_unread:
            _close([descriptor])
            return
        self._outbox.append((memoryview(_LENGTH.pack(len(encoded)) + encoded), descriptor))
        self._outbox_bytes += _LENGTH.size + len(encoded)
        if len(self._outbox) == 1:
            self._write()
        if self._outbox_bytes > self._outbox_max_bytes:
            self._break(f"expected a peer that reads, got one that has let {self._outbox_bytes} bytes wait")

    def close(self) -> None:
        """End the pair, without a word: what waits is dropped, and ``on_closed`` is not told."""
        self._end()
        if self._telling is not None:
            self._telling.cancel()

    async def flush(self) -> None:
        """Wait until nothing waits to be sent any longer; also because the pair is over."""
        await self._sent.wait()

    # Sending

    def _write(self) -> None:
        while self._outbox:
            data, descriptor = self._outbox[0]
            try:
                sent = self._pair.sendmsg([data], _ancillary(descriptor))
            except (BlockingIOError, InterruptedError):
                break
            except ConnectionError:  # it has closed its end: it may have said why, and that is to be read first
                self._is_unread = True
                self._drop_outbox()
            except OSError as error:
                self._break(f"expected to send, got {error!r}")
            else:
                self._outbox_bytes -= sent
                _close([descriptor])
                self._outbox[0] = (data[sent:], None)
                if sent == len(data):
                    self._outbox.popleft()
        if self._outbox:
            self._sent.clear()
            self._loop.add_writer(self._number, self._write)
        elif not self.is_closed:
            self._sent.set()
            self._loop.remove_writer(self._number)

    def _drop_outbox(self) -> None:
        _close(descriptor for _, descriptor in self._outbox)
        self._outbox.clear()
        self._outbox_bytes = 0

    # Receiving

    def _read(self) -> None:
        # All there is: of a peer that closed its end before it had read everything, libuv tells once, and never again.
        for _ in range(READS_MAX):
            try:
                data, ancillary, _, _ = self._pair.recvmsg(READ_BYTES, _ANCILLARY_BYTES, _CLOSE_ON_EXEC)
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:  # such a peer
                data, ancillary = b"", []
            except OSError as error:
                self._break(f"expected to read, got {error!r}")
                return
            self._descriptors.extend(_received(ancillary))
            self._take(data)
            if self.is_closed:
                return

    def _take(self, data: bytes) -> None:
        if not data:
            self._lose("the other end was closed" + (" in the middle of a message" if self._received else ""))
            return
        self._received += data
        while not self.is_closed and (encoded := self._next()) is not None:
            self._deliver(encoded)
        if len(self._descriptors) > bool(self._received):
            self._break("expected a descriptor with each Seat and HandOver, got another one")

    def _next(self) -> bytes | None:
        """The next whole message."""
        if len(self._received) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._received)
        if length > MESSAGE_MAX_BYTES:
            self._break(f"expected {MESSAGE_MAX_BYTES} bytes at most, got a message of {length}")
            return None
        end = _LENGTH.size + length
        if len(self._received) < end:
            return None
        encoded = bytes(self._received[_LENGTH.size : end])
        del self._received[:end]
        return encoded

    def _deliver(self, encoded: bytes) -> None:
        try:
            message = self._incoming.read(encoded)
        except ValueError as error:
            self._break(str(error))
            return
        descriptor = None
        if isinstance(message, WITH_DESCRIPTOR):
            if not self._descriptors:  # it did not come, or this process may not have another
                self._break(f"expected a descriptor with a {type(message).__name__}, got none")
                return
            descriptor = self._descriptors.popleft()
        try:
            self._on_message(message, descriptor)
        except Exception as error:  # whoever listens cannot go on, so that the other end need not either
            log.exception("message_not_handled", message=type(message).__name__, error=repr(error))
            self._lose(f"{type(message).__name__} could not be handled")

    # The end

    def _break(self, problem: str) -> None:
        """One of the two ends does what it never should."""
        if not self.is_closed:
            log.error("pair_broken", problem=problem)
        self._lose(problem)

    def _lose(self, detail: str) -> None:
        if not self.is_closed:
            self._end()
            self._telling = self._loop.call_soon(self._on_closed, detail)

    def _end(self) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        self._loop.remove_reader(self._number)
        self._loop.remove_writer(self._number)
        with contextlib.suppress(OSError):
            self._pair.shutdown(socket.SHUT_RDWR)  # also if another thread waits for something on it
        self._pair.close()
        self._received.clear()
        _close(self._descriptors)
        self._descriptors.clear()
        self._drop_outbox()
        self._sent.set()


def _encoded(message: Message, descriptor: int | None) -> bytes:
    if isinstance(message, WITH_DESCRIPTOR) == (descriptor is None):
        raise ValueError(
            f"send: expected a descriptor with each Seat and HandOver, and no other, got {type(message).__name__}"
        )
    return encode(message)


def _ancillary(descriptor: int | None) -> list[tuple[int, int, array.array[int]]]:
    if descriptor is None:
        return []
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]


def _received(ancillary: Iterable[tuple[int, int, bytes]]) -> Iterator[int]:
    """Every descriptor that came, closed when a program is executed."""
    for level, kind, data in ancillary:
        if (level, kind) != (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            continue
        descriptors = array.array("i", data[: len(data) - len(data) % _DESCRIPTOR_BYTES])
        for descriptor in descriptors:
            if not _CLOSE_ON_EXEC:
                os.set_inheritable(descriptor, False)  # noqa: FBT003 - the function's only form
            yield descriptor


def _close(descriptors: Iterable[int | None]) -> None:
    for descriptor in descriptors:
        if descriptor is not None:
            with contextlib.suppress(OSError):  # it was none: what is wrong is told when it is used
                os.close(descriptor)
