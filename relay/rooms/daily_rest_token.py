"""Meeting tokens made by Daily itself, through its REST API; who sends the request is not decided here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

import orjson

from relay.errors import RoomDenied, RoomUnreachable

API_URL: Final = "https://api.daily.co/v1"

Post: TypeAlias = Callable[[str, Mapping[str, str], bytes], Awaitable[tuple[int, bytes]]]
"""
Sends a body with headers to a URL, within a bound of its own; returns the status and the body of the answer.
Raises ``OSError`` or ``TimeoutError`` if there is none.
"""


async def rest_meeting_token(
    post: Post,
    *,
    api_key: str,
    room_name: str,
    now_s: float,
    lifetime_s: float,
    user_name: str,
    owner: bool = False,
    api_url: str = API_URL,
) -> str:
    """
    Ask Daily for a token that lets its bearer into one room for a while, as ``daily_token.meeting_token`` signs one.

    Raises:
        ValueError: no key, no room, or no lifetime.
        RoomDenied: Daily refused to make one: the key, or what was asked for.
        RoomUnreachable: no answer, or none that can be used.

    Source: https://docs.daily.co/reference/rest-api/meeting-tokens/create-meeting-token (read 2026-11-26).
    """
    if not api_key or not room_name:
        raise ValueError("rest_meeting_token: expected an API key and a room's name, got nothing for one of them")
    if not lifetime_s >= 1:
        raise ValueError(f"rest_meeting_token: expected a lifetime of 1 s or more, got {lifetime_s} s")
    properties = {
        "room_name": room_name,
        "exp": int(now_s + lifetime_s),
        "eject_at_token_exp": True,
        "is_owner": owner,
        "user_name": user_name,
    }
    headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
    try:
        status, body = await post(f"{api_url}/meeting-tokens", headers, orjson.dumps({"properties": properties}))
    except (OSError, TimeoutError) as error:
        raise RoomUnreachable(f"Daily's meeting tokens: expected an answer, got {type(error).__name__}") from error
    return _token(status, body)


def _token(status: int, body: bytes) -> str:
    """The token of an answer. No message contains the body: it may hold one."""
    if 400 <= status < 500 and status not in {408, 429}:  # those are of the moment: a time-out, too many at once
        raise RoomDenied(f"Daily's meeting tokens: expected a token, got HTTP {status}")
    try:
        token = orjson.loads(body)["token"] if status == 200 else None
    except (KeyError, TypeError, ValueError):
        token = None
    if not isinstance(token, str) or not token:
        raise RoomUnreachable(f"Daily's meeting tokens: expected a token, got HTTP {status} without one")
    return token
