"""Markers through G.711 and the rate conversions, whole and damaged: what is read is right, or counted."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay._codec import Concealer, Decoder, Encoder, Resampler, retime, shorten
from relay.dev.bench._phones import MARKERS, marker_frame, read_markers

RATES_HZ = (8000, 16000, 24000, 48000)
QUARTER_AT_16K_S = 0.25 / 16000
seeded = settings(max_examples=15, deadline=None)


def frames(numbers: Sequence[int], rate_hz: int) -> list[bytes]:
    return [marker_frame(number % MARKERS, rate_hz) for number in numbers]


def apart_s(one: float, other: float, rate_hz: int) -> float:
    return abs(one - other) / rate_hz


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_every_number_and_beginning_survives_both_directions(rate_hz: int) -> None:
    to_room = Decoder("pcmu", 8000, rate_hz)
    phone = Encoder("pcmu", 8000, 8000)
    in_room = b"".join(to_room.push(phone.push(frame)) for frame in frames(range(MARKERS), 8000))
    to_agent, heard = Encoder("pcmu", 8000, rate_hz), Decoder("pcmu", 8000, 8000)
    at_phone = b"".join(heard.push(to_agent.push(frame)) for frame in frames(range(MARKERS), rate_hz))
    for pcm, at_hz, delay_ms in ((in_room, rate_hz, to_room.delay_ms), (at_phone, 8000, to_agent.delay_ms)):
        found, unreadable = read_markers(pcm, at_hz)
        assert [number for number, _ in found] == list(range(len(found)))
        assert len(found) >= MARKERS - 1  # the filter still holds the end of the last
        assert unreadable <= MARKERS - len(found)
        begins = [number * at_hz / 50 + delay_ms * at_hz / 1000 for number, _ in found]
        assert max(apart_s(a, b, at_hz) for a, (_, b) in zip(begins, found, strict=True)) < QUARTER_AT_16K_S


@pytest.mark.parametrize(("from_hz", "to_hz"), [(8000, 48000), (48000, 16000), (16000, 24000)])
def test_beginning_survives_other_conversions(from_hz: int, to_hz: int) -> None:
    resampler = Resampler(from_hz, to_hz)
    found, _ = read_markers(b"".join(map(resampler.push, frames(range(20), from_hz))), to_hz)
    assert [number for number, _ in found][:19] == list(range(19))
    for number, begin in found:
        assert apart_s(begin, (number / 50 + resampler.delay_ms / 1000) * to_hz, to_hz) < QUARTER_AT_16K_S


def test_run_need_not_begin_with_a_frame() -> None:
    pcm = b"".join(frames(range(5, 9), 16000))
    found, unreadable = read_markers(pcm[2 * 100 :], 16000)
    assert [(number, round(begin)) for number, begin in found] == [(6, 220), (7, 540), (8, 860)]
    assert unreadable <= 1


def test_what_says_nothing_is_not_read() -> None:
    assert read_markers(b"", 8000) == ([], 0)
    assert read_markers(bytes(3200), 8000) == ([], 0)


@seeded
@given(
    first=st.integers(0, MARKERS - 1),
    cuts=st.lists(st.tuples(st.integers(0, 6000), st.integers(1, 1400)), min_size=1, max_size=4),
)
def test_cut_frames_are_read_right_or_not_at_all(first: int, cuts: list[tuple[int, int]]) -> None:
    """Right: of what is there of a frame of this number, this is where it would have begun."""
    pcm = b"".join(frames(range(first, first + 24), 16000))
    from_frame = [(number * 320, number % MARKERS) for number in range(24)]
    kept = list(range(len(pcm) // 2))
    for at, size in cuts:
        del kept[at : at + size]
    found, _ = read_markers(b"".join(pcm[2 * each : 2 * each + 2] for each in kept), 16000)
    pieces = {
        ((first + number) % MARKERS, now - was + begin)
        for now, was in enumerate(kept)
        for begin, number in [from_frame[was // 320]]
    }
    for number, begin in found:
        assert any(number == which and abs(begin - where) < 1 for which, where in pieces), (number, begin)
    assert len(found) >= 24 - sum(2 + size // 320 for _, size in cuts)


@seeded
@given(lost=st.sets(st.integers(1, 39), max_size=20), first=st.integers(0, MARKERS - 1))
def test_lost_frames_are_not_read_from_what_conceals_them(lost: set[int], first: int) -> None:
    concealer = Concealer(16000)
    pcm = b"".join(
        concealer.conceal(320) if number in lost else concealer.push(frame)
        for number, frame in enumerate(frames(range(first, first + 40), 16000))
    )
    found, _ = read_markers(pcm, 16000)
    for number, begin in found:
        which = (number - first) % MARKERS
        assert which not in lost
        assert abs(begin - 320 * which) < 8 + 320 * 0.01
    assert len(found) >= 40 - 2 * len(lost)


@seeded
@given(changes=st.lists(st.sampled_from((-1, 0, 1)), min_size=20, max_size=20), rate_hz=st.sampled_from(RATES_HZ))
def test_re_timed_frames_are_read_where_they_begin(changes: list[int], rate_hz: int) -> None:
    pcm, begins = b"", []
    for number, change in enumerate(changes):
        begins.append(len(pcm) // 2)
        frame = marker_frame(number, rate_hz)
        pcm += retime(frame, change) if change else frame
    found, _ = read_markers(pcm, rate_hz)
    assert [number for number, _ in found] == list(range(20))
    assert all(abs(begin - where) < 1 for where, (_, begin) in zip(begins, found, strict=True))


@seeded
@given(at_most=st.integers(0, 320), number=st.integers(0, MARKERS - 1))
def test_shortened_frames_are_read_right_or_not_at_all(at_most: int, number: int) -> None:
    middle = shorten(b"".join(frames((number, number + 1), 16000)), at_most, 16000, least_match=0.0)
    found, _ = read_markers(b"".join((*frames((number - 1,), 16000), middle, *frames((number + 2,), 16000))), 16000)
    allowed = [each % MARKERS for each in range(number - 1, number + 3)]
    assert [each for each, _ in found] == [each for each in allowed if each in dict(found)]
    assert allowed[0] in dict(found)


def test_numbers_and_rates_are_checked() -> None:
    with pytest.raises(ValueError, match="below 1024"):
        marker_frame(MARKERS, 8000)
    with pytest.raises(ValueError, match="a rate"):
        marker_frame(1, 11025)
    with pytest.raises(ValueError, match="whole samples"):
        read_markers(b"abc", 8000)
