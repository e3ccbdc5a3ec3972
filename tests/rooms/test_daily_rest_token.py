"""Tokens through Daily's REST API (T11): one room, an end, nobody's owner; and no secret in any error."""

import asyncio
from collections.abc import Mapping

import orjson
import pytest

from relay.errors import RoomDenied, RoomError, RoomUnreachable
from relay.rooms.daily_rest_token import rest_meeting_token

KEY = "an-api-key-of-a-domain"


class Api:
    """What the API is asked, and what it answers."""

    def __init__(
        self, status: int = 200, body: bytes = b'{"token":"made-by-daily"}', error: Exception | None = None
    ) -> None:
        self.answer = (status, body)
        self.error = error
        self.requests: list[tuple[str, Mapping[str, str], bytes]] = []

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        self.requests.append((url, headers, body))
        if self.error is not None:
            raise self.error
        return self.answer


def token_of(api: Api, *, room_name: str = "blue", lifetime_s: float = 3600.0) -> str:
    return asyncio.run(
        rest_meeting_token(
            api.post, api_key=KEY, room_name=room_name, now_s=1_000_000.5, lifetime_s=lifetime_s, user_name="relay"
        )
    )


def test_a_token_is_asked_for_one_room_with_an_end_and_no_owner() -> None:
    api = Api()
    assert token_of(api) == "made-by-daily"
    ((url, headers, body),) = api.requests
    assert url == "https://api.daily.co/v1/meeting-tokens"
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert orjson.loads(body) == {
        "properties": {
            "room_name": "blue",
            "exp": 1_003_600,
            "eject_at_token_exp": True,
            "is_owner": False,
            "user_name": "relay",
        }
    }


@pytest.mark.parametrize(
    ("api", "error"),
    [
        (Api(400), RoomDenied),
        (Api(401), RoomDenied),
        (Api(403), RoomDenied),
        (Api(408), RoomUnreachable),
        (Api(429), RoomUnreachable),
        (Api(500), RoomUnreachable),
        (Api(200, b"<html>"), RoomUnreachable),
        (Api(200, b"[]"), RoomUnreachable),
        (Api(200, b'{"token":7,"other":"secret"}'), RoomUnreachable),
        (Api(error=TimeoutError()), RoomUnreachable),
        (Api(error=ConnectionRefusedError(KEY)), RoomUnreachable),
    ],
)
def test_f18_no_token_is_an_error_without_a_secret(api: Api, error: type[RoomError]) -> None:
    with pytest.raises(error) as raised:
        token_of(api)
    assert KEY not in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_token_for_every_room_or_without_an_end_is_not_asked_for() -> None:
    api = Api()
    with pytest.raises(ValueError, match="a room's name"):
        token_of(api, room_name="")
    with pytest.raises(ValueError, match="a lifetime"):
        token_of(api, lifetime_s=0)
    assert api.requests == []
