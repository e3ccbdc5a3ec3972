"""
Owns the table of docs/latency.md: the jitter buffer under simulated arrivals, the same figures on every machine.

    python -m benchmarks.arrivals             # print it
    python -m benchmarks.arrivals --update    # write it into the page

Clocks, network and seeds are those of tests/media/arrivals.py; the room asks for 10 ms at a time, up to 1 ms late.
"""

from __future__ import annotations

import argparse
import pathlib
import random
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from relay.dev.bench.arrivals import Arrival, Heard, play, stalled, without
from tests.media.arrivals import pulls, sent, spiky, uniform

PAGE = pathlib.Path(__file__).parent.parent / "docs/latency.md"
BLOCK = re.compile(r"(<!-- arrivals: .*?-->\n```\n)(.*?)(\n```)", re.DOTALL)

PULL_MS = 10
RATE_HZ = 8000
MINUTES_5, HOUR = 300, 3600
SETTLED_S = 60  # figures of the delay are of the seconds after it
DISTURBED_S = 120  # when what happens once happens


@dataclass(frozen=True, slots=True)
class Scenario:
    """What arrives, and since when the delay may be disturbed by what happens once."""

    name: str
    arrivals: Callable[[], list[Arrival]]
    duration_s: int = MINUTES_5
    disturbed_until_s: float | None = None
    room_stall: tuple[float, float] | None = None
    frame_ms: int = 20


def _lossy(percent: float) -> list[Arrival]:
    rng = random.Random(7)
    arrivals = sent(MINUTES_5 + 1)
    return without(arrivals, [each.number for each in arrivals if rng.random() * 100 < percent])


def _silent() -> list[Arrival]:
    return without(sent(MINUTES_5 + 1), range(DISTURBED_S * 50, (DISTURBED_S + 30) * 50))


def _twice() -> list[Arrival]:
    return sorted(sent(MINUTES_5 + 1) + sent(MINUTES_5 + 1, from_s=0.013), key=lambda arrival: arrival.at_ns)


def _drifting(drift_ppm: float, jitter_ms: float) -> Callable[[], list[Arrival]]:
    delay = uniform(jitter_ms) if jitter_ms else None
    return lambda: sent(HOUR + 3, drift_ppm=drift_ppm, delay=delay)


SCENARIOS = (
    Scenario("steady", lambda: sent(MINUTES_5 + 1)),
    Scenario("frames of 100 ms", lambda: sent(MINUTES_5 + 1, frame_ms=100), frame_ms=100),
    Scenario("jitter 20 ms", lambda: sent(MINUTES_5 + 1, delay=uniform(20))),
    Scenario("jitter 60 ms", lambda: sent(MINUTES_5 + 1, delay=uniform(60))),
    Scenario("jitter 120 ms", lambda: sent(MINUTES_5 + 1, delay=uniform(120))),
    Scenario("exp. 8 ms, spikes", lambda: sent(MINUTES_5 + 1, delay=spiky(8, spike_ms=100, every_frames=200))),
    Scenario("out of order 50 ms", lambda: sent(MINUTES_5 + 1, delay=uniform(50), in_order=False)),
    Scenario("every frame twice", _twice),
    Scenario("2 % lost", lambda: _lossy(2)),
    Scenario("25 in a row lost", lambda: without(sent(MINUTES_5 + 1), range(6000, 6025)), disturbed_until_s=120.5),
    Scenario("stall of 300 ms", lambda: stalled(sent(301), from_s=120, for_s=0.3), disturbed_until_s=120.3),
    Scenario("stall of 2 s", lambda: stalled(sent(301), from_s=120, for_s=2), disturbed_until_s=122),
    Scenario("room stalls 200 ms", lambda: sent(301), disturbed_until_s=120.2, room_stall=(DISTURBED_S, 0.2)),
    Scenario("silent for 30 s", _silent, disturbed_until_s=150),
    Scenario("+300 ppm, 1 h", _drifting(300, 0), duration_s=HOUR),
    Scenario("-300 ppm, 1 h", _drifting(-300, 0), duration_s=HOUR),
    Scenario("+300 ppm, 20 ms, 1 h", _drifting(300, 20), duration_s=HOUR),
    Scenario("-300 ppm, 20 ms, 1 h", _drifting(-300, 20), duration_s=HOUR),
)

HEADER = (
    "                      target  delay - target, ms   under-  concealed   lost  drained  back in\n"
    "arrivals                  ms    p50    p99    max    runs         ms     ms       ms        s"
)


def run(scenario: Scenario) -> Heard:
    """Simulate it: noise, since draining is slowest there."""
    samples = RATE_HZ * scenario.frame_ms // 1000
    noise = np.random.default_rng(5).normal(0, 3000, (50, samples)).astype("<i2")
    frames = [frame.tobytes() for frame in noise]
    return play(
        scenario.arrivals(),
        pulls(scenario.duration_s, pull_ms=PULL_MS, lateness_ms=1, stall=scenario.room_stall),
        pull_ms=PULL_MS,
        rate_hz=RATE_HZ,
        frame=lambda number: frames[number % len(frames)],
        numbered=True,
        every_s=1.0 if scenario.disturbed_until_s is None else 0.1,
    )


def row(scenario: Scenario, heard: Heard) -> str:
    """One line of the table."""
    since_s = scenario.disturbed_until_s
    above = sorted(each.error_ms for each in heard.seconds if each.at_s > SETTLED_S)
    stats = heard.stats
    back = "" if since_s is None else f"{heard.recovered_s(since_s):.1f}"
    return (
        f"{scenario.name:<20} {stats.target_ms:7.1f} {above[len(above) // 2]:6.1f} {above[len(above) * 99 // 100]:6.1f}"
        f" {above[-1]:6.1f} {stats.underruns:7d} {stats.concealed_ms:10.0f} {stats.frames_lost * scenario.frame_ms:6d}"
        f" {stats.drained_ms:8.0f} {back:>8}"
    ).rstrip()


def table() -> str:
    """The whole table, without a line feed at its end."""
    return "\n".join([HEADER, *(row(scenario, run(scenario)) for scenario in SCENARIOS)])


def main() -> int:
    """Print the table, or write it into the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.arrivals", description=__doc__)
    parser.add_argument("--update", action="store_true", help="write it into docs/latency.md")
    text = table()
    print(text)
    if parser.parse_args().update:
        PAGE.write_text(BLOCK.sub(lambda block: block[1] + text + block[3], PAGE.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
