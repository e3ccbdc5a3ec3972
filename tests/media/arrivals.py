"""A carrier's clock, a network and a room's clock, all made up: when frames arrive and when the room asks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from relay.dev.bench.arrivals import MS, SECOND, Arrival

Delay = Callable[[np.random.Generator, int], "np.typing.NDArray[np.float64]"]
"""Network delays in ms for so many frames."""


def uniform(most_ms: float) -> Delay:
    return lambda rng, frames: rng.uniform(0, most_ms, frames)


def spiky(mean_ms: float, *, spike_ms: float, every_frames: int) -> Delay:
    """Exponential, and once in a while a spike."""
    return lambda rng, frames: rng.exponential(mean_ms, frames) + spike_ms * (rng.random(frames) < 1 / every_frames)


def sent(
    duration_s: float,
    *,
    frame_ms: int = 20,
    drift_ppm: float = 0.0,
    delay: Delay | None = None,
    in_order: bool = True,
    from_s: float = 0.003,
    seed: int = 1,
) -> list[Arrival]:
    """Frames at the carrier's pace, ``drift_ppm`` faster than ours; TCP holds what is behind a late frame up."""
    frames = int(duration_s * 1000 / frame_ms)
    at_ms = np.arange(frames) * frame_ms / (1 + drift_ppm * 1e-6)
    if delay is not None:
        at_ms += delay(np.random.default_rng(seed), frames)
    if in_order:
        at_ms = np.maximum.accumulate(at_ms)
    arrivals = [Arrival(round(from_s * SECOND + at * MS), number) for number, at in enumerate(at_ms.tolist())]
    return sorted(arrivals, key=lambda arrival: arrival.at_ns)


def pulls(
    duration_s: float,
    *,
    pull_ms: int,
    lateness_ms: float = 0.0,
    stall: tuple[float, float] | None = None,
    seed: int = 2,
) -> list[int]:
    """The room's clock, its timer late by up to ``lateness_ms``; in a stall (from, for) it does not ask, nor after."""
    at_ms = np.arange(int(duration_s * 1000 / pull_ms)) * float(pull_ms)
    at_ms += np.random.default_rng(seed).uniform(0, lateness_ms, len(at_ms))
    asked = [round(at * MS) for at in at_ms.tolist()]
    if stall is not None:
        begin, end = (round(at * SECOND) for at in (stall[0], sum(stall)))
        asked = [at for at in asked if not begin <= at < end]
    return asked
