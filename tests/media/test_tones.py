"""Tones: their levels, their cadence, and that nobody hears a click."""

from __future__ import annotations

import numpy as np
import pytest

from relay._codec import RATES_HZ
from relay.media.format import pcm as pcm_format
from relay.media.tones import (
    NOISE_DBFS,
    NOTICE_DBFS,
    PROMPT_DBFS,
    RINGBACK_DBFS,
    Loop,
    comfort_noise,
    notice,
    prompt,
    ringback,
)
from tests.signals import dbfs, fit, largest_step, level_db, rms, samples_of

SINE_RMS = dbfs(0.0) / np.sqrt(2)


def level_dbfs(pcm: bytes, rate_hz: int, frequency_hz: int) -> float:
    return level_db(abs(fit(samples_of(pcm), rate_hz, frequency_hz)[0][0]))


def part(pcm: bytes, rate_hz: int, from_ms: int, to_ms: int) -> bytes:
    audio = pcm_format(rate_hz)
    return pcm[audio.size_bytes(from_ms) : audio.size_bytes(to_ms)]


@pytest.mark.parametrize("rate_hz", sorted(RATES_HZ))
@pytest.mark.parametrize("ptime_ms", [10, 20, 7])
def test_loops_give_exactly_what_is_asked_for_whatever_the_pieces(rate_hz: int, ptime_ms: int) -> None:
    for make in (ringback, comfort_noise, prompt):
        pieces, whole = make(rate_hz), make(rate_hz)
        taken = [pieces.take(ptime_ms) for _ in range(7000 // ptime_ms)]
        assert {len(piece) for piece in taken} == {pcm_format(rate_hz).size_bytes(ptime_ms)}
        assert b"".join(taken) == whole.take(7000)


def test_loop_shorter_than_what_is_asked_for_repeats() -> None:
    loop = Loop(b"\x01\x00\x02\x00\x03\x00", 8000)
    assert [int(sample) for sample in samples_of(loop.take(1))] == [1, 2, 3, 1, 2, 3, 1, 2]
    assert [int(sample) for sample in samples_of(loop.take(1))] == [3, 1, 2, 3, 1, 2, 3, 1]


@pytest.mark.parametrize("sound", [b"", b"\x01"])
def test_loop_of_no_whole_sample_is_refused(sound: bytes) -> None:
    with pytest.raises(ValueError, match=f"at least one, got {len(sound)} bytes"):
        Loop(sound, 8000)


@pytest.mark.parametrize(
    ("cadence", "frequencies_hz", "on_ms", "period_ms"),
    [("europe", (425,), 1000, 5000), ("north_america", (440, 480), 2000, 6000)],
)
@pytest.mark.parametrize("rate_hz", sorted(RATES_HZ))
def test_ringback_is_the_networks_at_its_level_and_begins_at_once(
    cadence: str, frequencies_hz: tuple[int, ...], on_ms: int, period_ms: int, rate_hz: int
) -> None:
    heard = ringback(rate_hz, cadence).take(2 * period_ms)  # type: ignore[arg-type] # one of the two
    for begun_ms in (0, period_ms):
        tone = part(heard, rate_hz, begun_ms + 20, begun_ms + on_ms - 20)
        amplitudes, rest = fit(samples_of(tone), rate_hz, *frequencies_hz)
        for amplitude in amplitudes:
            assert level_db(abs(amplitude)) == pytest.approx(RINGBACK_DBFS, abs=0.1)
        assert level_db(rms(rest), SINE_RMS) < -80
        assert not any(part(heard, rate_hz, begun_ms + on_ms, begun_ms + period_ms))


def test_unknown_cadence_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of europe, north_america, got 'mars'"):
        ringback(8000, "mars")  # type: ignore[arg-type] # on purpose


@pytest.mark.parametrize("rate_hz", sorted(RATES_HZ))
def test_no_tone_has_a_click_at_its_edges(rate_hz: int) -> None:
    """No step is larger than the largest within the steady tone."""
    for whole, steady_ms in (
        (ringback(rate_hz).take(12_000), (500, 1500)),
        (ringback(rate_hz, "europe").take(10_000), (200, 800)),
        (prompt(rate_hz).take(6000), (20, 100)),
        (notice(rate_hz) + bytes(2), (20, 120)),
    ):
        assert largest_step(b"\0\0" + whole) <= largest_step(part(whole, rate_hz, *steady_ms))


def test_prompt_is_two_beeps_every_three_seconds() -> None:
    heard = np.abs(samples_of(prompt(8000).take(6000)).astype(np.int32))
    loud = [bool(block.max() > 100) for block in heard.reshape(-1, 80)]  # 10 ms each
    beeps_ms = [10 * at for at in range(600) if loud[at] and not loud[at - 1]]
    assert beeps_ms == [0, 220, 3000, 3220]
    assert level_dbfs(part(prompt(8000).take(120), 8000, 20, 100), 8000, 600) == pytest.approx(PROMPT_DBFS, abs=0.1)


@pytest.mark.parametrize("rate_hz", sorted(RATES_HZ))
def test_notice_is_a_short_fall_in_whole_frames(rate_hz: int) -> None:
    heard = notice(rate_hz)
    assert len(heard) == pcm_format(rate_hz).size_bytes(300)
    high, low = part(heard, rate_hz, 20, 120), part(heard, rate_hz, 180, 280)
    assert level_dbfs(high, rate_hz, 600) == pytest.approx(NOTICE_DBFS, abs=0.1)
    assert level_dbfs(low, rate_hz, 400) == pytest.approx(NOTICE_DBFS, abs=0.1)


@pytest.mark.parametrize("rate_hz", sorted(RATES_HZ))
def test_comfort_noise_is_quiet_white_and_the_same_every_time(rate_hz: int) -> None:
    heard = comfort_noise(rate_hz).take(500)
    assert heard == comfort_noise(rate_hz).take(500)
    samples = samples_of(heard).astype(np.float64)
    assert level_db(rms(samples), SINE_RMS) == pytest.approx(NOISE_DBFS, abs=0.5)
    power = np.abs(np.fft.rfft(samples)) ** 2
    octants = [band.mean() for band in np.array_split(power[1:], 8)]
    assert max(octants) / min(octants) < 2
    assert abs(samples.mean()) < 2
