"""Chirps through a server that is not there: what is made late by so much is found late by so much."""

import array

import pytest

from benchmarks.peers.delay import answered_frames, chirps_for, delays, payloads_of
from relay.dev.bench.load import PhoneRecord

MS_NS = 1_000_000
START_NS = 5_000_000_000


def record(said: list[bytes], *, late_ms: float, frames_a_message: int = 1) -> PhoneRecord:
    """What is said comes back as it is, so many frames at once, so long after the last of them."""
    written = [START_NS + number * 20 * MS_NS for number in range(len(said))]
    last = range(frames_a_message - 1, len(said), frames_a_message)
    arrived = [written[number] + round(late_ms * MS_NS) for number in last]
    ends = [160 * (number + 1) for number in last]
    heard = b"".join(said)[: ends[-1]]
    times = array.array("q", written)
    return PhoneRecord(times, times, array.array("q", arrived), array.array("q", ends), heard)


@pytest.mark.parametrize(("frames_a_message", "waits_ms"), [(1, 0.0), (2, 20.0)])
@pytest.mark.parametrize("late_ms", [0.3, 45.0, 900.0])
def test_finds_the_delay_and_what_is_waited_for_a_whole_message(
    late_ms: float, frames_a_message: int, waits_ms: float
) -> None:
    chirps = chirps_for(4, 4)
    found = list(delays(record(payloads_of(chirps), late_ms=late_ms, frames_a_message=frames_a_message), chirps))
    assert chirps.count == 2
    assert [each.delay_ms for each in found] == pytest.approx([late_ms + waits_ms] * 2, abs=0.05)
    assert found[0].heard_ns == pytest.approx(START_NS + (4500 + late_ms + waits_ms) * MS_NS, abs=0.05 * MS_NS)


def test_one_message_that_comes_late_is_late_by_so_much() -> None:
    chirps = chirps_for(4, 4)
    heard = record(payloads_of(chirps), late_ms=1)
    heard.arrived_ns[round(chirps.at_ms(1) / 20)] += 7 * MS_NS
    assert [each.delay_ms for each in delays(heard, chirps)] == pytest.approx([1, 8], abs=0.05)


def test_silence_has_no_delay() -> None:
    chirps = chirps_for(4, 4)
    nothing = array.array("q")
    assert list(delays(record([bytes([255]) * 160] * 400, late_ms=1), chirps)) == []
    assert list(delays(PhoneRecord(nothing, nothing, nothing, nothing, b""), chirps)) == []


def test_counts_audio_rather_than_messages() -> None:
    said = [bytes(160)] * 100
    for frames_a_message in (1, 2):
        heard = record(said, late_ms=0, frames_a_message=frames_a_message)
        until_ns = START_NS + 60 * 20 * MS_NS
        assert answered_frames([heard, heard], START_NS + 20 * 20 * MS_NS, until_ns) == 2 * 40
    assert answered_frames([heard], 0, START_NS) == 0
