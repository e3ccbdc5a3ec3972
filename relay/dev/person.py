"""A person in the local room, over its WebSocket: says PCM, records both directions, and sees who comes and goes."""

from __future__ import annotations

import statistics
from typing import Final

from relay.dev.recording import Recording, laid_out
from relay.dev.until import Changes
from relay.errors import RoomError
from relay.rooms.base import Participant
from relay.rooms.local import LocalRoom
from relay.rooms.wire import FRAME_BYTES, RATE_HZ

FRAME_NS: Final = 20_000_000
TIMEOUT_S: Final = 10.0


class Person:
    """
    ``await Person.enter(room_url, "customer", said)``; silence when ``said`` ends.

    What is said is L16 at 16 kHz.
    """

    def __init__(self, room_url: str, name: str, said: bytes = b"") -> None:
        self.name = name
        self.room = LocalRoom(room_url, name=name)
        self.frames: list[tuple[int, bytes]] = []
        """What was heard, and when it came."""
        self.said_frames: list[tuple[int, bytes]] = []
        """What was said, and when the room took it."""
        self.is_in = False
        self.gone: list[str] = []
        """Names of those who left, in order."""
        self.changes = Changes()
        self.said_start_ns = 0
        """When the first sample of what is being said was taken."""
        self.say(said)

    @classmethod
    async def enter(cls, room_url: str, name: str, said: bytes = b"") -> Person:
        """Join the room."""
        person = cls(room_url, name, said)
        await person.room.join(person)
        person.is_in = True
        return person

    @property
    def heard(self) -> Recording:
        """All that was heard, with a silence wherever the room sent nothing."""
        return laid_out(self.frames, RATE_HZ)

    @property
    def said(self) -> Recording:
        """All that was said, with a silence wherever the room took nothing; a frame's first sample when it did."""
        return laid_out(self.said_frames, RATE_HZ)

    def say(self, said: bytes) -> None:
        """Say this from the next frame on, in place of what was being said."""
        self._said, self._at = said, 0

    def heard_since(self, since_ns: int = 0) -> Recording:
        """
        Frames that came from then on, one after the other, at the pace of the room.

        Timed by the median of all: a frame that the loop fetched late is no later in the room's own time.
        """
        frames = [(at_ns, pcm) for at_ns, pcm in self.frames if at_ns >= since_ns]
        starts_ns = [at_ns - number * FRAME_NS for number, (at_ns, _) in enumerate(frames)]
        return Recording(b"".join(pcm for _, pcm in frames), RATE_HZ, int(statistics.median(starts_ns)))

    async def leave(self) -> None:
        """Leave the room."""
        self.is_in = False
        await self.room.leave()

    async def until_heard(self, frames: int) -> None:
        """
        Return when so many more frames have come.

        Raises:
            TimeoutError: they have not, for ``TIMEOUT_S``.
        """
        wanted = len(self.frames) + frames
        await self.changes.until(lambda: len(self.frames) >= wanted, f"{frames} more frames", timeout_s=TIMEOUT_S)

    async def until_gone(self, name: str) -> None:
        """
        Return when somebody of that name has left the room.

        Raises:
            TimeoutError: nobody has, for ``TIMEOUT_S``.
        """
        await self.changes.until(lambda: name in self.gone, f"{name} gone", timeout_s=TIMEOUT_S)

    def microphone_due(self, now_ns: int) -> bytes:
        """As ``RoomListener``."""
        if not self._at:
            self.said_start_ns = now_ns
        frame = self._said[self._at : self._at + FRAME_BYTES].ljust(FRAME_BYTES, b"\0")
        self._at += FRAME_BYTES
        self.said_frames.append((now_ns, frame))
        return frame

    def speaker_frame(self, pcm: bytes, now_ns: int) -> None:
        """As ``RoomListener``."""
        self.frames.append((now_ns, pcm))
        self.changes.changed()

    def participant_joined(self, participant: Participant) -> None:  # noqa: ARG002 - who it is does not matter
        """As ``RoomListener``."""
        self.changes.changed()

    def participant_left(self, participant: Participant, reason: str) -> None:  # noqa: ARG002 - nor why
        """As ``RoomListener``."""
        self.gone.append(participant.name)
        self.changes.changed()

    def room_interrupted(self) -> None:
        """As ``RoomListener``."""

    def room_back(self) -> None:
        """As ``RoomListener``."""

    def room_closed(self, error: RoomError) -> None:  # noqa: ARG002 - whoever is gone is not in
        """As ``RoomListener``."""
        self.is_in = False
        self.changes.changed()
