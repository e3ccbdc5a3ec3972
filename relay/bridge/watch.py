"""The watchdogs of a bridge: everything that ends it by being absent for too long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from relay.bridge.settings import BridgeSettings
from relay.transfers.reasons import Reason


class Verdict(NamedTuple):
    """Why a bridge must end."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """
    The signs of life that the watchdogs look at; None where there is nothing to watch yet.

    Times are monotonic ns: since when something is so, or when it was last seen.
    """

    unattached_since_ns: int | None = None
    connected_since_ns: int | None = None
    audio_seen_ns: int | None = None
    ping_unanswered_since_ns: int | None = None
    write_stalled_since_ns: int | None = None
    microphone_seen_ns: int | None = None
    customer_absent_since_ns: int | None = None


def look(signs: Signs, settings: BridgeSettings, now_ns: int) -> Verdict | None:
    """The first rule that is broken, if any is: the most telling first."""
    # since when, how long it may last, why the bridge ends, what is said of it
    rules = (
        (
            signs.microphone_seen_ns,
            settings.room_timeout_s,
            Reason.ROOM_LOST,
            "the room's microphone asked for nothing",
        ),
        (signs.customer_absent_since_ns, settings.customer_grace_s, Reason.CUSTOMER_LEFT, "no customer in the room"),
        (signs.ping_unanswered_since_ns, settings.half_open_timeout_s, Reason.MEDIA_LOST, "no pong from the carrier"),
        (signs.write_stalled_since_ns, settings.write_stall_timeout_s, Reason.MEDIA_LOST, "the carrier read nothing"),
        (signs.unattached_since_ns, settings.attach_timeout_s, Reason.MEDIA_TIMEOUT, "no connection of the carrier"),
        (signs.audio_seen_ns, settings.media_timeout_s, Reason.MEDIA_TIMEOUT, "no audio from the carrier"),
        (signs.connected_since_ns, settings.max_duration_s, Reason.MAX_DURATION, "the call has been going"),
    )
    for since_ns, bound_s, reason, what in rules:
        if since_ns is not None and now_ns - since_ns > bound_s * 1e9:
            return Verdict(reason, f"{what} for {bound_s:g} s")
    return None
