"""The simulated Asterisk: phones and media do what a test says when it says so, and answers can be spoilt."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import Any, Self, cast

import aiohttp
from aiohttp import web

from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_call import EndedBy, SimulatedCall
from relay.dev.carrier_document import Stream
from relay.dev.carrier_life import StreamNews
from relay.dev.carrier_order import Order
from relay.dev.carrier_rest import Account, Rest
from relay.dev.carriers.asterisk import MEDIA_PASSWORD, MEDIA_USER, PASSWORD, USER, Asterisk
from relay.dev.phone import HangUp, SimulatedPhone
from relay.dev.until import Changes

__all__ = ["MEDIA_PASSWORD", "MEDIA_USER", "PASSWORD", "USER", "SimulatedAri"]

STATES = {"Down": "queued", "Ringing": "ringing", "Up": "in-progress"}


class SimulatedAri:
    """
    ``async with SimulatedAri() as ari``, which serves ``ari.url``.

    ``may_answer`` is open; a test that clears it keeps what has been done from being answered until it sets it.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        """Method, path below ``/ari``, query."""
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.statuses: dict[str, int | Iterator[int]] = {}
        """What requests for these paths are answered instead of being done, or each of them in turn."""
        self.loses: str | None = None
        """The answer to the next request for this path is lost, and the request is done."""
        self.media_fails = False
        """Media channels cannot connect; else they are connected to nothing, or where ``leads_to`` says."""
        self.connections = 0
        self._media: dict[str, aiohttp.ClientWebSocketResponse] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._dialect = _Asterisk(self._note, self._spoil)
        self._application = self._dialect.application
        self._carrier = _ByHand(lambda call: self._begin(self._open_all(call)), dialect=self._dialect)

    # What a test sees

    @property
    def url(self) -> str:
        return f"{self._carrier.api_url}/ari"

    @property
    def channels(self) -> dict[str, str]:
        """Their states."""
        words = {status: state for state, status in STATES.items()}
        phones = {call.sid: words[call.status] for call in self._carrier.live_calls}
        media = {each: "Up" if media.is_connected else "Down" for each, media in self._application._media.items()}
        return phones | media

    @property
    def bridges(self) -> dict[str, list[str]]:
        return self._application._bridges

    def asked(self, method: str, path: str) -> list[dict[str, str]]:
        return [query for each, where, query in self.requests if (each, where) == (method, path)]

    async def until(self, met: Callable[[SimulatedAri], bool], what: str = "simulated Asterisk") -> None:
        await self._carrier.until(lambda _: met(self), what)

    async def until_asked(self, method: str, path: str, *, count: int = 1) -> dict[str, str]:
        """The query of the last such request."""
        await self.until(lambda ari: len(ari.asked(method, path)) >= count, f"{method} {path}")
        return self.asked(method, path)[-1]

    # What a test does

    def leads_to(self, relay_url: str) -> None:
        """Media channels are connected to this relay."""
        self._dialect.relay_url = relay_url

    def has(self, *phones: str, state: str = "Up", is_others: bool = False) -> None:
        """There are these phones, that somebody else has dialled; with ``is_others`` by another application."""
        for phone in phones:
            call = self._carrier.place(Order(to="+14155550123", from_number="", answer_url="", call_id=phone))
            call.status = STATES[state]
            if is_others:
                self._application._ids.discard(phone)

    def has_media(self, phone: str, *, is_bridged: bool = False) -> None:
        """There is media of this phone, that nobody told of, and with ``is_bridged`` a bridge of both."""
        media_id, call = f"{phone}-media", self._call(phone)
        self._application.open(media_id, call)
        call.phones.append(self._phone(media_id))
        if is_bridged:
            self.bridges[f"{phone}-bridge"] = [phone, media_id]

    def becomes(self, phone: str, state: str) -> None:
        """It has another state, and nobody is told."""
        self._call(phone).status = STATES[state]

    async def ring(self, phone: str) -> None:
        await self._reports(self._call(phone), "ringing", "ringing")

    async def answer(self, phone: str) -> None:
        call = self._call(phone)
        call.answered_at = datetime.now(UTC)
        await self._reports(call, "answered", "in-progress")

    async def ends(self, channel_id: str, status: str = "completed", sip_code: int | None = None) -> None:
        """The channel is no more; ``status`` of a phone, in Twilio's words."""
        if channel_id in self._application._media:
            await self._closes(channel_id)
            return
        call = self._call(channel_id)
        call.end(status, EndedBy.CARRIER, sip_code=sip_code)
        await call.courier.idle()

    def vanishes(self, *channels: str) -> None:
        """They are no more, and nobody is told."""
        for channel_id in channels:
            if channel_id in self._application._media:
                self._application.gone(channel_id)
            else:
                self._call(channel_id).status = "completed"
                self._application.forget(channel_id)
        self._carrier.noticed()

    async def say(self, message: Any) -> None:
        """An event, or anything else; nobody hears it if nobody listens."""
        await self._application.say((message if isinstance(message, str) else json.dumps(message)).encode())

    async def go_deaf(self) -> None:
        """The connection for events breaks."""
        listener, self._application._listener = self._application._listener, None
        assert listener is not None
        await listener.close()

    # Its life

    async def __aenter__(self) -> Self:
        self._client = aiohttp.ClientSession()
        await self._carrier.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.close()
        await self._carrier.__aexit__(kind, error, trace)

    def _call(self, phone: str) -> SimulatedCall:
        return next(call for call in self._carrier.calls if call.sid == phone)

    async def _reports(self, call: SimulatedCall, event: str, status: str) -> None:
        call.status = status
        call.report(event, status)
        await call.courier.idle()

    def _begin(self, doing: Coroutine[Any, Any, None]) -> None:
        self._tasks.add(asyncio.create_task(doing))

    async def _open_all(self, call: SimulatedCall) -> None:
        while True:
            stream = await call.wanted.get()
            media_id = stream.options["channel_id"]
            call.phones.append(self._phone(media_id))
            if self.media_fails:
                await self._tell(call, media_id, "failed")
                continue
            if self._dialect.relay_url:
                self._media[media_id] = await self._client.ws_connect(
                    stream.url, headers=dict(stream.headers), protocols=["media"]
                )
            await self._tell(call, media_id, "opened")

    def _phone(self, media_id: str) -> SimulatedPhone:
        return cast(SimulatedPhone, _NoPhone(lambda: self._begin(self._closes(media_id))))

    async def _closes(self, media_id: str) -> None:
        media = self._media.pop(media_id, None)
        if media is not None:
            await media.close()
        await self._tell(self._call(media_id.removesuffix("-media")), media_id, "closed")

    async def _tell(self, call: SimulatedCall, media_id: str, news: StreamNews) -> None:
        message = self._dialect.about_stream(call, Stream("", options={"channel_id": media_id}), news)
        assert message is not None
        await self._application.say(message.content)
        self._carrier.noticed()

    # Its answers

    def _note(self, request: web.Request) -> None:
        self.requests.append((request.method, request.path.removeprefix("/ari/"), dict(request.query)))
        self._carrier.noticed()

    async def _spoil(
        self, handler: Callable[[web.Request], Awaitable[web.StreamResponse]], request: web.Request
    ) -> web.StreamResponse:
        path = request.path.removeprefix("/ari/")
        if path in self.statuses:
            status = self.statuses[path]
            return web.json_response({"message": "No"}, status=status if isinstance(status, int) else next(status))
        self.connections += path == "events"
        response = await handler(request)
        self._carrier.noticed()
        await self.may_answer.wait()
        if self.loses == path and request.transport is not None:
            self.loses = None
            request.transport.abort()
        return response


