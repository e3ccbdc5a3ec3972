"""The filters that are wanted: bands, tap counts, and the conversions between rates that use them."""

from __future__ import annotations

import math
from dataclasses import dataclass

PROFILES = ("balanced", "low_delay", "high_quality")


@dataclass(frozen=True)
class Band:
    """One anti-image / anti-alias filter, in kHz on its grid. ``weight`` trades pass-band ripple for rejection."""

    grid_khz: float
    pass_khz: float
    stop_khz: float
    taps: int
    weight: float
    minimum_phase: bool = False


# The telephone band ends at 3.4 kHz (ITU-T G.712); 4.6 kHz mirrors it about the 4 kHz Nyquist frequency.
# high_quality keeps 200 Hz more on either side (150 from 48 to 8 kHz, where finer taps would overflow).
# 16 <-> 24, 48 kHz carries wideband speech: 7 kHz (ITU-T G.722).
# A decimator may look ahead inside a frame (see FilterTable.delay), and spends that on taps.
BANDS = {
    ("narrow_16k", "balanced"): Band(16, 3.4, 4.6, 48, 100),
    ("narrow_24k", "balanced"): Band(24, 3.4, 4.6, 72, 80),
    ("narrow_24k_down", "balanced"): Band(24, 3.4, 4.6, 76, 80),
    ("narrow_48k", "balanced"): Band(48, 3.4, 4.6, 144, 80),
    ("narrow_48k_down", "balanced"): Band(48, 3.4, 4.6, 154, 80),
    ("wide_48k", "balanced"): Band(48, 7.0, 9.0, 96, 40),
    ("narrow_16k", "low_delay"): Band(16, 3.4, 4.6, 40, 2e6, minimum_phase=True),
    ("narrow_24k", "low_delay"): Band(24, 3.4, 4.6, 62, 2e6, minimum_phase=True),
    ("narrow_24k_down", "low_delay"): Band(24, 3.4, 4.6, 68, 2e6, minimum_phase=True),
    ("narrow_48k", "low_delay"): Band(48, 3.4, 4.6, 124, 2e6, minimum_phase=True),
    ("narrow_48k_down", "low_delay"): Band(48, 3.4, 4.6, 148, 6e6, minimum_phase=True),
    ("wide_48k", "low_delay"): Band(48, 7.0, 9.0, 84, 1e6, minimum_phase=True),
    ("narrow_16k", "high_quality"): Band(16, 3.6, 4.4, 72, 80),
    ("narrow_24k", "high_quality"): Band(24, 3.6, 4.4, 108, 80),
    ("narrow_24k_down", "high_quality"): Band(24, 3.6, 4.4, 114, 80),
    ("narrow_48k", "high_quality"): Band(48, 3.6, 4.4, 216, 80),
    ("narrow_48k_down", "high_quality"): Band(48, 3.55, 4.45, 204, 80),
    ("wide_48k", "high_quality"): Band(48, 7.2, 8.8, 120, 40),
}


@dataclass(frozen=True)
class Conversion:
    """A rate conversion by ``up / down``; ``rates_khz`` lists every (in, out) pair that it serves."""

    name: str
    band: str
    up: int
    down: int
    rates_khz: tuple[tuple[int, int], ...]

    @property
    def group_in(self) -> int:
        """Input samples per group: whole pairs, and at least two outputs, which share what is loaded for them."""
        smallest = math.lcm(2, self.down)
        return 2 * smallest if smallest * self.up == self.down else smallest

    @property
    def group_out(self) -> int:
        """Outputs per group: the rows of the table."""
        return self.group_in * self.up // self.down


CONVERSIONS = (
    Conversion("up2", "narrow_16k", 2, 1, ((8, 16), (24, 48))),
    Conversion("up3", "narrow_24k", 3, 1, ((8, 24),)),
    Conversion("up6", "narrow_48k", 6, 1, ((8, 48),)),
    Conversion("up3_wide", "wide_48k", 3, 1, ((16, 48),)),
    Conversion("up3_down2", "wide_48k", 3, 2, ((16, 24),)),
    Conversion("down2", "narrow_16k", 1, 2, ((16, 8), (48, 24))),
    Conversion("down3", "narrow_24k_down", 1, 3, ((24, 8),)),
    Conversion("down6", "narrow_48k_down", 1, 6, ((48, 8),)),
    Conversion("down3_wide", "wide_48k", 1, 3, ((48, 16),)),
    Conversion("up2_down3", "wide_48k", 2, 3, ((24, 16),)),
)
