"""A recording keeps its place in time when it is cut."""

import pytest

from relay.dev.recording import Recording, laid_out, spliced

WHOLE = Recording(bytes(range(200)), 8000, 1_000_000_000)


def test_the_rest_starts_where_it_says() -> None:
    rest = WHOLE.since(1_000_000_000 + 10 * 125_000)
    assert rest == Recording(WHOLE.pcm[20:], 8000, 1_000_000_000 + 10 * 125_000)


def test_a_cut_before_the_start_is_the_whole_and_one_after_the_end_nothing() -> None:
    assert WHOLE.since(0) == WHOLE
    assert WHOLE.since(2_000_000_000).pcm == b""


def test_duration_follows_the_true_rate() -> None:
    assert WHOLE.duration_ms == 12.5
    assert WHOLE._replace(rate_hz=16000).duration_ms == 6.25


def frame(number: int) -> bytes:
    return bytes([number + 1, 0]) * 160


def frames(*ats_ms: float) -> list[tuple[int, bytes]]:
    """Frames of 20 ms at 8 kHz that came then."""
    return [(round(at_ms * 1e6), frame(number)) for number, at_ms in enumerate(ats_ms)]


def test_frames_that_came_in_time_are_laid_out_one_after_the_other() -> None:
    laid = laid_out(frames(*(1000 + 20 * number for number in range(50))), 8000)
    assert laid == Recording(b"".join(frame(number) for number in range(50)), 8000, 1_000_000_000)


def test_a_late_frame_among_others_in_time_is_no_gap() -> None:
    ats_ms = [20.0 * number for number in range(50)]
    ats_ms[20] += 15
    assert laid_out(frames(*ats_ms), 8000).pcm == b"".join(frame(number) for number in range(50))


def test_where_nothing_came_for_a_while_there_is_silence_so_long() -> None:
    ats_ms = [20.0 * number for number in range(30)] + [1000 + 20.0 * number for number in range(30)]
    laid = laid_out(frames(*ats_ms), 8000)
    assert laid.pcm[: 30 * 320] == b"".join(frame(number) for number in range(30))
    assert laid.pcm[30 * 320 : 16000] == bytes(16000 - 30 * 320)
    assert laid.pcm[16000:16320] == frame(30)


def test_no_frames_are_an_empty_recording() -> None:
    assert laid_out([], 16000) == Recording(b"", 16000, 0)


def test_recordings_are_spliced_with_the_silence_between_them() -> None:
    one, other = Recording(b"\1\0" * 8, 8000, 0), Recording(b"\2\0" * 8, 8000, 2_000_000)
    assert spliced([one, other]) == Recording(b"\1\0" * 8 + bytes(16) + b"\2\0" * 8, 8000, 0)
    assert spliced([one]) == one


def test_where_recordings_overlap_the_later_is_heard() -> None:
    one, other = Recording(b"\1\0" * 8, 8000, 0), Recording(b"\2\0" * 8, 8000, 500_000)
    assert spliced([one, other]).pcm == b"\1\0" * 4 + b"\2\0" * 8


def test_recordings_at_two_rates_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one rate, got \[8000, 16000\]"):
        spliced([Recording(b"", 8000, 0), Recording(b"", 16000, 0)])
    with pytest.raises(ValueError, match="one rate"):
        spliced([])
