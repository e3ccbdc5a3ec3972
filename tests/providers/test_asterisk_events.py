"""What Asterisk's events and lists say of calls, and what they do not."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import RemoteProtocolError
from relay.providers.asterisk_events import (
    AriEvent,
    Channels,
    MediaGone,
    MediaReady,
    PhoneChanged,
    PhoneGone,
    PhoneReady,
    Replaced,
    is_up,
    read_application,
    read_channels,
    read_empty_bridges,
    read_event,
    state_report,
)
from relay.providers.control import CallReport, CallStatus, HttpReply
from tests.providers.asterisk_requests import BRIDGE_ID, CALL_ID, MEDIA_ID, channel, destroyed, event, reply

THEIRS = "1767225601.7"


def read(values: Any) -> AriEvent | None:
    return read_event(json.dumps(values))


def changed(state: str, status: CallStatus | None) -> PhoneChanged:
    return PhoneChanged(CallReport(CALL_ID, status, f"{CALL_ID}/{state}"))


# --- Events ---


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (event("ChannelStateChange", state="Down"), changed("Down", CallStatus.DIALING)),
        (event("ChannelStateChange", state="Ring"), changed("Ring", CallStatus.DIALING)),
        (event("ChannelStateChange", state="Ringing"), changed("Ringing", CallStatus.RINGING)),
        (event("ChannelStateChange", state="Up"), changed("Up", CallStatus.ANSWERED)),
        (event("ChannelStateChange", state="Busy"), changed("Busy", None)),
        (event("ChannelStateChange", state="Hovering"), changed("Hovering", None)),
        (event("StasisStart", args=[]), PhoneReady(CALL_ID)),
        (destroyed(cause=16), PhoneGone(CALL_ID, "Up", 16)),
        (destroyed(state="Down", cause=17), PhoneGone(CALL_ID, "Down", 17)),
        (event("ChannelDestroyed"), PhoneGone(CALL_ID, "Up", 0)),
        (event("StasisStart", MEDIA_ID, args=[]), MediaReady(CALL_ID)),
        (destroyed(MEDIA_ID), MediaGone(CALL_ID)),
        ({"type": "ApplicationReplaced", "application": "relay"}, Replaced()),
    ],
)
def test_each_event_of_our_calls_is_read(values: dict[str, Any], expected: AriEvent) -> None:
    assert read(values) == expected


@pytest.mark.parametrize(
    "values",
    [
        event("ChannelStateChange", MEDIA_ID),  # its StasisStart follows
        event("StasisEnd"),
        event("ChannelVarset", variable="A", value="b"),
        event("ChannelHangupRequest", cause=16),
        event("ChannelDtmfReceived", digit="1", duration_ms=100),  # the media's WebSocket says it
        event("StasisStart", THEIRS),
        event("StasisStart", f"{THEIRS}-media"),
        event("ChannelDestroyed", "-media"),
        {"type": "BridgeCreated", "bridge": {"id": BRIDGE_ID}},
        {"type": "SomethingNew"},
    ],
)
def test_other_events_and_other_channels_are_passed_over(values: dict[str, Any]) -> None:
    assert read(values) is None


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("", "asterisk message: expected JSON, got 0 bytes"),
        ("[]", "asterisk message: expected an object, got a list of 0 items"),
        ("{}", "asterisk type: expected a string that is not empty, got nothing"),
        ('{"type":"StasisStart"}', "asterisk channel: expected an object, got nothing"),
        (
            '{"type":"StasisStart","channel":{}}',
            "asterisk channel.id: expected a string that is not empty, got nothing",
        ),
        ('{"type":"StasisStart","channel":{"id":7}}', "asterisk channel.id: expected a string, got a number"),
        (
            json.dumps(destroyed(cause=True)),
            "asterisk cause: expected a whole number of up to 18 digits, got a boolean",
        ),
        ("x" * 65_537, "asterisk message: expected at most 65536 bytes, got 65537 bytes"),
    ],
)
def test_what_is_no_event_costs_that_message(message: str, error: str) -> None:
    with pytest.raises(RemoteProtocolError) as raised:
        read_event(message)
    assert str(raised.value).startswith(error)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(), each, max_size=3),
    max_leaves=10,
)


@given(values=JSON)
def test_no_event_whatever_breaks_anything(values: Any) -> None:
    for message in (values, {"type": values}, {**event("StasisStart"), "channel": values}, destroyed(cause=values)):
        with contextlib.suppress(RemoteProtocolError):
            read(message)


# --- How a call has ended ---


@pytest.mark.parametrize(
    ("cause", "status"),
    [
        (0, CallStatus.NO_ANSWER),
        (1, CallStatus.INVALID_NUMBER),
        (16, CallStatus.CANCELED),
        (17, CallStatus.BUSY),
        (18, CallStatus.NO_ANSWER),
        (19, CallStatus.NO_ANSWER),
        (21, CallStatus.REJECTED),
        *((cause, CallStatus.INVALID_NUMBER) for cause in (22, 28)),
        *((cause, CallStatus.UNAVAILABLE) for cause in (27, 34, 38, 41, 42, 44, 47, 102)),
        (31, CallStatus.FAILED),
        (127, CallStatus.FAILED),
        (999, CallStatus.FAILED),
    ],
)
def test_f1_f2_f5_the_cause_says_why_nobody_is_on_the_phone(cause: int, status: CallStatus) -> None:
    report = PhoneGone(CALL_ID, "Ringing", cause).report(was_answered=False)
    assert report == CallReport(CALL_ID, status, f"{CALL_ID}/destroyed", code=str(cause) if cause else "")


@pytest.mark.parametrize("cause", [0, 16, 17, 31, 38])
@pytest.mark.parametrize(("state", "was_answered"), [("Up", False), ("Down", True), ("Up", True)])
def test_f12_a_call_that_was_answered_is_completed_whatever_its_cause(
    cause: int, state: str, *, was_answered: bool
) -> None:
    report = PhoneGone(CALL_ID, state, cause).report(was_answered=was_answered)
    assert report.status is CallStatus.COMPLETED


def test_f32_an_event_that_comes_again_is_the_same_one() -> None:
    assert state_report(CALL_ID, "Up").event_id == state_report(CALL_ID, "Up").event_id
    assert state_report(CALL_ID, "Up").event_id != state_report(CALL_ID, "Ringing").event_id
    assert is_up("Up")
    assert not is_up("Ringing")


# --- Lists ---


def test_the_list_of_channels_says_which_of_our_calls_there_are() -> None:
    other = "tr_" + "2" * 32
    listed = [channel(state="Ringing"), channel(f"{other}-media"), channel(THEIRS), {"id": other}]
    expected = Channels({CALL_ID: "Ringing", other: ""}, frozenset({other}))
    assert read_channels(reply(200, listed)) == expected
    assert read_channels(reply(200, [])) == Channels({}, frozenset())


def test_the_list_of_bridges_says_which_of_ours_have_nobody_in_them() -> None:
    other = "tr_" + "2" * 32
    listed = [
        {"id": BRIDGE_ID, "channels": []},
        {"id": f"{other}-bridge", "channels": [other]},
        {"id": "a.b-bridge", "channels": []},
        {"id": "holding", "channels": []},
        {"id": f"{other}-bridge"},
    ]
    assert read_empty_bridges(reply(200, listed)) == frozenset({CALL_ID})


def test_an_application_says_which_phones_are_its_own() -> None:
    application = {"name": "relay", "channel_ids": [CALL_ID, MEDIA_ID, THEIRS, 7], "bridge_ids": [BRIDGE_ID]}
    assert read_application(reply(200, application)) == frozenset({CALL_ID})


@pytest.mark.parametrize(
    "answer", [reply(404, {"channel_ids": []}), reply(200, b"x"), reply(200, []), reply(200, {"channel_ids": 7})]
)
def test_an_application_that_cannot_be_read_is_none(answer: HttpReply) -> None:
    assert read_application(answer) is None


@pytest.mark.parametrize(
    "answer", [reply(200, b"x"), reply(200, {}), reply(200, [7]), reply(200, [{"id": 7}]), reply(500, []), reply(200)]
)
def test_a_list_that_cannot_be_read_is_none(answer: HttpReply) -> None:
    assert read_channels(answer) is None
    assert read_empty_bridges(answer) is None
