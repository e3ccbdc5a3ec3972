"""An Asterisk's Stasis application: who hears its events, the channels of media, and the bridges."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from relay.dev.carrier_call import EndedBy, SimulatedCall
from relay.dev.carrier_document import Stream
from relay.dev.carrier_rest import Rest
from relay.dev.phone import HangUp


@dataclass(slots=True)
class _Media:
    """A channel of media."""

    call: SimulatedCall
    is_connected: bool = False
    was_joined: bool = False


class AriApplication:
    """
    One application; the last who has asked for its events hears them.

    Args:
        stream_of: what a request for media asks for; ValueError if it cannot be.
    """

    def __init__(self, stream_of: Callable[[Mapping[str, str]], Stream]) -> None:
        self.name = ""
        """Empty until somebody hears its events."""
        self._stream_of = stream_of
        self._listener: web.WebSocketResponse | None = None
        self._ids: set[str] = set()
        self._media: dict[str, _Media] = {}
        self._bridges: dict[str, list[str]] = {}

    def has(self, channel_id: str) -> bool:
        """Whether there is a channel of that id."""
        return channel_id in self._ids

    def take(self, channel_id: str) -> None:
        """There is a new channel."""
        self._ids.add(channel_id)

    def forget(self, call_id: str) -> None:
        """A channel is no more."""
        self._ids.discard(call_id)
        for members in self._bridges.values():
            if call_id in members:
                members.remove(call_id)

    def open(self, media_id: str, call: SimulatedCall) -> None:
        """There is a new channel of media, that is not connected yet."""
        self.take(media_id)
        self._media[media_id] = _Media(call)

    def connected(self, media_id: str) -> None:
        """A channel of media has its WebSocket."""
        if media_id in self._media:
            self._media[media_id].is_connected = True

    def was_joined(self, media_id: str) -> bool:
        """Whether it was put into a bridge with its phone."""
        return media_id in self._media and self._media[media_id].was_joined

    def gone(self, media_id: str) -> None:
        """A channel of media is no more."""
        self._media.pop(media_id, None)
        self.forget(media_id)
        self._rest.account.noticed()

    def left_over(self) -> list[str]:
        """Channels of media and bridges that nobody has ended."""
        return [*(f"channel {each}" for each in self._media), *(f"bridge {each}" for each in self._bridges)]

    async def say(self, lines: bytes) -> None:
        """Tell who listens, an event a line; nobody may."""
        for line in lines.split(b"\n"):
            if self._listener is not None and not self._listener.closed:
                await self._listener.send_str(line.decode())

    def routes(self, rest: Rest, state_of: Callable[[SimulatedCall], str]) -> list[web.RouteDef]:
        """What is served, but for dialling."""
        self._rest, self._state_of = rest, state_of
        return [
            web.get("/ari/events", self._events),
            web.get("/ari/applications/{app}", self._look_up_application),
            web.get("/ari/channels", self._list_channels),
            web.post("/ari/channels/externalMedia", self._open_media),
            web.get("/ari/channels/{call}", self._look_up),
            web.delete("/ari/channels/{call}", self._hang_up),
            web.get("/ari/bridges", self._list_bridges),
            web.post("/ari/bridges", self._make_bridge),
            web.delete("/ari/bridges/{bridge}", self._end_bridge),
            web.post("/ari/bridges/{bridge}/addChannel", self._join),
        ]

    async def _events(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        before, self._listener = self._listener, socket
        self.name = request.query.get("app", "")
        if before is not None and not before.closed:
            await before.send_json({"type": "ApplicationReplaced", "application": self.name})
            await before.close()
        async for _ in socket:
            pass
        return socket

    async def _look_up_application(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["app"] != self.name:
            return _error(404, "Application not found")
        content = {"name": self.name, "channel_ids": sorted(self._ids), "bridge_ids": [], "endpoint_ids": []}
        return web.json_response(content)

    async def _list_channels(self, _: web.Request) -> web.StreamResponse:
        calls = [channel_json(call.sid, self._state_of(call)) for call in self._rest.account.calls if call.is_live]
        media = [channel_json(each, "Up" if media.is_connected else "Down") for each, media in self._media.items()]
        return web.json_response(calls + media)

    async def _look_up(self, request: web.Request) -> web.StreamResponse:
        call = self._rest.call(request)
        if call is None or not call.is_live:
            return _error(404, "Channel not found")
        return web.json_response(channel_json(call.sid, self._state_of(call)))

    async def _hang_up(self, request: web.Request) -> web.StreamResponse:
        call, media = self._rest.call(request), self._media.get(request.match_info["call"])
        if media is not None and media.call.phone is not None:
            media.call.phone.hang_up(HangUp.CLOSE)
        elif call is not None and call.is_live:
            call.hang_up(EndedBy.RELAY)
        else:
            return _error(404, "Channel not found")
        return web.Response(status=204)

    async def _open_media(self, request: web.Request) -> web.StreamResponse:
        try:
            stream = self._stream_of(request.query)
        except ValueError as error:
            return _error(400, str(error))
        media_id = stream.options["channel_id"]
        # ARI leaves it to the application which media is whose: relay's has the phone's id in it.
        phone_id = media_id.rpartition("-")[0]
        call = next((call for call in self._rest.account.calls if call.sid == phone_id and call.is_live), None)
        if call is None:
            self._rest.account.violations.append(f"externalMedia: expected a phone's channel, got none of {phone_id}")
            return _error(404, "Channel not found")
        if self.has(media_id):
            return _error(409, "Channel with given unique ID already exists")
        self.open(media_id, call)
        call.wanted.put_nowait(stream)
        return web.json_response(channel_json(media_id, "Down"))

    async def _list_bridges(self, _: web.Request) -> web.StreamResponse:
        return web.json_response([_bridge_json(each, inside) for each, inside in self._bridges.items()])

    async def _make_bridge(self, request: web.Request) -> web.StreamResponse:
        bridge_id = request.query.get("bridgeId", "")
        if bridge_id in self._bridges:
            return _error(409, "Bridge with given unique ID already exists")
        self._bridges[bridge_id] = []
        return web.json_response(_bridge_json(bridge_id, []))

    async def _end_bridge(self, request: web.Request) -> web.StreamResponse:
        if self._bridges.pop(request.match_info["bridge"], None) is None:
            return _error(404, "Bridge not found")
        self._rest.account.noticed()
        return web.Response(status=204)

    async def _join(self, request: web.Request) -> web.StreamResponse:
        members = self._bridges.get(request.match_info["bridge"])
        if members is None:
            return _error(404, "Bridge not found")
        joined = request.query.get("channel", "").split(",")
        for each in joined:
            media = self._media.get(each)
            if media is None and each not in self._ids:
                return _error(400, "Channel not found")
            if media is not None and not media.is_connected:
                return _error(422, "Channel not in Stasis application")
        members += joined
        for each in joined:
            if each in self._media:
                self._media[each].was_joined = self._media[each].call.sid in members
        return web.Response(status=204)


def basic(user: str, password: str) -> str:
    """Credentials (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


def channel_json(channel_id: str, state: str) -> dict[str, Any]:
    """A channel as ARI has it."""
    return {
        "id": channel_id,
        "name": f"PJSIP/trunk-{channel_id[-8:]}",
        "state": state,
        "caller": {"name": "", "number": ""},
        "connected": {"name": "", "number": ""},
        "accountcode": "",
        "dialplan": {"context": "default", "exten": "s", "priority": 1, "app_name": "Stasis", "app_data": "relay"},
        "creationtime": _now(),
        "language": "en",
    }


def event_json(event: str, channel_id: str, state: str, **more: Any) -> dict[str, Any]:
    """An event about a channel as ARI has it."""
    content = {"type": event, "timestamp": _now(), "application": "relay", "asterisk_id": "00:00:00:00:00:01"}
    if event == "StasisStart":
        more["args"] = []
    return {**content, "channel": channel_json(channel_id, state), **more}


def _bridge_json(bridge_id: str, channels: list[str]) -> dict[str, Any]:
    return {
        "id": bridge_id,
        "technology": "simple_bridge",
        "bridge_type": "mixing",
        "bridge_class": "stasis",
        "creator": "Stasis",
        "name": "",
        "channels": channels,
    }


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"
