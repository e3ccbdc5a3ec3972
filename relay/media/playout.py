"""Agent to room: frames in as they arrive, PCM out as the room's clock asks; docs/latency.md has the reasons."""

from __future__ import annotations

import math
from typing import Final

from relay._codec import Concealer, retime
from relay.media.cut import cut
from relay.media.drain import FADE_MS, Drain
from relay.media.drift import Drift, steer_ppm
from relay.media.format import PTIME_MS
from relay.media.frame_queue import FrameQueue
from relay.media.jitter import Jitter
from relay.media.latency import LatencyHistogram
from relay.media.playout_stats import PlayoutSettings, PlayoutStats

_DRAIN_ABOVE_MS: Final = 15.0  # of excess; re-timing takes 15 s over it
_DRAIN_TO_MS: Final = 5.0  # about a period; re-timing takes the rest
_CUT_ABOVE_MS: Final = 300.0  # more than time-scaling takes back in 3 s of noise, where it is slowest
_CUT_TO_MS: Final = 40.0  # the rest goes without haste
_SILENT_NS: Final = 500_000_000  # without a frame: the sender is silent, what comes is a new beginning
_TICK_NS: Final = 1_000_000_000
_PULL_SLACK_NS: Final = 5_000_000  # of the room's timer; beyond it the room has stalled, or makes up for it
_CONCEALED_MS: Final = 60  # then the concealer has faded to silence
_SHORT_MS: Final = 5.0  # of delay; less is soon put in by re-timing
_RETIME_MIN_BYTES: Final = 64
_EVERYTHING: Final = 1 << 40  # bytes


__all__ = ["Playout", "PlayoutSettings", "PlayoutStats"]

_DEFAULTS: Final = PlayoutSettings()


