"""
The customer of mode ``bridge``, one in each room: says marker frames, and keeps what delays are measured by.

Compiled (bridge_seat.pxd), as it shares a core with the bridges that are measured.
"""

from __future__ import annotations

import array
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from relay.bridge.events import BridgeEvent, MediaStarted, Statistics
from relay.media.format import PTIME_MS
from relay.rooms.device_clock import MS_NS, RING_MS

_PTIME_NS: Final = PTIME_MS * MS_NS
_RING_NS: Final = RING_MS * MS_NS
_NEVER_NS: Final = 1 << 62


class Seat:
    """
    One room's customer, and what is kept of the room.

    A frame is said when it is due, however late the room's device asks for it, and one whose tick the device has missed
    is said, too, and never heard: what delays the clock is not to be left out.

    Args:
        frames: what the customer says, in turn.
        tick_ns: between two ticks of the device.
    """

    def __init__(self, frames: tuple[bytes, ...], tick_ns: int) -> None:
        self.stream_id = ""
        self.first = 0
        """The number of the first frame that is kept."""
        self.said_ns = array.array("q")
        self.taken_ns = array.array("q")
        self.taken = bytearray()
        self.targets: list[tuple[int, float]] = []
        self.keeps = False
        self.missed_ticks: Callable[[], int] = lambda: 0
        """How many the device has missed so far."""
        self._frames = frames
        self._tick_ns = tick_ns
        self._said = 0
        self._due_ns = _NEVER_NS
        self._missed = 0
        self._asked_ns = 0
        self._owed_ns = 0
        """Of ticks that were missed and are no whole frame."""

    def speak(self, now_ns: int) -> bytes:
        """The next frame."""
        if now_ns - self._asked_ns > _RING_NS:  # in less than that none is missed
            self._say_missed()
        self._asked_ns = now_ns
        due_ns = now_ns - self._owed_ns
        if due_ns < self._due_ns:  # noqa: PLR1730 - a tick never comes early: the first was late, too
            self._due_ns = due_ns
        number = self._said
        self._say()
        return self._frames[number]

    def _say_missed(self) -> None:
        before, self._missed = self._missed, self.missed_ticks()
        owed_ns = self._owed_ns + (self._missed - before) * self._tick_ns
        frames, self._owed_ns = divmod(owed_ns, _PTIME_NS)
        for _ in range(frames):
            self._say()

    def _say(self) -> None:
        self._said = (self._said + 1) % len(self._frames)
        if self.keeps:
            self.said_ns.append(self._due_ns + self._owed_ns)
        self._due_ns += _PTIME_NS

    def take(self, pcm: bytes, _: int) -> None:
        """Keep what the microphone got, and when it really got it: later than the wake-up that it belongs to."""
        if self.keeps:
            self.taken_ns.append(time.monotonic_ns())
            self.taken += pcm

    def begin(self) -> None:
        """Keep from now on."""
        self.keeps, self.first = True, self._said

    def note(self, event: BridgeEvent) -> None:
        """Take from the bridge's events what delays are measured against."""
        if isinstance(event, MediaStarted):
            self.stream_id = event.stream_id
        elif isinstance(event, Statistics) and self.keeps and event.stats.agent_to_room is not None:
            self.targets.append((time.monotonic_ns(), event.stats.agent_to_room.playout.target_ms))

    def write(self, folder: Path) -> None:
        """Write what is kept, under the number of the call."""
        name = str(int(self.stream_id.removeprefix("MZ"), 16))
        (folder / f"{name}.said").write_bytes(self.said_ns.tobytes())
        if self.taken_ns:
            (folder / f"{name}.taken_ns").write_bytes(self.taken_ns.tobytes())
            (folder / f"{name}.taken").write_bytes(self.taken)
