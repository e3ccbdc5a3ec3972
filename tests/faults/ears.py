"""What was heard: how loud each voice was, when it was heard last, and how long nothing was."""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np

from relay.dev.carrier_call import SimulatedCall
from relay.dev.person import FRAME_NS, Person
from relay.dev.phone import SimulatedPhone
from relay.dev.recording import Recording
from tests.signals import Floats, level_db, samples_of

VOICES_HZ = (400, 440, 480, 600, 712.5, 1000, 1500)
"""All that sound on a stage: the notice, ringback, prompt and notice, agent, customer, bot."""
NOTICE_HZ = 400
BLOCK_MS = 100
UNHEARD_DBFS = -55.0
"""Every voice is at -20 or so; what is left of one in the fit of another is far below this."""
LOUD_DBFS = -40.0
SPOKEN_DBFS = -20.0
"""Of every voice on a stage."""
HEARD_S = 5.0
"""However busy the machine is, 100 ms without a flaw come by then."""


def loudest_dbfs(heard: Recording, hz: float) -> float:
    """The level of a voice where it is loudest, beside all others; far below ``UNHEARD_DBFS`` if it is nowhere."""
    levels = list(_levels_dbfs(heard, hz, BLOCK_MS))
    assert levels, f"expected {BLOCK_MS} ms at least, got {heard.duration_ms:.0f} ms"
    return max(levels)


async def until_heard_in_room(person: Person, hz: float, *, dbfs: float = SPOKEN_DBFS) -> None:
    """Return when a person has heard a voice for ``BLOCK_MS``, from now on and as loud as it is."""
    first = len(person.frames)
    frames = BLOCK_MS * 1_000_000 // FRAME_NS

    def is_heard() -> bool:
        latest = b"".join(pcm for _, pcm in person.frames[first:][-frames:])
        return len(person.frames) - first >= frames and _is_spoken(latest, 16000, hz, dbfs)

    await person.changes.until(is_heard, f"{hz} Hz heard by {person.name}", timeout_s=HEARD_S)


async def until_heard_at_phone(phone: SimulatedPhone, hz: float) -> None:
    """Return when the agent has heard a voice so."""
    first = len(phone.heard.pcm)
    block = 2 * round(phone.heard.rate_hz * BLOCK_MS / 1000)

    def is_heard(phone: SimulatedPhone) -> bool:
        latest = phone.heard.pcm[first:][-block:]
        return len(latest) == block and _is_spoken(latest, phone.heard.rate_hz, hz)

    await phone.until(is_heard, f"{hz} Hz heard", timeout_s=HEARD_S)


def notice_dbfs(heard: Recording) -> float:
    """The level at which the agent hears that the call is over: of the tone that nothing else has, which is short."""
    window, hop = (2 * round(heard.rate_hz * ms / 1000) for ms in (60, 20))
    starts = range(0, len(heard.pcm) - window + 1, hop)
    return max(_level_dbfs(heard.pcm[at : at + window], heard.rate_hz, NOTICE_HZ) for at in starts)


def last_heard_ns(person: Person, hz: float) -> int:
    """When the last frame in which a voice is heard came to a person."""
    return max(at_ns for at_ns, pcm in person.frames if _level_dbfs(pcm, 16000, hz) > LOUD_DBFS)


def longest_gap_ms(person: Person, hz: float, since_ns: int) -> float:
    """The longest time from then on for which a voice was not heard, between two times at which it was."""
    times_ns = [at_ns for at_ns, pcm in person.frames if _level_dbfs(pcm, 16000, hz) > LOUD_DBFS]
    pairs = [(earlier, later) for earlier, later in itertools.pairwise(times_ns) if later > since_ns]
    return max(later - earlier - FRAME_NS for earlier, later in pairs) / 1e6


class Stopwatch:
    """How long after ``began`` something happened, by the clocks of those to whom it did."""

    def __init__(self) -> None:
        self.began_ns = time.monotonic_ns()
        self._began = datetime.now(UTC)

    @property
    def elapsed_ms(self) -> float:
        return (time.monotonic_ns() - self.began_ns) / 1e6

    def hung_up_ms(self, call: SimulatedCall) -> float:
        """By the carrier's clock."""
        assert call.ended_at is not None, call
        return (call.ended_at - self._began).total_seconds() * 1000


def _is_spoken(pcm: bytes, rate_hz: float, hz: float, dbfs: float = SPOKEN_DBFS) -> bool:
    return abs(_level_dbfs(pcm, rate_hz, hz) - dbfs) < 3  # two frames of five that came late, at the phone


def _levels_dbfs(heard: Recording, hz: float, block_ms: int) -> Iterator[float]:
    step = 2 * round(heard.rate_hz * block_ms / 1000)
    for at in range(0, len(heard.pcm) - step + 1, step):
        yield _level_dbfs(heard.pcm[at : at + step], heard.rate_hz, hz)


def _level_dbfs(pcm: bytes, rate_hz: float, hz: float) -> float:
    """As ``fit`` finds it beside all other voices; in less than ``BLOCK_MS``, where they are too close, alone."""
    if not any(pcm):
        return -np.inf
    others = VOICES_HZ if len(pcm) >= 2 * rate_hz * BLOCK_MS / 1000 else ()
    return level_db(float(np.hypot(*(_fit_of(len(pcm) // 2, rate_hz, hz, others) @ samples_of(pcm)))))


@functools.cache
def _fit_of(samples: int, rate_hz: float, hz: float, others: tuple[float, ...]) -> Floats:
    """What gives sine and cosine of a voice, multiplied with samples: the fit is on the loop that plays the audio."""
    at = 2 * np.pi * np.arange(samples) / rate_hz
    columns = [np.ones_like(at)]
    for each in (hz, *(other for other in others if other != hz)):
        columns += [np.sin(at * each), np.cos(at * each)]
    inverse: Floats = np.linalg.pinv(np.stack(columns, axis=1))
    return np.ascontiguousarray(inverse[1:3])