class Playout:
    """
    Jitter buffer before the room's microphone: adapts its delay, conceals gaps, follows drift, drains.

    Args:
        rate_hz: of the PCM, one of the codec's.
        pull_ms: what the room asks for at a time.
        settings: bounds of the delay.
        wait: is given each frame's time from ``push`` to the ``pull`` that has its first sample.

    Raises:
        ValueError: the codec does not have ``rate_hz``, or ``pull_ms`` is not within 1 to 100.
    """

    __slots__ = (
        "_arrived_ns",
        "_chunk_bytes",
        "_concealed_bytes",
        "_concealer",
        "_drain",
        "_drain_above_ms",
        "_drained_bytes",
        "_drift",
        "_dry_bytes",
        "_due_ns",
        "_fade_bytes",
        "_fade_out_bytes",
        "_heard",
        "_jitter",
        "_ms_per_byte",
        "_next_ns",
        "_offset_ms",
        "_phase",
        "_pull_bytes",
        "_pull_ns",
        "_queue",
        "_ready",
        "_retimed",
        "_running",
        "_silence",
        "_steer",
        "_tick_ns",
        "_underruns",
        "_wait",
        "played",
        "started",
    )

    def __init__(
        self,
        rate_hz: int,
        *,
        pull_ms: int,
        settings: PlayoutSettings = _DEFAULTS,
        wait: LatencyHistogram | None = None,
    ) -> None:
        if not 1 <= pull_ms <= 100:
            raise ValueError(f"Playout: expected a pull_ms of 1 to 100, got {pull_ms!r}")
        self._concealer = Concealer(rate_hz)
        self._drain = Drain(rate_hz)
        self._ms_per_byte = 500 / rate_hz
        bytes_per_ms = rate_hz // 500
        self._pull_bytes = pull_ms * bytes_per_ms
        self._pull_ns = pull_ms * 1_000_000
        self._silence = bytes(self._pull_bytes)
        self._chunk_bytes = PTIME_MS * bytes_per_ms  # longer frames are played in pieces of this
        self._fade_bytes = FADE_MS * bytes_per_ms
        self._fade_out_bytes = _CONCEALED_MS * bytes_per_ms
        self._queue = FrameQueue(settings.capacity_ms * bytes_per_ms)
        self._jitter = Jitter(
            start_ms=settings.start_ms, min_ms=settings.min_ms, max_ms=settings.max_ms, pull_ms=pull_ms
        )
        self._wait = wait
        self._underruns = self._concealed_bytes = self._drained_bytes = self._retimed = 0
        self.started = False  # a frame has come
        self.played = False  # and its first sample has been given out
        self.clear()

    def clear(self) -> None:
        """Drop what waits and forget what was; the next frame begins anew. Counts stay."""
        self._queue.clear()
        self._jitter.clear()
        self._concealer.reset()
        self._drain.reset()
        self._drift = Drift()
        self._ready = b""  # played as far as re-timing and concealment go, not yet given out
        self._heard = False  # anything, which is to be continued over gaps
        self._arrived_ns = -_SILENT_NS
        self._next_ns = 0
        self._steer = self._phase = 0.0
        self._drain_above_ms = _DRAIN_ABOVE_MS
        self._begin(0)

    def push(self, pcm: bytes, now_ns: int, sequence: int | None = None) -> None:
        """
        Take a frame that has just arrived.

        Args:
            pcm: L16 at ``rate_hz``, of any length; kept until it is played.
            now_ns: when it arrived.
            sequence: counts frames; None: they are played as they arrive.

        Raises:
            ValueError: ``pcm`` is empty or ends inside a sample. Nothing has changed.
        """
        queue = self._queue
        was_dry = self._dry_bytes > 0
        if not queue.entries and now_ns - self._arrived_ns >= _SILENT_NS and not self._ready:
            self._begin(now_ns)
            if sequence is not None:
                queue.skip_gap(sequence, len(pcm) or 1, _EVERYTHING)
        elif self._dry_bytes:
            self._leave_dry(len(pcm), sequence)
        overrun_bytes = queue.overrun_bytes
        before_bytes = queue.push(pcm, now_ns, sequence)
        self._arrived_ns = now_ns
        self.started = True
        if before_bytes is None:
            return
        if queue.overrun_bytes != overrun_bytes:
            self._leave_out(queue.overrun_bytes - overrun_bytes)
        until_ms = ((self._next_ns if self._running else self._due_ns) - now_ns) / 1e6
        if now_ns >= self._tick_ns:  # before the frame is counted: a burst is of one second
            self._tick(now_ns)
        early_ms = until_ms + (before_bytes + len(self._ready)) * self._ms_per_byte + self._offset_ms
        if was_dry:
            self._jitter.ran_dry(early_ms)
        self._jitter.note(early_ms)

    def pull(self, now_ns: int) -> bytes:
        """The next ``pull_ms`` of PCM, always as much; silence before the first frame."""
        if self._running:
            late_ns = now_ns - self._next_ns
            if late_ns > _PULL_SLACK_NS or late_ns < -_PULL_SLACK_NS:
                self._offset_ms -= late_ns / 1e6
        elif not self._start(now_ns):
            return self._concealer.conceal(self._pull_bytes // 2) if self._heard else self._silence
        self._next_ns = now_ns + self._pull_ns
        ready, wanted = self._ready, self._pull_bytes
        while len(ready) < wanted:
            if not self._queue.entries:
                self._ready = b""
                return ready + self._run_dry(wanted - len(ready))
            taken = self._take(now_ns, wanted - len(ready))
            ready = ready + taken if ready else taken
        if len(ready) == wanted:
            self._ready = b""
            return ready
        self._ready = ready[wanted:]
        return ready[:wanted]

    def snapshot(self) -> PlayoutStats:
        """What has happened and how things stand."""
        queue, jitter = self._queue, self._jitter
        delay_ms = self._delay_ms - self._dry_bytes * self._ms_per_byte  # of frames that came, not of those that may
        return PlayoutStats(
            frames_received=queue.received,
            frames_lost=queue.lost,
            frames_late=queue.late,
            frames_duplicate=queue.duplicate,
            frames_overrun=queue.overrun,
            underruns=self._underruns,
            concealed_ms=self._concealed_bytes * self._ms_per_byte,
            drained_ms=self._drained_bytes * self._ms_per_byte,
            retimed_samples=self._retimed,
            depth_ms=(queue.size_bytes + len(self._ready)) * self._ms_per_byte,
            delay_ms=delay_ms if math.isfinite(delay_ms) else 0.0,
            target_ms=jitter.target_ms,
            lateness_ms=jitter.lateness_ms,
            drift_ppm=self._drift.ppm,
        )

    @property
    def _delay_ms(self) -> float:
        return self._jitter.fastest_ms - self._offset_ms

    def _begin(self, now_ns: int) -> None:
        """A silent sender speaks: its first frame waits as long as the first of all, whatever was late before."""
        self._running = False
        self._jitter.new_scale()
        self._drift.new_scale()
        self._offset_ms = 0.0  # left out minus put in since; a frame's wait and this are its earliness
        self._dry_bytes = 0  # concealed since the last frame, for want of one
        self._due_ns = now_ns + round(self._jitter.target_ms * 1e6)
        self._tick_ns = now_ns + _TICK_NS

    def _start(self, now_ns: int) -> bool:
        """Play from the pull that is nearest to when the first frame is due."""
        if not self._queue.entries or now_ns + self._pull_ns // 2 < self._due_ns:
            return False
        self._running = self._heard = True
        self._offset_ms -= (now_ns - self._due_ns) / 1e6
        return True

    def _tick(self, now_ns: int) -> None:
        level_ms = self._jitter.tick()
        self._tick_ns += _TICK_NS
        if level_ms is None or now_ns >= self._tick_ns:  # seconds without a frame
            self._tick_ns = now_ns + _TICK_NS
            self._drift.new_scale()
        else:
            self._drift.note(level_ms)
        self._steer = steer_ppm(self._delay_ms - self._jitter.target_ms, self._drift.ppm) / 2e6

    def _take(self, now_ns: int, wanted_bytes: int) -> bytes:
        """The next of what waits, as it will be heard; ``wanted_bytes`` must be got from the queue."""
        missing = self._queue.entries[0][0]
        if isinstance(missing, int):
            return self._concealed(missing)
        pcm, arrived_ns = self._queue.pop()
        assert isinstance(pcm, bytes)  # noqa: S101 - for mypy; it has been looked at
        if self._wait is not None and arrived_ns >= 0:
            self._wait.record(now_ns - arrived_ns)
        if len(pcm) > self._chunk_bytes:
            self._queue.put_back(pcm[self._chunk_bytes :])
            pcm = pcm[: self._chunk_bytes]
        self.played = True
        if self._jitter.fastest_ms - self._offset_ms - self._jitter.target_ms > self._drain_above_ms:
            pcm = self._drained(self._with_next(pcm, now_ns), wanted_bytes)
            if not pcm:
                return pcm
        elif self._steer:
            pcm = self._retimed_by_steer(pcm)
        return self._concealer.push(pcm)

    def _concealed(self, missing_bytes: int) -> bytes:
        """
        What is heard in place of a missing frame.

        Its place is played without it, but while the delay is below its target it may be late as others were: it is
        waited for then, with all that is behind it, until the delay is what it should be. Re-timing would take half a
        minute to get there, and until then each frame that was overtaken would be lost.
        """
        short_ms = self._jitter.target_ms - self._delay_ms
        concealed_bytes = missing_bytes
        if short_ms > _SHORT_MS:
            concealed_bytes = min(missing_bytes, 2 * int(short_ms / self._ms_per_byte / 2))
            self._offset_ms -= concealed_bytes * self._ms_per_byte
        else:
            self._queue.pop()
        self._concealed_bytes += concealed_bytes
        return self._concealer.conceal(concealed_bytes // 2)

    def _retimed_by_steer(self, pcm: bytes) -> bytes:
        self._phase += self._steer * len(pcm)
        if -1 < self._phase < 1 or len(pcm) < _RETIME_MIN_BYTES:
            return pcm
        faster = 1 if self._phase > 0 else -1
        self._phase = min(max(self._phase - faster, -1.0), 1.0)
        self._offset_ms += faster * 2 * self._ms_per_byte
        self._retimed += 1
        return retime(pcm, -faster)

    def _drained(self, pcm: bytes, wanted_bytes: int) -> bytes:
        excess_ms = self._delay_ms - self._jitter.target_ms
        if excess_ms > _CUT_ABOVE_MS:
            pcm, left_out = cut(self._queue, pcm, (excess_ms - _CUT_TO_MS) / self._ms_per_byte, self._fade_bytes)
            self._leave_out(left_out)
            excess_ms = self._delay_ms - self._jitter.target_ms
        spare_ms = (len(pcm) + self._queue.size_bytes - wanted_bytes) * self._ms_per_byte
        self._drain_above_ms = -math.inf if excess_ms > _DRAIN_TO_MS else _DRAIN_ABOVE_MS
        if excess_ms <= _DRAIN_TO_MS or spare_ms <= 0:
            return self._retimed_by_steer(self._drain.push(pcm, 0))
        out = self._drain.push(pcm, min(excess_ms, spare_ms))
        self._leave_out(len(pcm) - len(out))
        return out

    def _with_next(self, pcm: bytes, now_ns: int) -> bytes:
        """Two frames where there are two: the periods of a low voice, over 10 ms, are found in 40 ms only."""
        entries, size = self._queue.entries, len(pcm)
        if not entries or not isinstance(entries[0][0], bytes) or size + len(entries[0][0]) > 2 * self._chunk_bytes:
            return pcm
        following, arrived_ns = self._queue.pop()
        if self._wait is not None and arrived_ns >= 0:
            self._wait.record(now_ns - arrived_ns)
        return pcm + following if isinstance(following, bytes) else pcm

    def _run_dry(self, wanted_bytes: int) -> bytes:
        """Nothing waits: continue what was heard, and fade out."""
        if not self._dry_bytes:
            self._underruns += 1
        heard = min(wanted_bytes, max(self._fade_out_bytes - self._dry_bytes, 0))
        self._concealed_bytes += heard
        self._dry_bytes += wanted_bytes
        self._offset_ms -= wanted_bytes * self._ms_per_byte
        return self._concealer.conceal(wanted_bytes // 2)

    def _leave_dry(self, frame_bytes: int, sequence: int | None) -> None:
        """A frame has come; what was concealed for want of it stands for frames that are missing before it."""
        if sequence is not None:
            skipped_bytes = self._queue.skip_gap(sequence, frame_bytes, self._dry_bytes)
            if skipped_bytes:
                self._underruns -= 1  # it was a loss
                self._offset_ms += skipped_bytes * self._ms_per_byte
        self._dry_bytes = 0

    def _leave_out(self, size_bytes: int) -> None:
        self._drained_bytes += size_bytes
        self._offset_ms += size_bytes * self._ms_per_byte
