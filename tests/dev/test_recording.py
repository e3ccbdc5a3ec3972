"""A recording keeps its place in time when it is cut."""

from relay.dev.recording import Recording

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
