"""Owns what a frame is late by on its way to a server and back: chirps that a phone says, found in what it hears."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from relay._codec import Decoder, Encoder
from relay.dev.bench.load import PhoneRecord
from relay.media.format import PTIME_MS
from tests.signals.chirps import Chirps, chirp_delays
from tests.signals.waves import pcm

PHONE_HZ: Final = 8000
SPACING_MS: Final = 2000
EARLY_MS: Final = 500.0
"""Before it was said by a clock that runs from the first answer on: a buffer that shrinks takes away from it."""
_FRAME_BYTES: Final = PHONE_HZ * PTIME_MS // 1000


@dataclass(frozen=True, slots=True)
class Delay:
    """One chirp: when it began to be heard, and how much after its first frame was written."""

    heard_ns: int
    delay_ms: float


def chirps_for(settle_s: float, seconds: float) -> Chirps:
    """As many as are said and heard, up to 1.4 s late, in a window that begins ``settle_s`` after the first frame."""
    count = max(1, int((seconds * 1000 - SPACING_MS) // SPACING_MS + 1))
    return Chirps(count, SPACING_MS, first_ms=settle_s * 1000 + EARLY_MS)


def payloads_of(chirps: Chirps) -> list[bytes]:
    """What a phone says, in frames of PCMU."""
    said = Encoder("pcmu", PHONE_HZ, PHONE_HZ).push(pcm(chirps.wave(PHONE_HZ)))
    return [said[at : at + _FRAME_BYTES] for at in range(0, len(said) - _FRAME_BYTES + 1, _FRAME_BYTES)]


def delays(record: PhoneRecord, chirps: Chirps) -> Iterator[Delay]:
    """
    Yield those that were heard.

    A sample is heard when its message came, and so much later as it lies within it: a server that answers with 40 ms
    at once has made the phone wait for the second half of them.
    """
    if not record.payload:
        return
    heard = Heard(np.frombuffer(record.arrived_ns, np.int64), np.frombuffer(record.ends, np.int64))
    sound = Decoder("pcmu", PHONE_HZ, PHONE_HZ)
    start_ns = int(heard.arrived_ns[0])
    whole = b"".join(sound.push(record.payload[at : at + 65536]) for at in range(0, len(record.payload), 65536))
    found = chirp_delays(
        whole, PHONE_HZ, start_ns, chirps=chirps, said_start_ns=record.written_ns[0], early_ms=EARLY_MS
    )
    for chirp in found:
        if chirp.heard:
            heard_ns = heard.when_ns((chirp.heard_ns - start_ns) * PHONE_HZ / 1e9)
            frame = round(chirps.at_ms(chirp.index) / PTIME_MS)
            yield Delay(round(heard_ns), (heard_ns - record.written_ns[frame]) / 1e6)


@dataclass(frozen=True, slots=True)
class Heard:
    """When messages came, and where each of them ends in what was heard."""

    arrived_ns: Any
    ends: Any

    def when_ns(self, sample: float) -> float:
        """When a sample was heard."""
        message = min(int(np.searchsorted(self.ends, sample, side="right")), len(self.ends) - 1)
        begin = int(self.ends[message - 1]) if message else 0
        return float(self.arrived_ns[message]) + (sample - begin) * 1e9 / PHONE_HZ

    def samples_between(self, since_ns: int, until_ns: int) -> int:
        """How much came in a window."""
        first, last = (int(np.searchsorted(self.arrived_ns, at_ns)) for at_ns in (since_ns, until_ns))
        return self._end(last) - self._end(first)

    def _end(self, messages: int) -> int:
        return int(self.ends[messages - 1]) if messages else 0


def answered_frames(records: Sequence[PhoneRecord], since_ns: int, until_ns: int) -> float:
    """Frames of 20 ms that came in a window, however many of them in a message."""
    heard = (
        Heard(np.frombuffer(record.arrived_ns, np.int64), np.frombuffer(record.ends, np.int64)) for record in records
    )
    return sum(each.samples_between(since_ns, until_ns) for each in heard) / _FRAME_BYTES
