"""Tokens for Daily rooms (T11): by whom the setting says, over real HTTP, bounded, and without a secret in errors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import jwt
import orjson
import pytest
from aiohttp import web

from relay.app.daily_tokens import DailyTokens, post_with
from relay.app.settings_entries import TokenMaker
from relay.errors import RoomDenied, RoomError, RoomUnreachable

KEY = "an-api-key-of-a-domain-at-daily.co"
DOMAIN_ID = "30f866c3-9123-452a-8723-ff58322d09c5"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def token_by(maker: TokenMaker, handler: Handler, *, timeout_s: float = 5.0) -> str:
    """What comes of one request to an API of the handler's."""

    async def scenario() -> str:
        app = web.Application()
        app.router.add_post("/v1/meeting-tokens", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        try:
            async with aiohttp.ClientSession() as session:
                tokens = DailyTokens(
                    api_key=KEY,
                    domain_id=DOMAIN_ID,
                    maker=maker,
                    post=post_with(session, timeout_s=timeout_s),
                    clock=lambda: 1_000_000.0,
                    api_url=f"http://{host}:{port}/v1",
                )
                return await tokens.token("blue", lifetime_s=900)
        finally:
            await runner.cleanup()

    return asyncio.run(scenario())


async def not_asked(request: web.Request) -> web.StreamResponse:
    raise AssertionError(request)


def test_t11_a_token_that_is_signed_here_asks_nobody() -> None:
    token = token_by(TokenMaker.SELF_SIGNED, not_asked)
    claims = jwt.decode(token, KEY, algorithms=["HS256"], options={"verify_exp": False, "verify_iat": False})
    assert (claims["r"], claims["d"], claims["exp"], "o" in claims) == ("blue", DOMAIN_ID, 1_000_900, False)


def test_t11_a_token_of_dailys_is_asked_for_with_the_key() -> None:
    async def made(request: web.Request) -> web.StreamResponse:
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        properties = orjson.loads(await request.read())["properties"]
        assert (properties["room_name"], properties["exp"], properties["is_owner"]) == ("blue", 1_000_900, False)
        return web.json_response({"token": "made-by-daily"})

    assert token_by(TokenMaker.REST, made) == "made-by-daily"


async def refused(_request: web.Request) -> web.StreamResponse:
    return web.json_response({"error": "authentication-error", "info": KEY}, status=401)


async def moved(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": "http://127.0.0.1:1/elsewhere"})


async def broken(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def endless(_request: web.Request) -> web.StreamResponse:
    return web.Response(body=b'{"token":"' + b"x" * 1_000_000)


@pytest.mark.parametrize(
    ("handler", "error"),
    [(refused, RoomDenied), (moved, RoomUnreachable), (broken, RoomUnreachable), (endless, RoomUnreachable)],
)
def test_f18_no_token_is_an_error_that_shows_no_key(handler: Handler, error: type[RoomError]) -> None:
    with pytest.raises(error) as raised:
        token_by(TokenMaker.REST, handler)
    assert KEY not in str(raised.value)


def test_f19_an_api_that_does_not_answer_is_bounded() -> None:
    async def silent(_request: web.Request) -> web.StreamResponse:
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    with pytest.raises(RoomUnreachable, match="TimeoutError"):
        token_by(TokenMaker.REST, silent, timeout_s=0.1)


def test_the_key_is_in_no_repr() -> None:
    async def post(*_: object) -> tuple[int, bytes]:
        raise AssertionError

    assert KEY not in repr(DailyTokens(api_key=KEY, domain_id=None, maker=TokenMaker.REST, post=post))
