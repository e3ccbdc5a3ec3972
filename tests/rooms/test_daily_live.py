"""
A real room of Daily's, joined twice: by the virtual devices and by tracks, which hear each other.

Needs ``DAILY_API_KEY``. A private room is made for it, which ends by itself after ten minutes, and is deleted. What was
measured is printed (``-s``). Everything that ``docs/rooms.md`` calls unconfirmed is looked at here.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import orjson
import pytest
import uvloop

from relay.errors import RoomDenied, RoomEnded
from relay.rooms.daily import DailyRoom
from relay.rooms.daily_call import Backend
from relay.rooms.daily_rest_token import API_URL, rest_meeting_token
from relay.rooms.daily_token import meeting_token
from tests.rooms.listener import Listener, level

API_KEY = os.environ.get("DAILY_API_KEY", "")
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not API_KEY, reason="needs an account with Daily: set DAILY_API_KEY"),
]


def ask(method: str, path: str, content: object = None) -> Any:
    """The REST API's answer."""
    status, body = send(method, f"{API_URL}{path}", {"Authorization": f"Bearer {API_KEY}"}, orjson.dumps(content or {}))
    assert status == 200, body
    return orjson.loads(body)


def send(method: str, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
    headers = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310 - an https URL of ours
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


async def post(url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
    return await asyncio.to_thread(send, "POST", url, headers, body)


@asynccontextmanager
async def private_room() -> AsyncIterator[tuple[str, str]]:
    """Name and URL."""
    name = f"relay-test-{secrets.token_hex(6)}"
    properties = {"exp": int(time.time() + 600), "eject_at_room_exp": True}
    room = await asyncio.to_thread(
        ask, "POST", "/rooms", {"name": name, "privacy": "private", "properties": properties}
    )
    try:
        yield name, room["url"]
    finally:
        await asyncio.to_thread(ask, "DELETE", f"/rooms/{name}")


async def token_of(name: str, *, lifetime_s: float = 300.0) -> str:
    return await rest_meeting_token(
        post, api_key=API_KEY, room_name=name, now_s=time.time(), lifetime_s=lifetime_s, user_name="relay"
    )


def live(scenario: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(90):
            await scenario

    uvloop.run(bounded())


def test_two_places_in_one_room_hear_each_other() -> None:
    async def scenario() -> None:
        async with private_room() as (name, url):
            virtual = DailyRoom(url, token=await token_of(name), name="virtual")
            tracks = DailyRoom(url, token=await token_of(name), name="tracks", backend=Backend.TRACKS)
            low, high = Listener(500, ptime_ms=10), Listener(1000, ptime_ms=10)
            begin = time.monotonic()
            assert list(await virtual.join(low)) == []
            first_s = time.monotonic() - begin
            others = await tracks.join(high)
            second_s = time.monotonic() - begin - first_s
            assert [each.name for each in others] == ["relay"]
            await low.until(lambda: len(low.joined) == 1)
            await heard(low, 1000)
            await heard(high, 500)
            await low.hears(250)
            for which, place, listener in (("virtual", virtual, low), ("tracks", tracks, high)):
                asked = np.diff(listener.asked_ns[-400:]) / 1e6
                print(f"{which}: asked every {asked.mean():.2f} ms, at most {asked.max():.1f}; {dict(place.counts)}")
            print(f"joined in {first_s:.2f} s and {second_s:.2f} s")
            await tracks.leave()
            await low.until(lambda: len(low.left) == 1)
            assert low.left[0][1] == "left"
            begin = time.monotonic()
            await virtual.leave()
            print(f"left in {time.monotonic() - begin:.2f} s")
            assert (virtual.counts["leaked_threads"], low.closed) == (0, [])

    live(scenario())


async def heard(listener: Listener, tone_hz: float) -> None:
    """Until the other's tone is what is heard."""
    while level(await listener.hears(10), tone_hz) < 1000:
        pass
    own = 1500 - tone_hz
    assert level(await listener.hears(25), own) < 100


def test_f18_a_private_room_refuses_who_has_no_token_and_whose_token_is_of_another() -> None:
    async def scenario() -> None:
        async with private_room() as (_name, url):
            for token in (None, await token_of("another-room")):
                room = DailyRoom(url, token=token)
                with pytest.raises(RoomDenied) as raised:
                    await room.join(Listener(ptime_ms=10))
                print(raised.value)
                await room.leave()

    live(scenario())


def test_a_token_that_was_signed_here_is_let_in() -> None:
    async def scenario() -> None:
        domain_id = (await asyncio.to_thread(ask, "GET", "/"))["domain_id"]
        async with private_room() as (name, url):
            token = meeting_token(
                api_key=API_KEY,
                domain_id=domain_id,
                room_name=name,
                now_s=time.time(),
                lifetime_s=300,
                user_name="relay",
            )
            room = DailyRoom(url, token=token)
            await room.join(Listener(ptime_ms=10))
            await room.leave()

    live(scenario())


def test_f20_a_token_that_expires_ends_the_place() -> None:
    async def scenario() -> None:
        async with private_room() as (name, url):
            room, listener = DailyRoom(url, token=await token_of(name, lifetime_s=15)), Listener(ptime_ms=10)
            await room.join(listener)
            await listener.until(lambda: len(listener.closed) == 1)
            print(listener.closed[0])
            assert isinstance(listener.closed[0], RoomEnded)
            await room.leave()

    live(scenario())
