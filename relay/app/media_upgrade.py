"""The WebSocket upgrades of carriers: authorised before any 101, then handed over with their socket."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, cast

import structlog
from uvicorn.server import ServerState
from websockets.http11 import Request
from websockets.server import ServerProtocol

from relay.app.carrier_urls import PREFIX
from relay.app.services import Services
from relay.errors import StoreUnavailable
from relay.providers.control import Webhook
from relay.transfers.ports import MediaSocket
from relay.transfers.record import TRANSFER_ID

REQUEST_MAX_BYTES: Final = 1 << 16
AUTHORISE_TIMEOUT_S: Final = 3.0
_ID: Final = rf"({TRANSFER_ID.pattern})"
_PATH: Final = re.compile(
    rf"{PREFIX}/([a-z]{{1,32}})/(?:{_ID}/media/|media\?transfer={_ID}&token=)([A-Za-z0-9_-]{{43}})"
)
"""The second form is for carriers that are told only a URL's query for each call."""


@dataclass(frozen=True, slots=True)
class UpgradeRequest:
    """The head of an upgrade request. Names of headers are in lower case; of one that is repeated, all values."""

    target: str
    headers: Mapping[str, str]

    @classmethod
    def parse(cls, received: bytes) -> UpgradeRequest:
        """
        Read the request as the library will that answers it: what it would refuse must not use a token up.

        Raises:
            ValueError: it is no upgrade.
        """
        head, end, _ = received.partition(b"\r\n\r\n")
        protocol = ServerProtocol()
        protocol.receive_data(head + end)
        for request in protocol.events_received():
            if isinstance(request, Request) and protocol.accept(request).status_code == HTTPStatus.SWITCHING_PROTOCOLS:
                names = {name.lower() for name in request.headers}
                headers = {name: ",".join(request.headers.get_all(name)) for name in names}
                return cls(request.path, headers)
        raise ValueError("expected a WebSocket upgrade, got another request")


class MediaUpgrade(asyncio.Protocol):
    """
    What uvicorn gives a connection to that asks for a WebSocket: ``uvicorn.Config(ws=media_upgrade(services))``.

    It is out of the way once the socket has been handed over: no audio passes through here.

    Args:
        services: whose transfers these are.
        connections: the HTTP server's own, each of which it tells of its ``shutdown``.
    """

    def __init__(self, services: Services, connections: set[Any]) -> None:
        self._services = services
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport from the HTTP server."""
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Take the request, which comes whole and first, and whatever follows before it is answered."""
        self._received += data
        if len(self._received) > REQUEST_MAX_BYTES:
            self._refuse("", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "too_long")
        elif self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._decide())

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why does not matter: nobody is there
        """The carrier went, or was sent away."""
        self._connections.discard(self)
        if self._task is not None:
            self._task.cancel()

    def shutdown(self) -> None:
        """The HTTP server stops: nothing that is not served yet will be."""
        self._refuse("", HTTPStatus.SERVICE_UNAVAILABLE, "shutting_down")

    async def _decide(self) -> None:
        provider = ""
        try:
            async with asyncio.timeout(AUTHORISE_TIMEOUT_S):
                request = UpgradeRequest.parse(bytes(self._received))
                match = _PATH.fullmatch(request.target) or _PATH.fullmatch(self._without_base(request.target))
                if match is None or match[1] not in self._services.controls:
                    self._refuse("", HTTPStatus.NOT_FOUND, "not_found")
                    return
                provider, transfer_id, token = match[1], match[2] or match[3], match[4]
                if not self._is_signed(request, provider, transfer_id, token):
                    self._refuse(provider, HTTPStatus.FORBIDDEN, "forged")
                elif await self._services.coordinator.admits(transfer_id, provider, token):
                    self._hand_over(provider, transfer_id)
                else:
                    self._refuse(provider, HTTPStatus.FORBIDDEN, "stranger")
        except (StoreUnavailable, OSError):  # it does not answer in time, or there is no descriptor left
            self._refuse(provider, HTTPStatus.SERVICE_UNAVAILABLE, "unavailable")
        except ValueError:
            self._refuse(provider, HTTPStatus.BAD_REQUEST, "malformed")
        except Exception:  # noqa: BLE001 - whatever a defect broke, the carrier must not wait for an answer
            self._log.exception("upgrade_broke", provider=provider)
            self._refuse(provider, HTTPStatus.INTERNAL_SERVER_ERROR, "broke")

    def _without_base(self, target: str) -> str:
        """The path below that of the public URL: a proxy may pass it on as it came."""
        return target.removeprefix(self._services.urls.path)

    def _is_signed(self, request: UpgradeRequest, provider: str, transfer_id: str, token: str) -> bool:
        url = self._services.urls.media(provider, transfer_id, token)
        return self._services.controls[provider].verify_upgrade(Webhook("GET", url, request.headers))

    def _hand_over(self, provider: str, transfer_id: str) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        descriptor = os.dup(transport.get_extra_info("socket").fileno())
        media = MediaSocket(descriptor, bytes(self._received), provider)
        self._let_go()
        transport.abort()  # lets go of its own descriptor; the connection lives on in ours
        self._services.metrics.upgrade(provider, "ok")
        self._services.coordinator.hand_over(transfer_id, media)

    def _refuse(self, provider: str, status: HTTPStatus, verdict: str) -> None:
        transport = self._transport
        if transport is None:
            return
        self._services.metrics.upgrade(provider, verdict)
        self._log.warning("upgrade_refused", provider=provider, status=status.value, verdict=verdict)
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        transport.write(head.encode())
        transport.close()
        self._let_go()

    def _let_go(self) -> None:
        """It is decided: nothing that happens to the connection from now on is for here."""
        self._transport = None
        self._connections.discard(self)
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        self._task = None


def media_upgrade(services: Services) -> type[asyncio.Protocol]:
    """The class that uvicorn makes one of for each upgrade."""

    class _Upgrade(MediaUpgrade):
        def __init__(self, *, server_state: ServerState, **_: Any) -> None:  # uvicorn's own, and its configuration
            super().__init__(services, server_state.connections)

    return _Upgrade
