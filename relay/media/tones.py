"""What is played to those who have nobody to hear: ringback, comfort noise, a prompt, a notice."""

from __future__ import annotations

import functools
import math
import struct
from itertools import accumulate, repeat
from typing import Final, Literal, NamedTuple, TypeAlias

from relay.media.format import pcm

Ringback: TypeAlias = Literal["europe", "north_america"]

RINGBACK_DBFS: Final = -24.0
"""Below the level at which people speak on a phone: the bot goes on talking over it."""
PROMPT_DBFS: Final = -26.0
NOTICE_DBFS: Final = -20.0
NOISE_DBFS: Final = -60.0
"""As a quiet line: just enough not to be taken for a dead one."""

RAMP_MS: Final = 10
"""Over which a tone comes and goes: from about 5 ms on nobody hears a click."""
_PEAK: Final = 32767


class _Part(NamedTuple):
    """One stretch of a cadence, longer than two ramps; no frequency: silence."""

    duration_ms: int
    frequencies_hz: tuple[int, ...] = ()


# ITU-T E.180 and its supplement: 425 Hz, 1 s in 5, in most of Europe; 440 and 480 Hz, 2 s in 6, in North America.
_RINGBACK: Final[dict[str, tuple[_Part, ...]]] = {
    "europe": (_Part(1000, (425,)), _Part(4000)),
    "north_america": (_Part(2000, (440, 480)), _Part(4000)),
}
# Two soft beeps every three seconds: somebody is asked for a key, and it is not a phone's own tone.
_PROMPT: Final = (_Part(120, (600,)), _Part(100), _Part(120, (600,)), _Part(2660))
# A short fall, which says "it is over" in any language.
_NOTICE: Final = (_Part(140, (600,)), _Part(20), _Part(140, (400,)))
_NOISE_MS: Final = 500
# Of minstd, whose numbers are the same everywhere and for ever.
_FACTOR: Final = 48271
_MODULUS: Final = 2**31 - 1


class Loop:
    """
    PCM without end: ``sound`` again and again, from its beginning.

    Args:
        sound: L16 at ``rate_hz``, at least one sample.
        rate_hz: one of the codec's.

    Raises:
        ValueError: ``sound`` is empty or ends inside a sample.
    """

    __slots__ = ("_at", "_format", "_sound")

    def __init__(self, sound: bytes, rate_hz: int) -> None:
        if not sound or len(sound) % 2:
            raise ValueError(f"Loop: expected whole samples, at least one, got {len(sound)} bytes")
        self._sound = sound
        self._format = pcm(rate_hz)
        self._at = 0

    def take(self, duration_ms: int) -> bytes:
        """The next ``duration_ms``, exactly."""
        wanted = self._format.size_bytes(duration_ms)
        taken = self._sound[self._at : self._at + wanted]
        self._at += len(taken)
        while len(taken) < wanted:
            self._at = min(wanted - len(taken), len(self._sound))
            taken += self._sound[: self._at]
        return taken


def ringback(rate_hz: int, cadence: Ringback = "north_america") -> Loop:
    """
    What a caller hears while the phone rings, beginning with a tone.

    Raises:
        ValueError: no such cadence or rate.
    """
    if cadence not in _RINGBACK:
        raise ValueError(f"ringback: expected one of {', '.join(_RINGBACK)}, got {cadence!r}")
    return Loop(_render(_RINGBACK[cadence], rate_hz, RINGBACK_DBFS), rate_hz)


def prompt(rate_hz: int) -> Loop:
    """Two soft beeps every three seconds: something is expected of the listener."""
    return Loop(_render(_PROMPT, rate_hz, PROMPT_DBFS), rate_hz)


def comfort_noise(rate_hz: int) -> Loop:
    """Quiet white noise, the same every time: the line is there, though nobody is heard."""
    return Loop(_noise(rate_hz), rate_hz)


def notice(rate_hz: int) -> bytes:
    """300 ms that say that the call is over, in whole frames."""
    return _render(_NOTICE, rate_hz, NOTICE_DBFS)


@functools.cache
def _render(parts: tuple[_Part, ...], rate_hz: int, level_dbfs: float) -> bytes:
    return b"".join(_part(part, rate_hz, level_dbfs) for part in parts)


def _part(part: _Part, rate_hz: int, level_dbfs: float) -> bytes:
    """One period of the wave, repeated, under a ramp of half a cosine at both ends; each frequency at the level."""
    samples = rate_hz * part.duration_ms // 1000
    if not part.frequencies_hz:
        return bytes(2 * samples)
    period = rate_hz // math.gcd(rate_hz, *part.frequencies_hz)
    amplitude = _PEAK * 10 ** (level_dbfs / 20)
    angles = [2 * math.pi * frequency_hz / rate_hz for frequency_hz in part.frequencies_hz]
    wave = [amplitude * sum(math.sin(angle * at) for angle in angles) for at in range(period)]
    ramp = rate_hz * RAMP_MS // 1000
    gains = [(1 - math.cos(math.pi * (at + 0.5) / ramp)) / 2 for at in range(ramp)]
    begins = [gain * wave[at % period] for at, gain in enumerate(gains)]
    ends = [gain * wave[(samples - 1 - at) % period] for at, gain in enumerate(gains)]
    whole = _pcm(wave) * (samples // period + 1)
    return _pcm(begins) + whole[2 * ramp : 2 * (samples - ramp)] + _pcm(ends[::-1])


@functools.cache
def _noise(rate_hz: int) -> bytes:
    # A sine of this level has the same power: 0 dBFS is a sine of full scale.
    peak = _PEAK * 10 ** (NOISE_DBFS / 20) * math.sqrt(1.5)
    states = accumulate(repeat(_FACTOR, rate_hz * _NOISE_MS // 1000), lambda state, factor: state * factor % _MODULUS)
    return _pcm([(2 * state / _MODULUS - 1) * peak for state in states])


def _pcm(wave: list[float]) -> bytes:
    return struct.pack(f"<{len(wave)}h", *map(round, wave))
