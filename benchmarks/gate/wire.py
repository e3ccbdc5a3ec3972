"""Stands for the carrier's socket and the server that it came to: what is written is kept, and nothing waits."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Final, cast

from relay.bridge.media_connection import MediaConnection

CONTROL_MAX: Final = 200
"""Bytes; what is longer is audio."""


class Wire(asyncio.Transport):
    """A transport that keeps what was written last. Its socket is connected to nothing: the kernel can be asked."""

    def __init__(self) -> None:
        super().__init__()
        self._socket = socket.socket()
        self._protocol: asyncio.Protocol | None = None
        self.last = b""
        """Of audio."""
        self.written: Callable[[bytes], None] | None = None
        """Given every message of audio."""
        self.frames = 0
        self.control: list[bytes] = []
        """Everything else, until it is answered."""

    def write(self, data: Any) -> None:
        if len(data) > CONTROL_MAX:
            self.frames += 1
            self.last = data
            if self.written is not None:
                self.written(bytes(data))
        else:
            self.control.append(bytes(data))

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = cast("asyncio.Protocol", protocol)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._socket if name == "socket" else default

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def is_closing(self) -> bool:
        return self._protocol is None

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def close(self) -> None:
        if self._protocol is not None:
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)
            self._protocol = None
            self._socket.close()

    abort = close


class Listening:
    """What a connection needs of its server, which is not there."""

    def __init__(self) -> None:
        self.handler_tasks: set[asyncio.Task[None]] = set()

    async def handler(self, connection: MediaConnection) -> None:
        await connection.handshake()

    def is_serving(self) -> bool:
        return True
