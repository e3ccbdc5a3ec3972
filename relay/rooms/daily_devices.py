"""
The microphone and the speaker of a Daily room: paced by the SDK's completions, and held to real time by us.

Both are driven twice: by each completion, and by a tick of ``TICK_MS``. A device that completes at once, with audio or
without, is tried again by the tick, never by its own completion: nothing spins.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Protocol, TypeAlias

import structlog

from relay.media.format import PTIME_MS, pcm
from relay.rooms.daily_callbacks import Crossing
from relay.rooms.device_clock import MS_NS

RATE_HZ: Final = 16000
CHANNELS: Final = 1
MICROPHONE_PTIME_MS: Final = 10
SPEAKER_PTIME_MS: Final = PTIME_MS
MICROPHONE_BYTES: Final = pcm(RATE_HZ).size_bytes(MICROPHONE_PTIME_MS)
SPEAKER_BYTES: Final = pcm(RATE_HZ).size_bytes(SPEAKER_PTIME_MS)
SPEAKER_SAMPLES: Final = RATE_HZ * SPEAKER_PTIME_MS // 1000

TICK_MS: Final = 10  # a wake-up costs more than what is done in it: at 5 ms it was half of a call's time at the SDK
AHEAD_MAX_MS: Final = 20
EARLY_MAX_MS: Final = 5
"""A completion may be so early and still give the next frame, by our clock: the next tick could be too late."""
IN_FLIGHT_MAX: Final = AHEAD_MAX_MS // MICROPHONE_PTIME_MS
SPEAKER_BURST_MS: Final = 40
"""A read is begun when the last has completed, also when that was early: what nobody reads in time is lost."""

FAST: Final = 1000
"""A device may be faster than our clock by one in so many; what completes faster than that keeps no time at all."""

STALLED_MS: Final = 100
"""A microphone that has answered nothing for so long does not hold the listener up: its frames are dropped."""

GIVEN_UP_MS: Final = 1000
"""A completion that has not come by then is not waited for. The SDK has lost some (fixed in 0.10.1 and 0.18.1)."""

log = structlog.get_logger(__name__)

Write: TypeAlias = Callable[[bytes, Callable[[int], None]], object]
"""Gives the SDK a frame, and calls back with the samples it took, on any thread."""

Read: TypeAlias = Callable[[int, Callable[[bytes], None]], object]
"""Asks the SDK for so many samples, and calls back with them or with ``b""``, on any thread."""


class Ears(Protocol):
    """Where the others are heard: a device, or a track of each."""

    bad_frames: int
    unanswered_ms: int
    """For how long what was asked for has not been answered; 0 where nothing is asked for."""

    def tick(self, now_ns: int) -> None:
        """Every ``TICK_MS``."""

    def came(self, participant_id: str) -> None:
        """Somebody is to be heard."""

    def left(self, participant_id: str) -> None:
        """Somebody is gone."""


class Pace:
    """Lets frames go at real time, ``FAST`` and a burst of ``ahead_max_ms`` apart."""

    def __init__(self, ptime_ms: int, *, ahead_max_ms: int) -> None:
        self._interval_ns = ptime_ms * (MS_NS - MS_NS // FAST)
        self._ahead_max_ns = ahead_max_ms * MS_NS
        self._given_until_ns = 0

    def take(self, now_ns: int) -> bool:
        """Whether one more may go now; then it has gone."""
        given_until_ns = max(self._given_until_ns, now_ns) + self._interval_ns
        if given_until_ns - now_ns > self._ahead_max_ns:
            return False
        self._given_until_ns = given_until_ns
        return True


class Microphone:
    """
    Gives the SDK 10 ms at a time, two in flight at most.

    The listener is asked for nothing before the SDK has taken a first frame of silence: what it is asked for is heard.
    Afterwards it is asked in real time, whatever the SDK does; what that does not take is dropped, and counted.
    """

    def __init__(
        self, write: Write, *, due: Callable[[int], bytes], crossing: Crossing, now_ns: Callable[[], int]
    ) -> None:
        self._write = write
        self._due = due
        self._crossing = crossing
        self._now_ns = now_ns
        self._pace = Pace(MICROPHONE_PTIME_MS, ahead_max_ms=AHEAD_MAX_MS + EARLY_MAX_MS)
        self._in_flight: dict[int, int] = {}
        self._written = 0
        self._is_taking = False
        self._is_refused = False
        self.dropped_frames = 0
        self.unanswered_ms = 0

    def tick(self, now_ns: int) -> None:
        """Every ``TICK_MS``."""
        if self._in_flight and self._is_taking:  # before that nobody knows whether it should
            self.unanswered_ms += TICK_MS  # not by the time: a stall of ours is no silence of it
        self._is_refused = False
        for number, written_ns in list(self._in_flight.items()):
            if now_ns - written_ns >= GIVEN_UP_MS * MS_NS:
                del self._in_flight[number]
                self._dropped("no completion")
        self._pump(now_ns)
        if self.unanswered_ms >= STALLED_MS and self._pace.take(now_ns):
            self._due(now_ns)
            self._dropped("no answer")

    def _pump(self, now_ns: int) -> None:
        while len(self._in_flight) < IN_FLIGHT_MAX and not self._is_refused and self._pace.take(now_ns):
            self._give(now_ns)

    def _give(self, now_ns: int) -> None:
        frame = self._due(now_ns) if self._is_taking else bytes(MICROPHONE_BYTES)
        self._written += 1
        number = self._written
        self._in_flight[number] = now_ns
        try:
            self._write(frame, self._crossing.once(partial(self._completed, number)))
        except Exception as error:  # noqa: BLE001 - a device that fails is as one that refuses: the room goes on
            self._in_flight.pop(number, None)
            self._is_refused = True
            self._dropped(repr(error))

    def _completed(self, number: int, samples: int) -> None:
        if self._in_flight.pop(number, None) is None:
            return  # it was given up
        self.unanswered_ms = 0
        if samples > 0:
            self._is_taking = True
        else:
            self._is_refused = True
            self._dropped("not taken")
        self._pump(self._now_ns())

    def _dropped(self, why: str) -> None:
        if not self._is_taking:
            return  # silence, that nobody said
        self.dropped_frames += 1
        if self.dropped_frames & (self.dropped_frames - 1) == 0:  # 1, 2, 4, ...: 100 a second must not flood the log
            log.warning("daily.microphone_dropped", why=why, dropped_frames=self.dropped_frames)


class Speaker:
    """
    Reads 20 ms of everyone else, mixed by the SDK, one read at a time.

    A read of nothing is asked again a frame later: the SDK answers so, and at once, while nobody else is in the room.
    """

    def __init__(
        self, read: Read, *, heard: Callable[[bytes, int], None], crossing: Crossing, now_ns: Callable[[], int]
    ) -> None:
        self._read = read
        self._heard = heard
        self._crossing = crossing
        self._now_ns = now_ns
        self._pace = Pace(SPEAKER_PTIME_MS, ahead_max_ms=SPEAKER_BURST_MS)
        self._reads = 0
        self._reading: tuple[int, int] | None = None
        self._is_empty = False
        self.bad_frames = 0
        self.unanswered_ms = 0

    def tick(self, now_ns: int) -> None:
        """As ``Ears``."""
        self._is_empty = False
        if self._reading is not None:
            self.unanswered_ms += TICK_MS
            if now_ns - self._reading[1] >= GIVEN_UP_MS * MS_NS:
                self._reading = None
        self._ask(now_ns)

    def came(self, participant_id: str) -> None:
        """As ``Ears``: they are in the mix."""

    def left(self, participant_id: str) -> None:
        """As ``came``."""

    def _ask(self, now_ns: int) -> None:
        if self._reading is not None or self._is_empty or not self._pace.take(now_ns):
            return
        self._reads += 1
        self._reading = (self._reads, now_ns)
        try:
            self._read(SPEAKER_SAMPLES, self._crossing.once(partial(self._completed, self._reads)))
        except Exception as error:  # noqa: BLE001 - as of the microphone
            self._reading = None
            self._bad(repr(error))

    def _completed(self, number: int, frame: bytes) -> None:
        if self._reading is None or self._reading[0] != number:
            return  # it was given up
        now_ns = self._now_ns()
        self._reading = None
        self.unanswered_ms = 0
        if len(frame) == SPEAKER_BYTES:
            self._ask(now_ns)
            self._heard(frame, now_ns)
            return
        self._is_empty = True
        if frame:
            self._bad(f"expected {SPEAKER_BYTES} bytes, got {len(frame)}")

    def _bad(self, problem: str) -> None:
        self._is_empty = True
        self.bad_frames += 1
        if self.bad_frames & (self.bad_frames - 1) == 0:
            log.warning("daily.bad_frame", problem=problem, bad_frames=self.bad_frames)
