"""The protocol a room must satisfy, and what it tells its listener."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from relay.errors import RoomError


@dataclass(frozen=True, slots=True)
class Participant:
    """Somebody else in the room."""

    participant_id: str
    name: str = ""


class RoomListener(Protocol):
    """
    What a room calls from join to leave: on the event loop's thread, from no call of the listener's own.

    The devices run before ``join`` has returned to its caller: the first calls may come before that.
    """

    def microphone_due(self, now_ns: int) -> bytes:
        """The next ``microphone_ptime_ms`` of PCM, exactly. The room's device clock asks, never early."""

    def speaker_frame(self, pcm: bytes, now_ns: int) -> None:
        """The next ``speaker_ptime_ms`` of everyone else, mixed; ``now_ns`` is when it was read from the device."""

    def participant_joined(self, participant: Participant) -> None:
        """Somebody came. Not called for those that ``join`` returned."""

    def participant_left(self, participant: Participant, reason: str) -> None:
        """Somebody went."""

    def room_interrupted(self) -> None:
        """Nothing is heard either way for now, the room is being reached for anew. Frames go on at their pace."""

    def room_back(self) -> None:
        """It has been reached again."""

    def room_closed(self, error: RoomError) -> None:
        """The room is gone, not by ``leave``. The last call of all."""


class Room(Protocol):
    """
    One place in one room: joined once, left once.

    PCM is L16 mono little-endian at ``rate_hz``. Times are ``time.monotonic_ns()``. A room that is gone stops asking
    for the microphone and says so with ``room_closed``: it must notice by itself, within seconds.
    """

    rate_hz: int
    microphone_ptime_ms: int
    speaker_ptime_ms: int

    @property
    def counts(self) -> Mapping[str, int]:
        """
        What this room lost or could not use so far, by kind; also after it has ended.

        The kinds are a closed set, for they become metrics; a room leaves out what cannot happen to it:
        ``listener_errors`` (calls that raised, or gave PCM of a wrong length), ``missed_ticks`` (of the microphone's
        clock, too late to be delivered), ``dropped_frames`` (of the microphone, that the room did not take in time),
        ``bad_messages`` (from the room's server, that could not be read), ``leaked_threads`` (of the room, that did not
        end within the bounds of ``leave``).
        """

    async def join(self, listener: RoomListener) -> Sequence[Participant]:
        """
        Join, start both devices, and return who else is there. Bounded by the room.

        Raises:
            RoomUnreachable: no network, no such room, no answer in time.
            RoomDenied: the room refused us.
            RoomEnded: ``leave`` came first, before this or meanwhile.
        """

    async def leave(self) -> None:
        """Leave and release everything; bounded; may be called at any time and again. No listener call comes after."""
