"""What Daily's sentences mean; those of the first kind were recorded from daily-python 0.36.0 without a network."""

import pytest

from relay.errors import RoomDenied, RoomUnreachable
from relay.rooms.daily_errors import TEXT_MAX, cleaned, explains_end, is_end, join_error
from tests.rooms.daily_room import TOKEN, URL

NO_NETWORK = (
    "Connection(Api(RoomLookup(RoomInfoFetchFailed(Get(hyper_util::client::legacy::Error(Connect, Custom { kind: "
    'Uncategorized, error: "failed to lookup address information: Name or service not known" }))))))'
)


@pytest.mark.parametrize(
    "text",
    [
        NO_NETWORK,
        "Connection(Api(RoomLookup(RoomInfoError(no-room))))",
        "Connection(Api(RoomLookup(RoomInfoError(The meeting you're trying to join does not exist.))))",
        "Connection(Signalling(ChannelOpenFailed))",
        "Connection(Api(NoWorkerForRoom))",
        "",
    ],
)
def test_f18_a_room_that_is_not_reached_is_unreachable(text: str) -> None:
    assert isinstance(join_error(URL, text), RoomUnreachable)


@pytest.mark.parametrize(
    "text",
    [
        "Permissions(InvalidMeetingToken)",
        "Permissions(You do not have access to this room)",
        "Permissions(NotAllowed)",
        "Connection(Api(RoomLookup(RoomInfoError(exp-room))))",
        "Connection(Api(RoomLookup(RoomInfoError(exp-token))))",
        "Connection(Api(RoomLookup(RoomInfoError(nbf-token))))",
        "the meeting is full",
        "meeting-full",
        "HTTP 403 Forbidden",
        "Connection(NoLongerAvailable)",
    ],
)
def test_f18_a_room_that_refuses_is_denied(text: str) -> None:
    assert isinstance(join_error(URL, text), RoomDenied)


@pytest.mark.parametrize("name", ["expired", "403", "token-denied", "not-allowed"])
def test_f18_the_name_of_a_room_means_nothing(name: str) -> None:
    url = f"https://relay.daily.co/{name}"
    assert isinstance(
        join_error(url, f"Connection(Get(https://gs.daily.co/rooms/check/relay/{name}))"), RoomUnreachable
    )
    assert not is_end(url, f"signalling of {url} failed")


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("Ejected by the meeting's owner", True),
        ("Ejecting after room expiration", True),
        ("Meeting has ended", True),
        ("exp-token", True),
        ("signalling connection interrupted", False),
        ("no more attempts left for reconnecting", False),
    ],
)
def test_f20_what_ends_a_call_on_purpose_is_told_apart(text: str, ends: bool) -> None:  # noqa: FBT001 - a parameter
    assert is_end(URL, text) is ends
    assert explains_end(URL, text) is ends


@pytest.mark.parametrize("text", ["ICE candidate removed", "certificate has expired", "Removed by the owner"])
def test_f20_a_loose_word_explains_an_end_and_is_none(text: str) -> None:
    assert explains_end(URL, text)
    assert not is_end(URL, text)


@pytest.mark.parametrize("text", [f"GET https://gs.daily.co/?t={TOKEN} failed", f"token {TOKEN[:-3]} is bad"])
def test_errors_contain_no_token(text: str) -> None:
    """The one that was given, and whatever else looks like one."""
    assert "eyJ" not in cleaned(text, secrets=(TOKEN,))
    assert "opaque" not in cleaned("token=opaque", secrets=("opaque",))


def test_errors_are_short_enough_to_log() -> None:
    assert len(cleaned("x" * 10_000)) == TEXT_MAX + 3
