"""The bounds a bridge keeps."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final, Literal

from relay.media.format import PTIME_MS
from relay.media.tones import Ringback

QUEUE_MIN_MS: Final = 4 * PTIME_MS
"""Two frames in the socket and two held: with less, a path that works loses audio."""

_MAY_BE_ZERO: Final = frozenset({"customer_grace_s", "reconnect_timeout_s"})


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeSettings:
    """
    How long a bridge waits, how much it queues, and how much nonsense it takes.

    Raises:
        ValueError: a number that is not above zero, where zero means nothing.
    """

    media_timeout_s: float = 10.0
    """No audio from the carrier for so long, from the first moment of its connection on, ends the bridge."""

    half_open_timeout_s: float = 6.0
    """So long without an answer to a ping and without audio, from a carrier that has answered one, ends the bridge."""

    write_stall_timeout_s: float = 5.0
    """A carrier that takes none of our audio for so long ends the bridge."""

    room_timeout_s: float = 10.0
    """A room whose microphone asks for nothing for so long, though it has before or should begin to, is lost."""

    attach_timeout_s: float = 600.0
    """No connection of a carrier for so long from the beginning on, whoever drives the bridge, ends it."""

    reconnect_timeout_s: float = 10.0
    """A carrier's stream that broke after both were heard is waited for so long, until both are heard again; 0: not."""

    customer_grace_s: float = 5.0
    """A customer who left after both were heard may come back (a page reloaded, a network changed); 0: may not."""

    max_duration_s: float = 4 * 3600.0
    """From the carrier's connection on."""

    queue_max_ms: int = 200
    """Audio towards the carrier that waits on our side, in this process and in the kernel."""

    notice_timeout_s: float = 0.4
    """The agent hears that the call is over for 300 ms; closing the connection waits for that so long at most."""

    ping_interval_s: float = 3.0
    bad_messages_max: int = 20
    leave_timeout_s: float = 5.0
    close_timeout_s: float = 2.0
    tick_s: float = 1.0
    """How often time-outs are looked at and statistics reported."""

    profile: Literal["balanced", "low_delay", "high_quality"] = "balanced"
    """The codec's filters."""

    ringback: Ringback = "north_america"
    """What the customer hears while the phone rings."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            may_be_zero = each.name in _MAY_BE_ZERO
            if not isinstance(value, str) and not (value > 0 or (may_be_zero and value == 0)):
                raise ValueError(f"BridgeSettings: expected a {each.name} above zero, got {value!r}")
        if self.queue_max_ms < QUEUE_MIN_MS:
            raise ValueError(
                f"BridgeSettings: expected a queue_max_ms of {QUEUE_MIN_MS} or more, got {self.queue_max_ms}"
            )
