"""
Owns what a side has heard: its runs of PCM, when each was given to it, and the marker frames that are in them. Pure.

A frame is heard when its first sample is given to the listener, plus where that is in what was given, less the codec's
delay: the listener plays from there on. Its delay is from when it was written, or read from the room's speaker.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self

from relay._codec import Decoder
from relay.dev.bench._phones import MARKERS, read_markers
from relay.dev.bench.load import PhoneRecord

PHONE_RATE_HZ: Final = 8000
_HALF_A_SAMPLE: Final = 0.5
"""A frame that begins with a run may be found a hair before it."""


@dataclass(frozen=True, slots=True)
class Hearing:
    """
    One side of one call.

    Args:
        pcm: L16, all that it was given, in order.
        rate_hz: of it.
        given_ns: when each run was given.
        ends: where each run ends, in samples.
        codec_ms: what filters between the sides delay by.
    """

    pcm: bytes
    rate_hz: int
    given_ns: Sequence[int]
    ends: Sequence[int]
    codec_ms: float

    @classmethod
    def of_phone(cls, record: PhoneRecord, codec_ms: float) -> Self:
        """What a phone of the load has heard."""
        pcm = Decoder("pcmu", PHONE_RATE_HZ, PHONE_RATE_HZ)
        step = 1 << 16
        decoded = b"".join(pcm.push(record.payload[at : at + step]) for at in range(0, len(record.payload), step))
        return cls(decoded, PHONE_RATE_HZ, record.arrived_ns, record.ends, codec_ms)

    def heard_ns(self, begin: float) -> float:
        """When that was heard which begins so many samples into all of it."""
        run = min(bisect.bisect_right(self.ends, begin + _HALF_A_SAMPLE), len(self.ends) - 1)
        run_begin = self.ends[run - 1] if run else 0
        return self.given_ns[run] + (begin - run_begin) * 1e9 / self.rate_hz - self.codec_ms * 1e6


@dataclass(frozen=True, slots=True)
class FrameDelay:
    """One marker frame that was said by one side and heard by the other."""

    said_ns: int
    delay_ms: float


@dataclass(frozen=True, slots=True)
class Frames:
    """What became of one call's frames in one direction, of those said within a time."""

    delays: tuple[FrameDelay, ...]
    said: int
    repeated: int
    """Heard again."""
    unreadable: int
    """Begun as a frame and not readable: concealed, cut or damaged; in all that was heard."""

    @property
    def missing(self) -> int:
        """Said and never heard as a whole: lost, dropped, or concealed in their place."""
        return self.said - len(self.delays)


def frames_of(
    said_ns: Sequence[int], hearing: Hearing, *, first: int = 0, since_ns: int = 0, until_ns: int = 1 << 62
) -> Frames:
    """
    Follow each frame from one side to the other.

    Args:
        said_ns: when each was written or read, in order.
        hearing: the other side.
        first: what number the first of them had.
        since_ns: those said before it are left out.
        until_ns: and those said from then on.
    """
    found, unreadable = read_markers(hearing.pcm, hearing.rate_hz)
    heard: dict[int, float] = {}
    repeated = 0
    for number, begin in found:
        heard_ns = hearing.heard_ns(begin)
        index = _index(said_ns, (number - first) % MARKERS, heard_ns)
        if index is None or not since_ns <= said_ns[index] < until_ns:
            continue
        repeated += index in heard
        heard.setdefault(index, heard_ns)
    delays = tuple(FrameDelay(said_ns[index], (heard_ns - said_ns[index]) / 1e6) for index, heard_ns in heard.items())
    return Frames(delays, sum(since_ns <= each < until_ns for each in said_ns), repeated, unreadable)


def _index(said_ns: Sequence[int], number: int, heard_ns: float) -> int | None:
    """The last frame of that number that was said by then: the same comes again only after 20 s."""
    last = bisect.bisect_right(said_ns, heard_ns) - 1
    if last < number:
        return None
    return last - (last - number) % MARKERS


def round_trips(records: Iterable[PhoneRecord], codec_ms: float, *, since_ns: int, until_ns: int) -> list[Frames]:
    """
    Each call's frames from its phone and back to it, for a server that echoes them.

    Args:
        records: of phones that said markers.
        codec_ms: what the server's filters delay by, both ways together.
        since_ns: as ``frames_of``.
        until_ns: as ``frames_of``.
    """
    return [
        frames_of(record.written_ns, Hearing.of_phone(record, codec_ms), since_ns=since_ns, until_ns=until_ns)
        for record in records
    ]
