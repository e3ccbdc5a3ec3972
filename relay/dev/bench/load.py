"""Owns what the load does and how it did: the plan of a run, the counts of a window, and when it was its own limit."""

from __future__ import annotations

import array
import errno
import pathlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from relay.media.format import PTIME_MS

PHONE_FRAME_BYTES: Final = 160
"""20 ms of PCMU at 8 kHz."""
LATE_MAX_MS: Final = 2.0
"""The load is the bottleneck when it writes later than this at p99."""
CORE_MAX: Final = 0.85
"""The load is the bottleneck when it needs more of its core."""
SETTLE_S: Final = 16.0
"""Before a window: a jitter buffer begins at 40 ms, and takes so long to come down."""
_MS_NS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Stall:
    """Phones send nothing for ``for_ms``, and then all that has waited at once: those whose index ``every`` divides."""

    at_s: float
    """After the first frame of all."""
    for_ms: float
    every: int = 1


@dataclass(frozen=True, slots=True)
class Bursts:
    """Each phone, at a moment of its own, says so many frames at once, ``every_s``."""

    every_s: float
    frames: int


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """
    How the phones talk.

    Args:
        jitter_ms: each frame waits for between 0 and this, evenly, and for those before it: TCP keeps order.
        stalls: what happens once.
        drift_ppm: how much too fast the phones' clocks run.
        bursts: what happens again and again.
        seed: of whatever is random: the same gives the same.
    """

    jitter_ms: float = 0.0
    stalls: tuple[Stall, ...] = ()
    drift_ppm: float = 0.0
    bursts: Bursts | None = None
    seed: int = 1

    def as_core_arguments(self) -> dict[str, Any]:
        """As ``_phones.Phones`` takes it."""
        bursts = self.bursts or Bursts(0, 0)
        return {
            "jitter_ns": round(self.jitter_ms * _MS_NS),
            "speed": 1 + self.drift_ppm / 1e6,
            "stalls": [(round(each.at_s * 1e9), round(each.for_ms * _MS_NS), each.every) for each in self.stalls],
            "burst_every_ns": round(bursts.every_s * 1e9),
            "burst_ns": max(0, bursts.frames - 1) * PTIME_MS * _MS_NS,
            "seed": self.seed,
        }


@dataclass(frozen=True, slots=True)
class Load:
    """What the phones did in one window. A frame is one message of 20 ms."""

    since_ns: int
    until_ns: int
    sent: int
    received: int
    """Messages."""
    heard_bytes: int
    """Audio in them, PCMU at 8 kHz."""
    marks: int
    """Answered."""
    pings: int
    """Answered."""
    clears: int
    blocked: int
    """Frames that the kernel did not take at once: the server does not read."""
    ended: int
    """Calls that the server has ended, since the beginning."""
    open: int
    """Calls that go on."""
    late_p50_ms: float
    """How much after it was due, by the plan, a frame was written."""
    late_p99_ms: float
    late_max_ms: float
    core: float
    """The share of its core that the load took."""
    ended_by: str = ""
    """How the last of ``ended`` did: an errno's name, ECONNRESET when the server closed; "" when none has."""

    @classmethod
    def of(cls, window: Mapping[str, Any], cpu_ns: int) -> Self:
        """From the core's window and the CPU time of the load's process meanwhile."""
        names = (
            "since_ns",
            "until_ns",
            "sent",
            "received",
            "heard_bytes",
            "marks",
            "pings",
            "clears",
            "blocked",
            "ended",
            "open",
        )
        late_us = {int(us): times for us, times in window["late_us"].items()}
        return cls(
            **{name: window[name] for name in names},
            late_p50_ms=_percentile(late_us, 50) / 1000,
            late_p99_ms=_percentile(late_us, 99) / 1000,
            late_max_ms=window["late_max_ns"] / _MS_NS,
            core=cpu_ns / max(1, window["until_ns"] - window["since_ns"]),
            ended_by=errno.errorcode.get(window["ended_error"], str(window["ended_error"])) if window["ended"] else "",
        )

    @property
    def seconds(self) -> float:
        """How long the window was."""
        return (self.until_ns - self.since_ns) / 1e9

    @property
    def answered(self) -> float:
        """Audio that came for what was sent, whatever the messages' length: 1.0 from a server that keeps up."""
        return self.heard_bytes / PHONE_FRAME_BYTES / self.sent if self.sent else 0.0

    @property
    def bottleneck(self) -> str | None:
        """Why the figures are the load's own and not the server's; None: they are the server's."""
        if self.late_p99_ms > LATE_MAX_MS:
            return f"the load wrote {self.late_p99_ms:.1f} ms late at p99, expected at most {LATE_MAX_MS:g} ms"
        if self.core > CORE_MAX:
            return f"the load took {self.core:.0%} of its core, expected at most {CORE_MAX:.0%}"
        return None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "seconds": self.seconds, "answered": self.answered, "bottleneck": self.bottleneck}


def lost(ended: int, calls: int, ended_by: str = "") -> str | None:
    """How many calls of a window ended by themselves; None: all went on."""
    return f"{ended} of {calls} calls ended{f' ({ended_by})' if ended_by else ''}" if ended else None


def lived(ended: int, calls: int) -> int:
    """By how many calls a window's costs are divided: those that ended do not make the others look cheap."""
    return max(1, calls - ended)


def _percentile(times: Mapping[int, int], percent: float) -> float:
    left = sum(times.values()) * percent / 100
    for value in sorted(times):
        left -= times[value]
        if left <= 0:
            return value
    return 0.0


@dataclass(frozen=True, slots=True)
class PhoneRecord:
    """What one phone said and heard; times are ``time.monotonic_ns()`` of this machine."""

    due_ns: array.array[int]
    """When each frame was said, by the phone's own clock."""
    written_ns: array.array[int]
    """When it was written: after jitter and stalls."""
    arrived_ns: array.array[int]
    """When each media message came."""
    ends: array.array[int]
    """Where in ``payload`` each ends."""
    payload: bytes
    """All that came, one behind the other: PCMU at 8 kHz."""

    @classmethod
    def read(cls, folder: pathlib.Path, index: int) -> Self:
        """As ``phones_process`` has written it."""
        sent, heard = (array.array("q", (folder / f"{index}.{name}").read_bytes()) for name in ("sent", "heard"))
        return cls(sent[::2], sent[1::2], heard[::2], heard[1::2], (folder / f"{index}.payload").read_bytes())
