"""What carries calls: which room a worker is sent to, with whose token, and what makes a service unready."""

from __future__ import annotations

import asyncio
import base64
import time
from typing import Any

import aiohttp
import jwt
import pytest

from relay.app.bridging import FORGET_S, LEAKS_MAX, TOKEN_MARGIN_S, Releases, room_spec, token_source
from relay.app.room_urls import RoomPolicy
from relay.app.settings import Settings
from relay.bridge.events import Ended
from relay.bridge.stats import BridgeStats
from relay.bridge.worker_bridge import LEAKED
from relay.errors import RoomRefused
from relay.transfers.reasons import Reason
from relay.transfers.record import TransferOrder
from tests.app.served import ROOM, settings_with
from tests.transfers.clock import ManualClock
from tests.transfers.coordinated import order_for

KEY = "an-api-key-of-a-domain-at-daily.co"
DOMAIN_ID = "30f866c3-9123-452a-8723-ff58322d09c5"
LOCAL = "http://127.0.0.1:8090"
GIVEN = "the-token-of-the-bot"


def policy_of(settings: Settings) -> RoomPolicy:
    return RoomPolicy(settings.daily_domains, settings.local_rooms)


def token_for(order: TransferOrder, **changes: Any) -> str | None:
    settings = settings_with(**changes)

    async def scenario() -> str | None:
        async with aiohttp.ClientSession() as session:
            return await token_source(settings, policy_of(settings), session)(order)

    return asyncio.run(scenario())


def ended_with(**faults: int) -> Ended:
    stats = BridgeStats(
        age_s=1.0, joined=True, participants=1, agent_to_room=None, room_to_agent=None, round_trip_ms=0.0, faults=faults
    )
    return Ended(Reason.AGENT_HUNG_UP, "", was_joined=True, stats=stats)


# --- Rooms ---


def test_a_daily_room_is_joined_with_the_token_of_the_bot() -> None:
    settings = settings_with(daily_backend="tracks")
    spec = room_spec(order_for(ROOM, room_token=GIVEN), policy_of(settings), settings)
    assert (spec.kind, spec.url, spec.token, spec.backend) == ("daily", ROOM, GIVEN, "tracks")


def test_a_local_room_is_joined_as_it_is() -> None:
    settings = settings_with(local_rooms=LOCAL)
    spec = room_spec(order_for(f"{LOCAL}/rooms/blue"), policy_of(settings), settings)
    assert (spec.kind, spec.token, spec.backend) == ("local", None, "virtual")


def test_a_room_of_another_domain_is_refused() -> None:
    settings = settings_with()
    with pytest.raises(RoomRefused):
        room_spec(order_for("https://another.daily.co/support"), policy_of(settings), settings)


# --- Tokens ---


def test_a_token_is_signed_for_the_room_and_for_as_long_as_the_call_may_last() -> None:
    order = order_for(ROOM, ring_timeout_s=30.0, max_duration_s=3600.0)
    token = token_for(order, daily_api_key=KEY, daily_domain_id=DOMAIN_ID)
    assert token is not None
    claims = jwt.decode(token, KEY, algorithms=["HS256"])
    assert (claims["r"], claims["d"], claims["u"]) == ("support-42", DOMAIN_ID, "relay")
    assert claims["exp"] - claims["iat"] == 3630 + TOKEN_MARGIN_S
    assert abs(claims["iat"] - time.time()) < 60
    assert KEY.encode() not in base64.urlsafe_b64decode(token.split(".")[1] + "==")


@pytest.mark.parametrize(
    ("order", "changes"),
    [
        (order_for(ROOM, room_token=GIVEN), {"daily_api_key": KEY, "daily_domain_id": DOMAIN_ID}),
        (order_for(ROOM), {}),
        (
            order_for(f"{LOCAL}/rooms/blue"),
            {"daily_api_key": KEY, "daily_domain_id": DOMAIN_ID, "local_rooms": LOCAL},
        ),
    ],
    ids=["the bot gave one", "there is no key", "the room is local"],
)
def test_no_token_is_made_that_is_not_needed(order: TransferOrder, changes: dict[str, Any]) -> None:
    assert token_for(order, **changes) is None


# --- What has been let go ---


def test_rooms_that_do_not_let_go_one_after_the_other_are_too_many() -> None:
    releases = Releases()
    for _ in range(LEAKS_MAX - 1):
        releases.note(ended_with(**{LEAKED: 1}))
    assert releases.are_clean
    releases.note(ended_with(**{LEAKED: 1}))
    assert not releases.are_clean
    releases.note(ended_with(**{LEAKED: 1}))
    assert not releases.are_clean


def test_a_room_that_lets_go_ends_the_row() -> None:
    releases = Releases()
    for faults in ({LEAKED: 1}, {LEAKED: 1}, {"bad_message": 3}, {LEAKED: 1}, {LEAKED: 1}):
        releases.note(ended_with(**faults))
    assert releases.are_clean
    releases.note(ended_with(**{LEAKED: 1}))
    releases.note(ended_with())
    assert releases.are_clean


def test_rooms_that_did_not_let_go_are_tried_again_later_and_one_more_is_too_many_then() -> None:
    """A service that gets no calls, as it is not ready, would never hear of one that lets go."""
    clock = ManualClock()
    releases = Releases(now_s=lambda: clock.now_s)
    for _ in range(2):
        for _ in range(LEAKS_MAX):
            releases.note(ended_with(**{LEAKED: 1}))
        clock.advance(FORGET_S - 0.1)
        assert not releases.are_clean
        clock.advance(0.1)
        assert releases.are_clean
    releases.note(ended_with(**{LEAKED: 1}))
    assert not releases.are_clean
    releases.note(ended_with())
    assert releases.are_clean


def test_a_worker_that_is_lost_says_nothing_of_rooms() -> None:
    releases = Releases()
    for _ in range(LEAKS_MAX):
        assert releases.are_clean
        releases.note(ended_with(**{LEAKED: 1}))
        releases.note(ended_with(worker_lost=1))
    assert not releases.are_clean


def test_a_worker_that_had_to_be_killed_to_end_is_one_that_its_room_held_up() -> None:
    """What stops the whole process lets it tell of no leak."""
    releases = Releases()
    for _ in range(LEAKS_MAX):
        assert releases.are_clean
        releases.note(ended_with(worker_lost=1, worker_held_up=1))
    assert not releases.are_clean
