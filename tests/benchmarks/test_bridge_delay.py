"""Delays of chirps, by the time at which each frame really came."""

import numpy as np
import pytest

from benchmarks.bridge.delay import Recorded, added_ms, target_at
from tests.signals.chirps import Chirps
from tests.signals.waves import pcm

CHIRPS = Chirps(3, 260.0, first_ms=100.0)
FRAME_NS = 20_000_000


def test_delay_is_from_the_frame_sent_to_the_frame_that_came() -> None:
    wave = pcm(CHIRPS.wave(8000))
    sent_ns = np.arange(len(wave) // 320, dtype=np.int64) * FRAME_NS
    came_ns = sent_ns + 7_000_000
    sent_ns[18] += 2_000_000  # the frame in which the second chirp begins, written late
    came_ns[31] += 3_000_000  # the third chirp's, come late
    delays_ms = [delay_ms for _, delay_ms in added_ms(CHIRPS, sent_ns, Recorded(wave, 8000, came_ns))]
    assert delays_ms == pytest.approx([7.0, 5.0, 10.0], abs=0.05)


def test_target_is_the_last_that_was_reported() -> None:
    targets = np.array([[100, 40.0], [200, 30.0]])
    assert [target_at(targets, now_ns) for now_ns in (50, 150, 250)] == [40.0, 40.0, 30.0]
