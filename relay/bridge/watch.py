"""The watchdogs of a bridge: everything that ends it by being absent for too long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from relay.bridge.settings import BridgeSettings
from relay.transfers.reasons import Reason


class Verdict(NamedTuple):
    """Why a bridge must end, or its agent's leg: another may take that one's place."""

    reason: Reason
    detail: str
    is_of_leg: bool


@dataclass(slots=True, kw_only=True)  # not frozen: as relay.bridge.stats
class Signs:
    """
    The signs of life that the watchdogs look at; None where there is nothing to watch yet.

    Times are monotonic ns: since when something is so, or when it was last seen.
    """

    unattached_since_ns: int | None = None
    reconnecting_since_ns: int | None = None
    connected_since_ns: int | None = None
    audio_seen_ns: int | None = None
    ping_unanswered_since_ns: int | None = None
    write_stalled_since_ns: int | None = None
    paused_since_ns: int | None = None
    microphone_silent_since_ns: int | None = None


class MicrophoneWatch:
    """
    Since when the room's microphone has not done what it should.

    Once it has asked for a frame it must ask on. Before that it must begin when there is something to hear and somebody
    to hear it: a room may take nothing of who is alone in it, and while the phone rings nobody misses it.
    """

    def __init__(self) -> None:
        self._needed_since_ns: int | None = None

    def silent_since_ns(self, now_ns: int, *, asked_ns: int, is_needed: bool) -> int | None:
        """
        None: nothing is expected of it yet.

        Args:
            now_ns: as all times.
            asked_ns: when it asked last; 0: never.
            is_needed: the agent's audio is there, and somebody in the room.
        """
        if not is_needed:
            self._needed_since_ns = None
        elif self._needed_since_ns is None:
            self._needed_since_ns = now_ns
        return asked_ns or self._needed_since_ns


class _Rule(NamedTuple):
    reason: Reason
    what: str
    is_of_leg: bool = False


_MICROPHONE: Final = _Rule(Reason.ROOM_LOST, "the room's microphone asked for nothing")
_TOO_LONG: Final = _Rule(Reason.MAX_DURATION, "the call has been going")
_RECONNECT: Final = _Rule(Reason.MEDIA_LOST, "no stream of the carrier in place of the one that broke")
_ATTACH: Final = _Rule(Reason.MEDIA_TIMEOUT, "no connection of the carrier")
_HALF_OPEN: Final = _Rule(Reason.MEDIA_LOST, "no pong from the carrier", is_of_leg=True)
_STALLED: Final = _Rule(Reason.MEDIA_LOST, "the carrier read nothing", is_of_leg=True)
_PAUSED: Final = _Rule(Reason.MEDIA_LOST, "the carrier's buffer was full", is_of_leg=True)
_NO_AUDIO: Final = _Rule(Reason.MEDIA_TIMEOUT, "no audio from the carrier", is_of_leg=True)


def look(signs: Signs, settings: BridgeSettings, now_ns: int) -> Verdict | None:
    """The first rule that is broken, if any is: what ends the bridge first, and of that the most telling."""
    # Once a second for each call: nothing is made here but what is looked at.
    for since_ns, bound_s, rule in (
        (signs.microphone_silent_since_ns, settings.room_timeout_s, _MICROPHONE),
        (signs.connected_since_ns, settings.max_duration_s, _TOO_LONG),
        (signs.reconnecting_since_ns, settings.reconnect_timeout_s, _RECONNECT),
        (signs.unattached_since_ns, settings.attach_timeout_s, _ATTACH),
        (signs.ping_unanswered_since_ns, settings.half_open_timeout_s, _HALF_OPEN),
        (signs.write_stalled_since_ns, settings.write_stall_timeout_s, _STALLED),
        (signs.paused_since_ns, settings.write_stall_timeout_s, _PAUSED),
        (signs.audio_seen_ns, settings.media_timeout_s, _NO_AUDIO),
    ):
        if since_ns is not None and now_ns - since_ns > bound_s * 1e9:
            return Verdict(rule.reason, f"{rule.what} for {bound_s:g} s", rule.is_of_leg)
    return None
