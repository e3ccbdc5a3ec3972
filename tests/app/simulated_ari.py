"""
A simulated Asterisk: ARI's requests and events as its documentation has them, and phones that do what a test says.

No Asterisk was asked; what its source says of the order of things is followed: a channel is there before its dial is
answered, it is subscribed to by the application of the dial, and is in its hands (``StasisStart``) once it is answered.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl

import aiohttp
from aiohttp import web

from relay.dev.until import Changes
from relay.providers.basic_auth import authorization, is_authorized
from tests.providers.asterisk_requests import channel, destroyed, event

USER, PASSWORD = "relay", "s3cret-of-ari"
MEDIA_USER, MEDIA_PASSWORD = "relay-media", "m3dia"
TIMEOUT_S = 10.0


class SimulatedAri:
    """
    ``async with SimulatedAri() as ari``, which serves ``ari.url``.

    ``may_answer`` is open; a test that clears it keeps what has been done from being answered until it sets it.
    ``media_uri`` is that of websocket_client.conf; None: a media channel connects to nothing, at once.
    """

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        """Method, path below ``/ari``, query."""
        self.channels: dict[str, str] = {}
        """Their states."""
        self.of_others: set[str] = set()
        """Channels of other applications."""
        self.bridges: dict[str, list[str]] = {}
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.is_refusing = False
        """Events are not to be had."""
        self.statuses: dict[str, int] = {}
        """What requests for these paths are answered instead of being done."""
        self.loses: str | None = None
        """The answer to the next request for this path is lost, and the request is done."""
        self.media_uri: str | None = None
        self.media_fails = False
        """Media channels cannot connect."""
        self.media: dict[str, aiohttp.ClientWebSocketResponse] = {}
        self.connections = 0
        self._listener: web.WebSocketResponse | None = None
        self._changes = Changes()
        self._tasks: set[asyncio.Task[None]] = set()

    # What a test says

    async def until(self, met: Callable[[SimulatedAri], bool], what: str = "simulated Asterisk") -> None:
        await self._changes.until(lambda: met(self), what, timeout_s=TIMEOUT_S)

    async def until_asked(self, method: str, path: str, *, count: int = 1) -> dict[str, str]:
        """The query of the last such request."""
        await self.until(lambda ari: len(ari.asked(method, path)) >= count, f"{method} {path}")
        return self.asked(method, path)[-1]

    def asked(self, method: str, path: str) -> list[dict[str, str]]:
        return [query for each, where, query in self.requests if (each, where) == (method, path)]

    async def ring(self, call_id: str) -> None:
        await self.changes(call_id, "Ringing")

    async def answer(self, call_id: str) -> None:
        await self.changes(call_id, "Up")
        await self.say(event("StasisStart", call_id, args=[]))

    async def changes(self, channel_id: str, state: str) -> None:
        self.channels[channel_id] = state
        await self.say(event("ChannelStateChange", channel_id, state))

    async def ends(self, channel_id: str, cause: int = 16) -> None:
        """The channel is no more, and with media's the WebSocket."""
        state = self.channels.pop(channel_id)
        for members in self.bridges.values():
            if channel_id in members:
                members.remove(channel_id)
        media = self.media.pop(channel_id, None)
        if media is not None:
            await media.close()
        await self.say(destroyed(channel_id, state, cause))
        self._changes.changed()

    async def say(self, message: Any) -> None:
        """An event, or anything else; nobody hears it if nobody listens."""
        if self._listener is not None:
            text = message if isinstance(message, str) else json.dumps(message)
            await self._listener.send_str(text)

    async def go_deaf(self) -> None:
        """The connection for events breaks."""
        listener, self._listener = self._listener, None
        assert listener is not None
        await listener.close()

    # What it serves

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._before])
        app.add_routes(
            [
                web.get("/ari/events", self._events),
                web.get("/ari/applications/relay", self._look_up_application),
                web.post("/ari/channels", self._originate),
                web.get("/ari/channels", self._list_channels),
                web.post("/ari/channels/externalMedia", self._external_media),
                web.get("/ari/channels/{id}", self._get_channel),
                web.delete("/ari/channels/{id}", self._hang_up),
                web.post("/ari/bridges", self._create_bridge),
                web.get("/ari/bridges", self._list_bridges),
                web.delete("/ari/bridges/{id}", self._destroy_bridge),
                web.post("/ari/bridges/{id}/addChannel", self._add_channel),
            ]
        )
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._client = aiohttp.ClientSession()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/ari"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.close()
        await self._runner.cleanup()

    @web.middleware
    async def _before(self, request: web.Request, handler: Any) -> web.StreamResponse:
        path = request.path.removeprefix("/ari/")
        self.requests.append((request.method, path, dict(request.query)))
        self._changes.changed()
        if not is_authorized(request.headers.get("Authorization", ""), USER, PASSWORD):
            return web.json_response({"message": "Authentication required"}, status=401)
        if path in self.statuses:
            return web.json_response({"message": "No"}, status=self.statuses[path])
        response: web.StreamResponse = await handler(request)
        self._changes.changed()
        await self.may_answer.wait()
        if self.loses == path and request.transport is not None:
            self.loses = None
            request.transport.abort()
        return response

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if self.is_refusing:
            return web.Response(status=503)
        assert dict(request.query) == {"app": "relay", "subscribeAll": "false"}
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.connections += 1
        self._listener = socket
        self._changes.changed()
        async for _ in socket:
            pass
        if self._listener is socket:
            self._listener = None
        return socket

    async def _look_up_application(self, _: web.Request) -> web.Response:
        own = [each for each in self.channels if each not in self.of_others]
        return web.json_response({"name": "relay", "channel_ids": own, "bridge_ids": [], "endpoint_ids": []})

    async def _originate(self, request: web.Request) -> web.Response:
        call_id = request.query["channelId"]
        if call_id in self.channels:
            return web.json_response({"message": "Channel with given unique ID already exists"}, status=409)
        self.channels[call_id] = "Down"
        return web.json_response(channel(call_id, "Down"))

    async def _list_channels(self, _: web.Request) -> web.Response:
        return web.json_response([channel(each, state) for each, state in self.channels.items()])

    async def _get_channel(self, request: web.Request) -> web.Response:
        state = self.channels.get(request.match_info["id"])
        if state is None:
            return web.json_response({"message": "Channel not found"}, status=404)
        return web.json_response(channel(request.match_info["id"], state))

    async def _hang_up(self, request: web.Request) -> web.Response:
        channel_id = request.match_info["id"]
        if channel_id not in self.channels:
            return web.json_response({"message": "Channel not found"}, status=404)
        await self.ends(channel_id)
        return web.Response(status=204)

    async def _external_media(self, request: web.Request) -> web.Response:
        media_id = request.query["channelId"]
        if media_id in self.channels:
            return web.json_response({"message": "Channel with given unique ID already exists"}, status=409)
        self.channels[media_id] = "Down"
        task = asyncio.create_task(self._connect(media_id, request.query["transport_data"]))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return web.json_response(channel(media_id, "Down"))

    async def _connect(self, media_id: str, transport_data: str) -> None:
        """As res_websocket_client does: what is in ``v()`` becomes the query."""
        query = transport_data.removeprefix("f(json)v(").removesuffix(")").replace(",", "&")
        assert parse_qsl(query, strict_parsing=True)
        if self.media_fails:
            await self.ends(media_id, 3)
            return
        if self.media_uri is not None:
            headers = {"Authorization": authorization(MEDIA_USER, MEDIA_PASSWORD)}
            try:
                self.media[media_id] = await self._client.ws_connect(
                    f"{self.media_uri}?{query}", headers=headers, protocols=["media"]
                )
            except aiohttp.ClientError:
                await self.ends(media_id, 3)
                return
        if media_id in self.channels:
            self.channels[media_id] = "Up"
            await self.say(event("StasisStart", media_id, args=[]))

    async def _create_bridge(self, request: web.Request) -> web.Response:
        bridge_id = request.query["bridgeId"]
        if bridge_id in self.bridges:
            return web.json_response({"message": "already exists"}, status=409)
        self.bridges[bridge_id] = []
        return web.json_response({"id": bridge_id, "channels": [], "bridge_type": request.query["type"]})

    async def _list_bridges(self, _: web.Request) -> web.Response:
        return web.json_response([{"id": each, "channels": inside} for each, inside in self.bridges.items()])

    async def _destroy_bridge(self, request: web.Request) -> web.Response:
        if self.bridges.pop(request.match_info["id"], None) is None:
            return web.json_response({"message": "Bridge not found"}, status=404)
        return web.Response(status=204)

    async def _add_channel(self, request: web.Request) -> web.Response:
        members = self.bridges.get(request.match_info["id"])
        if members is None:
            return web.json_response({"message": "Bridge not found"}, status=404)
        channels = request.query["channel"].split(",")
        if any(self.channels.get(each) != "Up" for each in channels):
            return web.json_response({"message": "Channel not in Stasis application"}, status=422)
        members += [each for each in channels if each not in members]  # one that is there leaves and comes again
        self._changes.changed()
        return web.Response(status=204)
