"""The WebSocket upgrades of carriers: authorised before any 101, then handed over with their socket."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, cast

import structlog
from uvicorn.server import ServerState
from websockets.http11 import Request
from websockets.server import ServerProtocol

from relay.app.carrier_urls import MediaPlace
from relay.app.media_dismissal import MediaDismissal
from relay.app.services import Services
from relay.errors import StoreUnavailable
from relay.providers.control import CarrierControl, Webhook
from relay.providers.upgrade_verdict import JudgesUpgrades, UpgradeVerdict
from relay.transfers.leases import LEASE_S
from relay.transfers.ports import MediaSocket

REQUEST_MAX_BYTES: Final = 1 << 16
AUTHORISE_TIMEOUT_S: Final = 3.0


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
            async with asyncio.timeout(AUTHORISE_TIMEOUT_S) as bound:
                request = UpgradeRequest.parse(bytes(self._received))
                place = self._services.urls.media_place(request.target)
                control = self._services.controls.get(place.provider) if place is not None else None
                if place is None or control is None:
                    self._refuse("", HTTPStatus.NOT_FOUND, "not_found")
                    return
                provider, coordinator = place.provider, self._services.coordinator
                verdict = self._verdict(request, place)
                if not verdict.is_true:
                    status = HTTPStatus.UNAUTHORIZED if verdict.asks_for else HTTPStatus.FORBIDDEN
                    self._refuse(provider, status, "forged", how=verdict.how, asks_for=verdict.asks_for)
                    return
                if await coordinator.admits(place.transfer_id, provider, place.token):
                    if verdict.how:
                        self._log.info("upgrade_signed", provider=provider, how=verdict.how)
                    self._hand_over(provider, place.transfer_id)
                    return
                if _ends_calls_by_streams(control):
                    bound.reschedule(asyncio.get_running_loop().time() + LEASE_S + AUTHORISE_TIMEOUT_S)
                    if await coordinator.is_unwanted(place.transfer_id, provider):
                        self._dismiss(control)
                        return
                self._refuse(provider, HTTPStatus.FORBIDDEN, "stranger")
        except (StoreUnavailable, OSError):  # it does not answer in time, or there is no descriptor left
            self._refuse(provider, HTTPStatus.SERVICE_UNAVAILABLE, "unavailable")
        except ValueError:
            self._refuse(provider, HTTPStatus.BAD_REQUEST, "malformed")
        except Exception:  # noqa: BLE001 - whatever a defect broke, the carrier must not wait for an answer
            self._log.exception("upgrade_broke", provider=provider)
            self._refuse(provider, HTTPStatus.INTERNAL_SERVER_ERROR, "broke")

    def _verdict(self, request: UpgradeRequest, place: MediaPlace) -> UpgradeVerdict:
        url = self._services.urls.media(place.provider, place.transfer_id, place.token) + place.query
        webhook = Webhook("GET", url, request.headers, received_s=time.time())
        control = self._services.controls[place.provider]
        if isinstance(control, JudgesUpgrades):
            return control.judge_upgrade(webhook)
        return UpgradeVerdict(control.verify_upgrade(webhook))

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

    def _dismiss(self, control: CarrierControl) -> None:
        """Let it in, and close it: a refusal may leave whoever picked up in silence until the call is too long."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        subprotocol = control.media_adapter().capabilities.subprotocol
        MediaDismissal(transport, bytes(self._received), subprotocol=subprotocol)
        self._let_go()
        self._services.metrics.upgrade(control.name, "dismissed")
        self._log.info("upgrade_dismissed", provider=control.name)

    def _refuse(self, provider: str, status: HTTPStatus, verdict: str, *, how: str = "", asks_for: str = "") -> None:
        transport = self._transport
        if transport is None:
            return
        self._services.metrics.upgrade(provider, verdict)
        more = {"how": how} if how else {}
        self._log.warning("upgrade_refused", provider=provider, status=status.value, verdict=verdict, **more)
        asked = f"WWW-Authenticate: {asks_for}\r\n" if asks_for else ""
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\n{asked}Connection: close\r\nContent-Length: 0\r\n\r\n"
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


def _ends_calls_by_streams(control: CarrierControl) -> bool:
    """
    Whether only the end of its stream ends a call that somebody picks up when nobody wants it any longer: no document
    is asked for that could say so.
    """
    return control.capabilities.opens_stream == "dial" and control.media_adapter().capabilities.close_ends_call


def media_upgrade(services: Services) -> type[asyncio.Protocol]:
    """The class that uvicorn makes one of for each upgrade."""

    class _Upgrade(MediaUpgrade):
        def __init__(self, *, server_state: ServerState, **_: Any) -> None:  # uvicorn's own, and its configuration
            super().__init__(services, server_state.connections)

    return _Upgrade
