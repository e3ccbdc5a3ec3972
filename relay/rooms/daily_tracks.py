"""A room's participants heard one by one, and mixed here: the ears of a Daily room without devices."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

import structlog

from relay._codec import mix
from relay.rooms.daily_devices import CHANNELS, RATE_HZ, SPEAKER_BYTES, SPEAKER_PTIME_MS, TICK_MS

WAITING_MAX: Final = 3  # frames, 60 ms: of a burst the newest are kept, and no delay stays
BEGIN_WAITING: Final = (
    2  # the SDK's threads and our tick are not in step: one frame is in hand before the first is mixed
)
SAMPLE_BITS: Final = 16

log = structlog.get_logger(__name__)


class TrackMixer:
    """
    Mixes what each participant says, 20 ms at a time on our own clock.

    Nobody there: no frame, as of the SDK's speaker. Somebody there who says nothing: silence.

    Args:
        heard: told every frame.
        listen: asks the SDK for somebody's track; ``put`` is to be called with each frame, on the loop's thread.
    """

    def __init__(self, *, heard: Callable[[bytes, int], None], listen: Callable[[str], None]) -> None:
        self._heard = heard
        self._listen = listen
        self._waiting: dict[str, deque[bytes]] = {}
        self._speaking: set[str] = set()
        self._dropped = 0
        self._until_frame_ms = SPEAKER_PTIME_MS
        self.bad_frames = 0
        self.unanswered_ms = 0

    def came(self, participant_id: str) -> None:
        """Somebody is to be heard."""
        if participant_id not in self._waiting:
            self._waiting[participant_id] = deque(maxlen=WAITING_MAX)
            self._listen(participant_id)

    def left(self, participant_id: str) -> None:
        """Somebody is gone. The SDK ends the track by itself; what still comes of it is nobody's."""
        self._waiting.pop(participant_id, None)
        self._speaking.discard(participant_id)

    def put(self, participant_id: str, frame: bytes, *, rate_hz: int, channels: int, sample_bits: int) -> None:
        """The next of somebody, as the SDK describes it."""
        waiting = self._waiting.get(participant_id)
        if waiting is None:
            return
        got = (rate_hz, channels, sample_bits, len(frame))
        if got != (RATE_HZ, CHANNELS, SAMPLE_BITS, SPEAKER_BYTES):
            self._bad(got)
            return
        if len(waiting) == WAITING_MAX:
            self._drop()
        waiting.append(frame)

    def tick(self, now_ns: int) -> None:
        """Every ``TICK_MS``; every second time a frame."""
        self._until_frame_ms -= TICK_MS
        if self._until_frame_ms > 0:
            return
        self._until_frame_ms = SPEAKER_PTIME_MS
        if self._waiting:
            self._heard(self._mixed(), now_ns)

    def _mixed(self) -> bytes:
        frames = []
        for participant_id, waiting in self._waiting.items():
            if len(waiting) >= BEGIN_WAITING:
                self._speaking.add(participant_id)
            elif not waiting:
                self._speaking.discard(participant_id)
            if participant_id in self._speaking:
                frames.append(waiting.popleft())
        return mix(frames) if frames else bytes(SPEAKER_BYTES)

    def _drop(self) -> None:
        self._dropped += 1
        if self._dropped & (self._dropped - 1) == 0:  # 1, 2, 4, ...
            log.warning("daily.track_dropped", dropped_frames=self._dropped)

    def _bad(self, got: tuple[int, int, int, int]) -> None:
        self.bad_frames += 1
        if self.bad_frames & (self.bad_frames - 1) == 0:
            expected = (RATE_HZ, CHANNELS, SAMPLE_BITS, SPEAKER_BYTES)
            log.warning("daily.bad_track", expected=expected, got=got, bad_frames=self.bad_frames)
