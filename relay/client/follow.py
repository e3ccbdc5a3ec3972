"""Following one transfer: to a state, by long polls, and event by event; both outlive connections."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Final

from relay.client.connection import Connection
from relay.client.errors import ClientError, Overloaded, RelayUnreachable, UnexpectedAnswer, WaitTimedOut
from relay.client.event_stream import EventStreamParser, ServerSentEvent
from relay.client.fields import shown
from relay.client.retry import Patience, is_passing, pause_s
from relay.client.views import TransferEvent, TransferView, transfer_event, transfer_view
from relay.transfers.states import State

_ROUND_MAX_S: Final = 30  # below what proxies usually allow a request


class Wait:
    """
    One wait for a transfer to reach a state, is past it, or over.

    Args:
        path: of the transfer.
        patience: of each round; failures that pass are waited out, however many.
    """

    def __init__(self, connection: Connection, path: str, until: State, patience: Patience) -> None:
        self._connection = connection
        self._path = path
        self._until = until
        self._patience = patience
        self._last_state: State | None = None
        self._last_error: ClientError | None = None
        self._failures = 0  # in a row

    async def reached(self, transfer_id: str, *, timeout_s: float) -> TransferView:
        """
        The transfer, once it is there.

        Raises:
            WaitTimedOut: it did not get there in time.
            ClientError: what does not pass.
        """
        deadline_s = asyncio.get_running_loop().time() + timeout_s
        try:
            async with asyncio.timeout_at(deadline_s):
                while True:
                    view = await self._round(deadline_s)
                    if view is not None and view.has_reached(self._until):
                        return view
                    if self._failures:
                        await self._patience.pause(pause_s(self._failures, self._last_error))
        except TimeoutError:
            raise WaitTimedOut(
                transfer_id, until=self._until, timeout_s=timeout_s, last_state=self._last_state
            ) from self._last_error

    async def _round(self, deadline_s: float) -> TransferView | None:
        clock = asyncio.get_running_loop().time
        began_s = clock()
        wait_s = max(1, min(_ROUND_MAX_S, math.ceil(deadline_s - began_s)))
        query = {"wait_s": str(wait_s), "until": self._until.value}
        try:
            answer = await self._connection.ask(
                "GET", self._path, query=query, timeout_s=wait_s + self._patience.timeout_s
            )
        except ClientError as error:
            if not is_passing(error) and not isinstance(error, Overloaded):
                raise
            self._last_error = error
            self._failures += 1
            return None
        view = transfer_view(answer)
        self._last_state, self._last_error = view.state, None
        # What answers much too early, as a service that shuts down may, must not be asked in a spin.
        self._failures = self._failures + 1 if clock() - began_s < wait_s / 2 else 0
        return view


class EventFeed:
    """
    The events of one transfer, over as many connections as that takes.

    Args:
        path: of the transfer.
        after: an entry's id; None: from the first on.
        get: the transfer as it is now.
        patience: counts connections in a row on which nothing came.
    """

    def __init__(
        self,
        connection: Connection,
        path: str,
        *,
        after: str | None,
        get: Callable[[], Awaitable[TransferView]],
        patience: Patience,
    ) -> None:
        self._connection = connection
        self._path = f"{path}/events"
        self._after = after
        self._get = get
        self._patience = patience
        self._failures = 0

    async def events(self) -> AsyncGenerator[TransferEvent, None]:
        """
        Each event once, to the one that ends the transfer.

        Raises:
            ClientError: what does not pass, or did not.
        """
        is_over = False
        while True:
            try:
                async with aclosing(self._one_stream()) as events:
                    async for event in events:
                        yield event
                        if event.state.is_terminal:
                            return
            except ClientError as error:
                if not is_passing(error):
                    raise
                failure = error
            else:
                if is_over:
                    return  # it was before this stream began: nothing is missing
                if is_over := (await self._get()).is_terminal:
                    continue  # once more, for what came after the stream's end
                failure = RelayUnreachable(f"GET {self._path}: expected events to the transfer's end, got no more")
            self._failures += 1
            if self._failures >= self._patience.tries:
                raise failure
            await self._patience.pause(pause_s(self._failures, failure))

    async def _one_stream(self) -> AsyncGenerator[TransferEvent, None]:
        parser = EventStreamParser()
        headers = {"Last-Event-ID": self._after} if self._after else {}
        async with aclosing(self._connection.stream(self._path, headers=headers)) as chunks:
            async for chunk in chunks:
                self._failures = 0  # a comment is a sign of life too
                for sent in parser.push(chunk):
                    event = _event_of(sent)
                    self._after = event.entry_id
                    yield event


def _event_of(sent: ServerSentEvent) -> TransferEvent:
    try:
        data = json.loads(sent.data)
    except ValueError:
        data = None
    if data is None or not sent.event_id:
        raise UnexpectedAnswer("event", expected="an id and JSON", got=f"{shown(sent.event_id)}, {shown(sent.data)}")
    return transfer_event(sent.event_id, data)
