"""Media streams that are let in to be closed: for carriers to which nothing else says that a call is to end."""

from __future__ import annotations

import asyncio
from typing import Final, cast

from websockets.frames import CloseCode
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from relay.providers.fields import MESSAGE_MAX_BYTES

CLOSE_TIMEOUT_S: Final = 2.0
"""How long the carrier gets to answer the close."""


class MediaDismissal(asyncio.Protocol):
    """
    Answers an upgrade with 101 and closes the WebSocket at once, with 1000. What comes over it is dropped.

    Args:
        transport: of the connection that asked; this becomes its protocol.
        request: the upgrade, as ``ports.MediaSocket`` has it, with whatever came after it.
        subprotocol: the one to select, if it is offered.
    """

    def __init__(self, transport: asyncio.Transport, request: bytes, *, subprotocol: str | None = None) -> None:
        self._transport = transport
        names = None if subprotocol is None else [Subprotocol(subprotocol)]
        self._protocol = ServerProtocol(
            subprotocols=names,
            select_subprotocol=lambda _, offered: next((each for each in offered if each == subprotocol), None),
            max_size=MESSAGE_MAX_BYTES,
        )
        head, end, rest = request.partition(b"\r\n\r\n")
        self._protocol.receive_data(head + end)
        asked = self._protocol.events_received()[0]
        self._protocol.send_response(self._protocol.accept(cast("Request", asked)))
        self._protocol.send_close(CloseCode.NORMAL_CLOSURE)
        transport.set_protocol(self)
        self._timeout = asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, transport.abort)
        self.data_received(rest)

    def data_received(self, data: bytes) -> None:
        """Look for the answer to the close, and drop whatever else there is."""
        self._protocol.receive_data(data)
        self._protocol.events_received()
        self._write()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why does not matter: it is over
        """It is over."""
        self._timeout.cancel()

    def _write(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
            else:  # the end of what is sent
                self._transport.close()