class _NoPhone:
    """In place of one behind a WebSocket: its channel can be ended."""

    def __init__(self, end: Callable[[], None]) -> None:
        self.changes = Changes()
        self.violations: list[str] = []
        self._end = end

    def hang_up(self, how: HangUp) -> None:  # noqa: ARG002 - there is one way
        self._end()


class _Asterisk(Asterisk):
    """Lets each request be seen, and each answer be spoilt."""

    def __init__(
        self, note: Callable[[web.Request], None], spoil: Callable[..., Awaitable[web.StreamResponse]]
    ) -> None:
        super().__init__()
        self.application = self._application
        self._note = note
        self._spoil = spoil

    def authorise(self, request: web.Request, account: Account) -> web.Response | None:
        self._note(request)
        return super().authorise(request, account)

    def routes(self, rest: Rest) -> Sequence[web.RouteDef]:
        served = super().routes(rest)
        return [
            web.RouteDef(each.method, each.path, partial(self._spoil, each.handler), each.kwargs) for each in served
        ]


class _ByHand(SimulatedCarrier):
    """Calls do nothing by themselves."""

    def __init__(self, placed: Callable[[SimulatedCall], None], *, dialect: Asterisk) -> None:
        super().__init__(dialect=dialect)
        self._placed = placed

    def place(self, order: Order) -> SimulatedCall:
        call = SimulatedCall(
            order,
            self.outcome(order.to),
            teller=self.dialect,
            account_sid=self.account_sid,
            sender=self._sending,
            changed=self.noticed,
        )
        self.calls.append(call)
        call.report("initiated", "initiated")
        self._placed(call)
        return call
