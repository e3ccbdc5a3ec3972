"""What is kept of a transfer: no token, no key and no phone number in clear."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from relay.transfers.reasons import Reason
from relay.transfers.states import Event, State

SPOKEN_CHARS_PER_S: Final = 8
"""Half as fast as carriers' voices speak: numbers are said digit by digit."""
TRANSFER_ID: Final = re.compile("tr_[0-9a-f]{32}")
"""Checked before an id from outside becomes part of a key."""
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Accept(StrEnum):
    """What shows that a person, and not a voicemail, is on the phone before the customer is exposed to it."""

    NONE = "none"
    """Whoever answers is let in."""
    PRESS_1 = "press_1"
    """The agent presses 1; 2 declines."""
    DETECTION = "detection"
    """The carrier's answering-machine detection says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferOrder:
    """
    One request for a transfer, everything in it allowed and resolved. Lives in memory only.

    Args:
        to, from_number: E.164.
        to_masked: what may be shown and stored of ``to``.
        destination: the configuration's entry that ``to`` comes from, if it does.
        say: spoken to the agent before the media stream opens, where the carrier can.
        ring_timeout_s: from the dial on; nobody has answered until then: the phone is hung up.
        max_duration_s: of the call, from its answer on.
    """

    room_url: str
    room_token: str | None = field(default=None, repr=False)
    provider: str
    to: str = field(repr=False)
    to_masked: str
    from_number: str = field(repr=False)
    destination: str | None = None
    accept: Accept = Accept.NONE
    say: str | None = None
    customer_id: str | None = None
    bot_id: str | None = None
    ring_timeout_s: float = 30.0
    max_duration_s: float = 4 * 3600.0
    metadata: Mapping[str, str] = field(default_factory=lambda: _NOTHING, repr=False)

    @property
    def say_s(self) -> float:
        """How long ``say`` takes at most."""
        return len(self.say or "") / SPOKEN_CHARS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """
    A transfer as it is stored, at one version.

    ``times_ms`` says when each state was reached first, in ms since 1970 by the store's clock. ``streams`` is the
    number of the next media stream, one more than that of the last whose token has been consumed. ``epoch`` fences: who
    owns the transfer writes with its epoch.
    """

    transfer_id: str
    state: State
    version: int
    epoch: int
    owner: str
    provider: str
    room_url: str
    to_masked: str
    destination: str | None = None
    accept: Accept = Accept.NONE
    customer_id: str | None = None
    bot_id: str | None = None
    ring_timeout_s: float
    max_duration_s: float
    metadata: Mapping[str, str] = field(default_factory=lambda: _NOTHING, repr=False)
    provider_call_id: str | None = None
    reason: Reason | None = None
    provider_code: str | None = None
    """The carrier's own code for what it refused."""
    reconnecting: bool = False
    streams: int = 0
    times_ms: Mapping[State, int] = field(default_factory=dict)
    updated_ms: int = 0

    @classmethod
    def of(cls, order: TransferOrder, transfer_id: str, *, owner: str) -> Transfer:
        """A transfer that is about to be stored."""
        return cls(
            transfer_id=transfer_id,
            state=State.REQUESTED,
            version=1,
            epoch=1,
            owner=owner,
            provider=order.provider,
            room_url=order.room_url,
            to_masked=order.to_masked,
            destination=order.destination,
            accept=order.accept,
            customer_id=order.customer_id,
            bot_id=order.bot_id,
            ring_timeout_s=order.ring_timeout_s,
            max_duration_s=order.max_duration_s,
            metadata=order.metadata,
        )

    @property
    def is_terminal(self) -> bool:
        """It is over, and stays as it is."""
        return self.state.is_terminal


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedEvent:
    """
    One entry of a transfer's event log: what happened and where that led.

    ``entry_id`` orders entries and resumes reading after one.
    """

    entry_id: str
    version: int
    event: Event | None
    """None for the first entry, which made the transfer."""
    state: State
    at_ms: int
    reason: Reason | None = None
    changes: Mapping[str, str] = field(default_factory=lambda: _NOTHING)


def new_transfer_id(now_ms: int, random: bytes) -> str:
    """An id that sorts by time and cannot be guessed: 48 bits of Unix ms, 80 bits of ``random``."""
    if len(random) != 10:
        raise ValueError(f"new_transfer_id: expected 10 random bytes, got {len(random)}")
    return f"tr_{now_ms:012x}{random.hex()}"


def digest(text: str) -> str:
    """What stands for a token, or is a part of a key, where the text itself must not be: its SHA-256 in hex."""
    return hashlib.sha256(text.encode()).hexdigest()
