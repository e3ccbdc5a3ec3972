"""One participant of a conference: what it has said and is not played yet, and what it hears."""

from __future__ import annotations

from typing import Final

from relay._codec import crossfade
from relay.rooms.base import Participant
from relay.rooms.outbox import Outbox
from relay.rooms.wire import FRAME_BYTES

STEP_BYTES: Final = FRAME_BYTES // 2  # the mixer's step, 10 ms
QUEUED_MAX_BYTES: Final = 3 * FRAME_BYTES  # 60 ms
WINDOW_STEPS: Final = 100  # 1 s


class Heard:
    """
    What a participant has sent, on its way into the mix; the delay of this queue is 0 to 60 ms and does not last.

    It is played from the second step on after it began to fill, so that a frame may be 10 ms late. Above 60 ms the
    oldest goes. When in a whole second it never held less than a step after playing, that step was never needed:
    it goes too. An empty queue is silence, and begins anew.
    """

    def __init__(self) -> None:
        self._queued = bytearray()
        self._is_playing = False
        self._lowest_bytes = QUEUED_MAX_BYTES
        self._steps = 0
        self.trimmed_bytes = 0
        self.underruns = 0

    @property
    def queued_bytes(self) -> int:
        """What waits."""
        return len(self._queued)

    def push(self, frame: bytes) -> None:
        """Queue 20 ms."""
        self._queued += frame
        self._trim(len(self._queued) - QUEUED_MAX_BYTES)

    def pull(self) -> bytes | None:
        """The next 10 ms, or None: silence."""
        if not self._queued:
            self.underruns += self._is_playing
            self._is_playing = False
            return None
        if not self._is_playing:
            self._is_playing = True
            self._begin_window()
            return None
        step = bytes(self._queued[:STEP_BYTES])
        del self._queued[:STEP_BYTES]
        self._watch_depth()
        return step

    def _begin_window(self) -> None:
        self._lowest_bytes, self._steps = QUEUED_MAX_BYTES, 0

    def _watch_depth(self) -> None:
        self._lowest_bytes = min(self._lowest_bytes, len(self._queued))
        self._steps += 1
        if self._steps == WINDOW_STEPS:
            self._trim(self._lowest_bytes - STEP_BYTES)
            self._begin_window()

    def _trim(self, excess_bytes: int) -> None:
        if excess_bytes > 0:
            going = self._queued[:STEP_BYTES]
            del self._queued[:excess_bytes]
            if len(going) == STEP_BYTES <= len(self._queued):  # so that nobody hears a click that is not relay's
                self._queued[:STEP_BYTES] = crossfade(going, self._queued[:STEP_BYTES])
            self.trimmed_bytes += excess_bytes


class Seat:
    """A participant's place at the mixer."""

    def __init__(self, participant: Participant, outbox: Outbox) -> None:
        self.participant = participant
        self.outbox = outbox
        self.heard = Heard()
        self._half: bytes | None = None

    def hear(self, step: bytes) -> None:
        """Give it 10 ms of everyone else; every other time that makes a frame."""
        if self._half is None:
            self._half = step
        else:
            self.outbox.put_frame(self._half + step)
            self._half = None
