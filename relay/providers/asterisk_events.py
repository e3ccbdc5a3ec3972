"""
What Asterisk says of calls over ARI: the events of an application, and lists of channels and bridges.

Sources: rest-api/api-docs/{events,channels,bridges}.json and main/dial.c of asterisk/asterisk.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import orjson

from relay.providers.asterisk import MEDIA_CHANNEL_SUFFIX
from relay.providers.control import CallReport, CallStatus, HttpReply
from relay.providers.fields import Fields, read_message

CARRIER: Final = "asterisk"
CALL_ID: Final = re.compile(r"[A-Za-z0-9_]{1,64}")
"""Ids of channels that we have chosen; those that Asterisk makes have a dot."""
CALL_ID_TEXT: Final = "1 to 64 letters, digits and underscores"
BRIDGE_SUFFIX: Final = "-bridge"

_UP: Final = "Up"
_STATES: Final = {
    "Down": CallStatus.DIALING,
    "Rsrved": CallStatus.DIALING,
    "OffHook": CallStatus.DIALING,
    "Dialing": CallStatus.DIALING,
    "Ring": CallStatus.DIALING,  # that is a channel that calls Asterisk
    "Ringing": CallStatus.RINGING,
    _UP: CallStatus.ANSWERED,
}
CAUSES: Final = {
    0: CallStatus.NO_ANSWER,  # main/dial.c says nothing when it has rung for long enough
    1: CallStatus.INVALID_NUMBER,  # unallocated
    16: CallStatus.CANCELED,
    17: CallStatus.BUSY,
    18: CallStatus.NO_ANSWER,
    19: CallStatus.NO_ANSWER,
    21: CallStatus.REJECTED,
    22: CallStatus.INVALID_NUMBER,  # changed
    28: CallStatus.INVALID_NUMBER,  # of an invalid format
    27: CallStatus.UNAVAILABLE,  # destination out of order
    34: CallStatus.UNAVAILABLE,  # no circuit
    38: CallStatus.UNAVAILABLE,  # network out of order
    41: CallStatus.UNAVAILABLE,  # temporary failure
    42: CallStatus.UNAVAILABLE,  # congestion
    44: CallStatus.UNAVAILABLE,  # the circuit that was asked for is not there
    47: CallStatus.UNAVAILABLE,  # resource unavailable
    102: CallStatus.UNAVAILABLE,  # nobody said anything in time
}
"""Q.850, of calls that nobody has answered; whatever else there is has failed."""


@dataclass(frozen=True, slots=True)
class PhoneChanged:
    """The phone's channel has another state."""

    report: CallReport


@dataclass(frozen=True, slots=True)
class PhoneReady:
    """The phone has been answered, and its channel is in our hands: it can be given its media."""

    call_id: str


@dataclass(frozen=True, slots=True)
class PhoneGone:
    """The phone's channel is no more; ``cause`` is Q.850's, 0 if nobody said one."""

    call_id: str
    state: str
    cause: int

    def report(self, *, was_answered: bool) -> CallReport:
        """What that makes of the call; ``was_answered``: somebody has said so before."""
        status = CAUSES.get(self.cause, CallStatus.FAILED)
        if was_answered or self.state == _UP:
            status = CallStatus.COMPLETED
        code = str(self.cause) if self.cause else ""
        return CallReport(self.call_id, status, f"{self.call_id}/destroyed", code=code)


@dataclass(frozen=True, slots=True)
class MediaReady:
    """The call's media channel has its WebSocket, and is in our hands: it can be joined with the phone's."""

    call_id: str


@dataclass(frozen=True, slots=True)
class MediaGone:
    """The call's media channel is no more, or could not connect."""

    call_id: str


@dataclass(frozen=True, slots=True)
class Replaced:
    """Somebody else listens to our application's events from now on."""


AriEvent: TypeAlias = PhoneChanged | PhoneReady | PhoneGone | MediaReady | MediaGone | Replaced


@dataclass(frozen=True, slots=True)
class Channels:
    """The channels of our calls that Asterisk has; whose they are, only their ids say."""

    phones: Mapping[str, str]
    """Their states, by call."""
    media: frozenset[str]
    """Calls whose media has a channel."""


def read_event(message: str) -> AriEvent | None:
    """
    What one event says; None: nothing of our calls.

    Raises:
        RemoteProtocolError: it is no event.
    """
    fields = read_message(CARRIER, message)
    event = fields.text("type")
    match event:
        case "ApplicationReplaced":
            return Replaced()
        case "StasisStart" | "ChannelStateChange" | "ChannelDestroyed":
            return _of_channel(event, fields, fields.fields("channel"))
    return None


def state_report(call_id: str, state: str) -> CallReport:
    """What a state of the phone's channel says."""
    return CallReport(call_id, _STATES.get(state), f"{call_id}/{state}")


def is_up(state: str) -> bool:
    """Whether a channel in this state has been answered."""
    return state == _UP


def read_channels(reply: HttpReply) -> Channels | None:
    """The list of all channels; None if it cannot be read."""
    listed = _listed(reply)
    if listed is None:
        return None
    states = {each["id"]: state if isinstance(state := each.get("state"), str) else "" for each in listed}
    phones = {channel_id: state for channel_id, state in states.items() if CALL_ID.fullmatch(channel_id)}
    return Channels(phones, frozenset(filter(None, (_media_of(channel_id) for channel_id in states))))


def read_application(reply: HttpReply) -> frozenset[str] | None:
    """The calls whose phone's channel is an application's; None if it cannot be read."""
    try:
        application = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return None
    ids = application.get("channel_ids") if reply.status == 200 and isinstance(application, dict) else None
    if not isinstance(ids, list):
        return None
    return frozenset(each for each in ids if isinstance(each, str) and CALL_ID.fullmatch(each))


def read_empty_bridges(reply: HttpReply) -> frozenset[str] | None:
    """The calls whose bridge has nobody in it, of the list of all bridges; None if it cannot be read."""
    listed = _listed(reply)
    if listed is None:
        return None
    empty = (each["id"] for each in listed if each.get("channels") == [])
    calls = (bridge_id.removesuffix(BRIDGE_SUFFIX) for bridge_id in empty if bridge_id.endswith(BRIDGE_SUFFIX))
    return frozenset(call_id for call_id in calls if CALL_ID.fullmatch(call_id))


def _of_channel(event: str, fields: Fields, channel: Fields) -> AriEvent | None:
    channel_id = channel.text("id")
    media_of = _media_of(channel_id)
    if media_of is not None:
        match event:
            case "StasisStart":
                return MediaReady(media_of)
            case "ChannelDestroyed":
                return MediaGone(media_of)
        return None
    if not CALL_ID.fullmatch(channel_id):
        return None
    state = channel.text_or_none("state") or ""
    if event == "ChannelDestroyed":
        return PhoneGone(channel_id, state, fields.number_or_none("cause") or 0)
    return PhoneReady(channel_id) if event == "StasisStart" else PhoneChanged(state_report(channel_id, state))


def _media_of(channel_id: str) -> str | None:
    """The call whose media's channel this is."""
    call_id = channel_id.removesuffix(MEDIA_CHANNEL_SUFFIX)
    return call_id if call_id != channel_id and CALL_ID.fullmatch(call_id) else None


def _listed(reply: HttpReply) -> list[dict[str, Any]] | None:
    try:
        listed = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        return None
    is_list = reply.status == 200 and isinstance(listed, list)
    is_read = is_list and all(isinstance(each, dict) and isinstance(each.get("id"), str) for each in listed)
    return listed if is_read else None
