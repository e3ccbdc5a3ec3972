"""Meeting tokens for Daily rooms, one for each join: signed here, or made by Daily. Kept nowhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

import aiohttp

from relay.app.settings_entries import TokenMaker
from relay.rooms.daily_rest_token import API_URL, Post, rest_meeting_token
from relay.rooms.daily_token import meeting_token

ANSWER_TIMEOUT_S: Final = 5.0  # half of what a join may take
ANSWER_MAX_BYTES: Final = 65_536  # a token takes a hundredth of it
USER_NAME: Final = "relay"


class DailyTokens:
    """
    Makes tokens for the rooms of one domain.

    Args:
        api_key: the domain's. In no repr.
        domain_id: the domain's, for tokens that are signed here.
        maker: who makes them.
        post: how Daily is asked.
        clock: seconds since 1970.
        api_url: of Daily's REST API.
    """

    def __init__(
        self,
        *,
        api_key: str,
        domain_id: str | None,
        maker: TokenMaker,
        post: Post,
        clock: Callable[[], float] = time.time,
        api_url: str = API_URL,
    ) -> None:
        self._api_key = api_key
        self._domain_id = domain_id
        self._maker = maker
        self._post = post
        self._clock = clock
        self._api_url = api_url

    async def token(self, room_name: str, *, lifetime_s: float) -> str:
        """
        A token that lets its bearer into one room, owns nothing, and puts them out when it expires.

        Args:
            room_name: the last part of its URL.
            lifetime_s: as long as the call may take.

        Raises:
            ValueError: no room, or no lifetime.
            RoomDenied: Daily refused to make one.
            RoomUnreachable: Daily did not answer.
        """
        if self._maker is TokenMaker.REST:
            return await rest_meeting_token(
                self._post,
                api_key=self._api_key,
                room_name=room_name,
                now_s=self._clock(),
                lifetime_s=lifetime_s,
                user_name=USER_NAME,
                api_url=self._api_url,
            )
        return meeting_token(
            api_key=self._api_key,
            domain_id=self._domain_id,
            room_name=room_name,
            now_s=self._clock(),
            lifetime_s=lifetime_s,
            user_name=USER_NAME,
        )


def post_with(session: aiohttp.ClientSession, *, timeout_s: float = ANSWER_TIMEOUT_S) -> Post:
    """Requests of a session, each within ``timeout_s``, its answer within ``ANSWER_MAX_BYTES``."""

    async def post(url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with session.post(url, data=body, headers=headers, timeout=timeout, allow_redirects=False) as answer:
                return answer.status, await _content(answer)
        except aiohttp.ClientError as error:
            raise ConnectionError(type(error).__name__) from error  # its text may contain the request

    return post


async def _content(answer: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in answer.content.iter_any():
        content += chunk
        if len(content) > ANSWER_MAX_BYTES:
            raise ConnectionError(f"expected at most {ANSWER_MAX_BYTES} bytes")
    return bytes(content)
