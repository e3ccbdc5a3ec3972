"""
Owns the targets of the codec: one table, and whether a run met each.

Times were set on a processor of 4.1 GHz. A run states how much slower its machine is, by the yardsticks below, and a
time that is missed as measured but met when divided by that factor is said to be met *at the reference's speed*.
"""

from __future__ import annotations

import enum
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks import paths, quality
from benchmarks.native import native_name
from benchmarks.quality import QualityResult
from relay.dev.bench.measure import PathResult

AVX2, SSE2, KERNEL_AVX2 = "relay avx2", "relay sse2", "relay kernel avx2"
DRIFT_PPM_USUAL = 100  # between two ordinary quartz clocks


class Verdict(enum.Enum):
    """What a run says of a target."""

    MET = "met"
    MET_AT_REFERENCE_SPEED = "met at the reference's speed"
    MISSED = "missed"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Target:
    """A limit for one figure. Unit "ns" is scaled to the reference machine."""

    item: str
    figure: str
    limit: float
    unit: str
    at_least: bool = False

    def verdict(self, figures: Mapping[str, float], machine_scale: float) -> Verdict:
        """Judge; ``machine_scale`` is 1.5 where the yardsticks take 1.5 times as long as on the reference machine."""
        if self.figure not in figures:
            return Verdict.NOT_MEASURED
        if self._holds(figures[self.figure]):
            return Verdict.MET
        if self.unit == "ns" and self._holds(figures[self.figure] / machine_scale):
            return Verdict.MET_AT_REFERENCE_SPEED
        return Verdict.MISSED

    def _holds(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit


def time_figure(path: str, contender: str) -> str:
    """Return the name of a median time."""
    return f"{path} | {contender} | ns"


def ratio_figure(path: str, rival: str) -> str:
    """Return the name of a median ratio to the path's base."""
    return f"{path} | {rival} | ratio"


def _kernel_targets() -> Iterator[Target]:
    limits_ns = {
        (8000, 16000): 110,
        (16000, 8000): 130,
        (8000, 48000): 330,
        (48000, 8000): 400,
        (8000, 24000): 180,
        (24000, 8000): 250,
        (16000, 48000): 450,
        (48000, 16000): 530,
    }
    for pair, limit_ns in limits_ns.items():
        name = native_name(*pair)
        yield Target(f"{name}, kernel alone, AVX2", time_figure(name, KERNEL_AVX2), limit_ns, "ns")
    for pair in ((8000, 16000), (16000, 8000)):
        name = native_name(*pair)
        yield Target(f"{name}, whole stream beside soxr VHQ", ratio_figure(name, "soxr VHQ"), 7, "x", at_least=True)


TARGETS = (
    Target("media message -> PCM16k, AVX2", time_figure(paths.MESSAGE_IN, AVX2), 250, "ns"),
    Target("media message -> PCM16k, SSE2", time_figure(paths.MESSAGE_IN, SSE2), 450, "ns"),
    Target("... beside Pipecat's", ratio_figure(paths.MESSAGE_IN, paths.PIPECAT), 25, "x", at_least=True),
    Target("PCM16k -> media message, AVX2", time_figure(paths.MESSAGE_OUT, AVX2), 250, "ns"),
    Target("PCM16k -> media message, SSE2", time_figure(paths.MESSAGE_OUT, SSE2), 450, "ns"),
    Target("... beside Pipecat's", ratio_figure(paths.MESSAGE_OUT, paths.PIPECAT), 20, "x", at_least=True),
    Target("Decoder.push, beside soxr VHQ", ratio_figure(paths.DECODE, paths.SOXR_AUDIOOP), 10, "x", at_least=True),
    Target("Encoder.push, beside soxr VHQ", ratio_figure(paths.ENCODE, paths.SOXR_AUDIOOP), 10, "x", at_least=True),
    *_kernel_targets(),
    Target("concealer, good frame", time_figure(paths.GOOD_FRAME, "relay"), 30, "ns"),
    Target("concealer, lost frame", time_figure(paths.CONCEALED_FRAME, "relay"), 2000, "ns"),
    Target("drift of 100 ppm, per frame", "retime per frame ns", 60, "ns"),
    Target("delay, balanced", "delay balanced 8k -> 16k ms", 1.5, "ms"),
    Target("delay, low_delay at 1 kHz", "delay low_delay 8k -> 16k ms", 0.25, "ms"),
    Target("ripple to 3.4 kHz", "ripple dB", 0.1, "dB"),
    Target("image and alias rejection, 2x", "rejection 2x dB", 80, "dB", at_least=True),
    Target("image and alias rejection, 3x and 6x", "rejection 3x and 6x dB", 80, "dB", at_least=True),
    Target("THD+N of 1 kHz at -1 dBFS, up", "THD+N 8k -> 16k dB", -85, "dB"),
    Target("THD+N of 1 kHz at -1 dBFS, down", "THD+N 16k -> 8k dB", -95, "dB"),
    Target("G.711 against ITU-T G.191, whole domains", "G.711 differences", 0, ""),
    Target("state of one direction at 2x", "state 2x bytes", 512, "B"),
    Target("phone leg, PESQ-NB below soxr VHQ's", "PESQ-NB lost", 0.02, "MOS"),
    Target(f"drift of +{quality.DRIFT_PPM} ppm, PESQ-WB", quality.DRIFT_FAST, 4.5, "MOS", at_least=True),
    Target(f"drift of -{quality.DRIFT_PPM} ppm, PESQ-WB", quality.DRIFT_SLOW, 4.5, "MOS", at_least=True),
)

# What code that is not ours took on the reference machine: its time here says how fast this machine is.
YARDSTICKS_NS = {
    time_figure(paths.resample_name(8000, 16000), paths.RATECV): 2270,
    time_figure(native_name(8000, 16000), "soxr VHQ"): 955,
    time_figure(native_name(8000, 16000), "soxr MQ"): 885,
}


def collect_figures(results: list[PathResult], scores: list[QualityResult]) -> dict[str, float]:
    """Return every figure that a target or a yardstick may ask for."""
    figures: dict[str, float] = {}
    for result in results:
        for contender in result.rounds_ns:
            figures[time_figure(result.name, contender)] = result.time_ns(contender).median
            figures[ratio_figure(result.name, contender)] = result.ratio(contender).median
    if (retime_ns := figures.get(time_figure(paths.RETIME, "relay"))) is not None:
        samples_per_frame = DRIFT_PPM_USUAL / 1e6 * quality.FRAME_SAMPLES
        figures["retime per frame ns"] = retime_ns * samples_per_frame
    means = {score.name: score.mean for score in scores}
    figures |= means
    if quality.PHONE_OURS in means:
        figures["PESQ-NB lost"] = means[quality.PHONE_SOXR] - means[quality.PHONE_OURS]
    return figures


def machine_scale(figures: Mapping[str, float]) -> float:
    """Return how many times as long as on the reference machine the yardsticks take; 1 where none was measured."""
    scales = [figures[name] / reference_ns for name, reference_ns in YARDSTICKS_NS.items() if name in figures]
    return statistics.median(scales) if scales else 1.0
