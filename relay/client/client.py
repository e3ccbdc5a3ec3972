"""A client of relay's HTTP API, for bots."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from types import TracebackType
from typing import Final, Literal, Self, TypeAlias

import aiohttp

from relay.client.connection import Connection
from relay.client.errors import ClientError
from relay.client.follow import EventFeed, Wait
from relay.client.retry import Patience, asked_for_s, is_passing, pause_s
from relay.client.views import (
    Destination,
    TransferEvent,
    TransferView,
    destinations,
    transfer_view,
    transfer_views,
)
from relay.transfers.states import State

Accept: TypeAlias = Literal["none", "press_1", "detection"]

_ASKED_FOR_MAX_S: Final = 5.0  # relay asking for more is an answer: a customer is waiting
_ID: Final = re.compile(r"[A-Za-z0-9_-]+")


class RelayClient:
    """
    Asks relay for transfers. One for a whole bot process; use it as ``async with RelayClient(...) as relay``.

    Every request may safely be sent twice, so a failure that may pass (no connection, 502, 503, 504) is tried again;
    what is raised after that is a ``ClientError``.

    Args:
        base_url: ``https://relay.example.com``.
        api_key: one of relay's, with the scopes ``trigger`` and ``read``.
        session: of the caller's, left open; None: a new one.
        timeout_s: of each try.
        tries: of each request in all.
        pause: waits between tries.

    Raises:
        ValueError: one of them cannot be used; the key is not shown.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        session: aiohttp.ClientSession | None = None,
        timeout_s: float = 10.0,
        tries: int = 3,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._connection = Connection(base_url, api_key=api_key, session=session)
        self._patience = Patience(timeout_s=timeout_s, tries=tries, pause=pause)

    def __repr__(self) -> str:
        return f"RelayClient({self._connection.base_url!r})"

    async def __aenter__(self) -> Self:
        self._connection.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connection.close()

    async def transfer(
        self,
        *,
        room_url: str,
        destination: str | None = None,
        to: str | None = None,
        provider: str | None = None,
        from_number: str | None = None,
        room_token: str | None = None,
        customer_id: str | None = None,
        bot_id: str | None = None,
        ring_timeout_s: float | None = None,
        max_duration_s: float | None = None,
        accept: Accept | None = None,
        metadata: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> TransferView:
        """
        Ask for a transfer; it has been accepted when this returns, and the phone rings soon after.

        Args:
            room_url: of the room that the customer is in.
            destination: an entry of relay's configuration. Either this or ``to``.
            to: a number in E.164, if relay's configuration allows it.
            provider: the carrier; None: the destination's, or relay's default.
            from_number: the number that the agent sees; None: the carrier's default.
            room_token: to enter the room with, if relay does not make its own.
            customer_id: the customer's participant id or display name in the room; if somebody has it, nobody else is
                the customer.
            bot_id: the bot's. None, and no ``customer_id``: a bot that stays in the room passes for the customer, and
                it is not noticed when the customer leaves.
            ring_timeout_s: from the dial to the answer.
            max_duration_s: of the phone call.
            accept: what shows that a person is on the phone; None: the destination's choice.
            metadata: comes back with the transfer.
            idempotency_key: asked twice with one key is asked once; a tool call's id is one. None: a new one.

        Raises:
            Conflict: the room has a live transfer already; the error has its id.
            RefusedRequest: relay will not do this.
            ClientError: anything else that went wrong.
        """
        body = {
            "room_url": room_url,
            "destination": destination,
            "to": to,
            "provider": provider,
            "from": from_number,
            "room_token": room_token,
            "customer_id": customer_id,
            "bot_id": bot_id,
            "ring_timeout_s": ring_timeout_s,
            "max_duration_s": max_duration_s,
            "accept": accept,
            "metadata": dict(metadata) if metadata is not None else None,
        }
        given = {name: value for name, value in body.items() if value is not None}
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        return transfer_view(await self._ask("POST", "/v1/transfers", body=given, headers=headers))

    async def get(self, transfer_id: str) -> TransferView:
        """
        The transfer as it is now.

        Raises:
            NotFound: there is none, or not any longer.
            ClientError: anything else that went wrong.
        """
        return transfer_view(await self._ask("GET", _path(transfer_id)))

    async def wait(self, transfer_id: str, *, until: State = State.JOINED, timeout_s: float = 120.0) -> TransferView:
        """
        The transfer once it has reached ``until``, or is past it, or over: look at its ``state``.

        Relay being away for a while is waited out.

        Raises:
            WaitTimedOut: it did not get there in ``timeout_s``.
            NotFound: there is no such transfer, or not any longer.
            ClientError: anything else that does not pass.
        """
        wait = Wait(self._connection, _path(transfer_id), until, self._patience)
        return await wait.reached(transfer_id, timeout_s=timeout_s)

    async def cancel(self, transfer_id: str) -> TransferView:
        """
        Stop the transfer, or hang up the call that it has become; one that is over is left as it is.

        Raises:
            NotFound: there is none, or not any longer.
            ClientError: anything else that went wrong.
        """
        return transfer_view(await self._ask("DELETE", _path(transfer_id)))

    async def send_digits(self, transfer_id: str, digits: str) -> None:
        """
        Let the agent's phone hear keys, and ``w`` and ``W``, pauses of 0.5 s and 1 s. Never tried a second time.

        Raises:
            NotFound: there is no such transfer, or not any longer.
            RefusedRequest: nobody is joined, the carrier cannot send these keys, or others are being sent: see
                ``problem.name``.
            CarrierFailed: it did not take them, or not all.
            RelayUnreachable: there was no answer; they may have been sent.
            ClientError: anything else that went wrong.
        """
        path = f"{_path(transfer_id)}/digits"
        await self._connection.tell("POST", path, timeout_s=self._patience.timeout_s, body={"digits": digits})

    async def list(self, limit: int = 20) -> tuple[TransferView, ...]:
        """
        The latest transfers, newest first.

        Raises:
            ClientError: what went wrong.
        """
        return transfer_views(await self._ask("GET", "/v1/transfers", query={"limit": str(limit)}))

    async def destinations(self) -> tuple[Destination, ...]:
        """
        What can be called by name.

        Raises:
            ClientError: what went wrong.
        """
        return destinations(await self._ask("GET", "/v1/destinations"))

    def events(self, transfer_id: str, *, after: str | None = None) -> AsyncGenerator[TransferEvent, None]:
        """
        Each event of the transfer once, as it happens, to the one that ends it; broken connections are resumed.

        Args:
            transfer_id: of the transfer.
            after: an event's ``entry_id``, to go on after; None: from the first event on.

        Raises:
            NotFound: there is no such transfer, or not any longer.
            ClientError: anything else that does not pass.
        """
        feed = EventFeed(
            self._connection,
            _path(transfer_id),
            after=after,
            get=lambda: self.get(transfer_id),
            patience=self._patience,
        )
        return feed.events()

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> object:
        patience, failures = self._patience, 0
        while True:
            try:
                return await self._connection.ask(
                    method, path, timeout_s=patience.timeout_s, query=query, body=body, headers=headers
                )
            except ClientError as error:
                failures += 1
                if failures >= patience.tries or not is_passing(error) or asked_for_s(error) > _ASKED_FOR_MAX_S:
                    raise
                wait_s = pause_s(failures, error)
            await patience.pause(wait_s)


def _path(transfer_id: str) -> str:
    if not _ID.fullmatch(transfer_id):  # it becomes part of a path
        raise ValueError(f"transfer_id: expected letters, digits, _ and -, got {transfer_id!r}")
    return f"/v1/transfers/{transfer_id}"
