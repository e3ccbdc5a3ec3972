"""Whatever the source is, the phone has a frame of 20 ms for every tick."""

import itertools

import pytest

from relay.dev.phone_playout import FRAME_BYTES
from relay.dev.phone_source import SILENCE, Source, frames_of, repeated

LOUD = b"\x01\x10" * (FRAME_BYTES // 2)


def first(source: Source | None, frames: int) -> list[bytes]:
    return list(itertools.islice(frames_of(source), frames))


def test_no_source_is_silence() -> None:
    assert first(None, 3) == [SILENCE] * 3


def test_bytes_are_said_once_and_the_last_frame_is_filled_up() -> None:
    assert first(LOUD + LOUD[:100], 3) == [LOUD, LOUD[:100].ljust(FRAME_BYTES, b"\0"), SILENCE]


@pytest.mark.parametrize("piece_bytes", [2, 318, 320, 322, 6400])
def test_pieces_of_any_size_make_the_same_frames(piece_bytes: int) -> None:
    pcm = bytes(range(256)) * 10
    pieces = (pcm[at : at + piece_bytes] for at in range(0, len(pcm), piece_bytes))
    assert first(pieces, 8) == [pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm), FRAME_BYTES)]


def test_a_callable_is_asked_for_each_frame_by_its_number() -> None:
    assert first(lambda number: bytes([number, 0]), 3) == [bytes([n, 0]).ljust(FRAME_BYTES, b"\0") for n in range(3)]


def test_a_callable_that_says_too_much_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 320 bytes for frame 0, got 322"):
        first(lambda _: bytes(322), 1)


def test_repeated_audio_begins_again_after_its_last_whole_frame() -> None:
    other = LOUD[::-1]
    assert first(repeated(LOUD + other + LOUD[:100]), 5) == [LOUD, other, LOUD, other, LOUD]
