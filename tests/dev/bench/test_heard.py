"""From marker frames that were said to delays of what was heard."""

import array

import pytest

from relay._codec import Encoder
from relay.dev.bench import marker
from relay.dev.bench.heard import Hearing, frames_of, round_trips
from relay.dev.bench.load import PhoneRecord

MS = 1_000_000
SAID_NS = [1_000_000 * MS + 20 * MS * number for number in range(1100)]


def hearing(numbers: list[int], delays_ms: list[float], codec_ms: float = 0.0) -> Hearing:
    pcm = b"".join(marker.frames(8000)[number % 1024] for number in numbers)
    given_ns = [SAID_NS[number] + round(late * MS) for number, late in zip(numbers, delays_ms, strict=True)]
    return Hearing(pcm, 8000, given_ns, [160 * (run + 1) for run in range(len(numbers))], codec_ms)


def test_delay_is_from_said_to_given_frame_by_frame() -> None:
    frames = frames_of(SAID_NS, hearing([0, 1, 2, 3], [3.0, 5.0, 4.0, 9.0]))
    assert [each.delay_ms for each in frames.delays] == pytest.approx([3.0, 5.0, 4.0, 9.0], abs=0.02)
    assert [each.said_ns for each in frames.delays] == SAID_NS[:4]


def test_what_the_codec_delays_is_taken_off_and_where_it_begins_in_its_run_added() -> None:
    whole = hearing([0, 1, 2], [3.0] * 3, codec_ms=1.5)
    moved = Hearing(bytes(24) + whole.pcm[:-24], 8000, whole.given_ns, whole.ends, 1.5)  # 12 samples: 1.5 ms
    assert [each.delay_ms for each in frames_of(SAID_NS, moved).delays] == pytest.approx([3.0] * 3, abs=0.02)


def test_numbers_that_come_again_are_the_latest_that_can_be_meant() -> None:
    frames = frames_of(SAID_NS, hearing([1030, 1031], [7.0, 7.0]))
    assert [each.said_ns for each in frames.delays] == SAID_NS[1030:1032]


def test_missing_and_repeated_frames_of_the_window_are_counted() -> None:
    frames = frames_of(SAID_NS, hearing([2, 3, 5, 5], [1, 1, 1, 21]), since_ns=SAID_NS[2], until_ns=SAID_NS[7])
    assert (frames.said, frames.missing, frames.repeated) == (5, 2, 1)


def test_first_number_need_not_be_nought() -> None:
    frames = frames_of(SAID_NS[10:14], hearing([10, 11], [2, 2]), first=10)
    assert [each.said_ns for each in frames.delays] == SAID_NS[10:12]


def test_round_trip_is_read_from_what_the_phone_heard() -> None:
    payload = b"".join(Encoder("pcmu", 8000, 8000).push(marker.frames(8000)[number]) for number in range(4))
    came = array.array("q", [SAID_NS[1] + MS, SAID_NS[3] + MS])  # 40 ms in a message
    said = array.array("q", SAID_NS[:4])
    (frames,) = round_trips(
        [PhoneRecord(said, said, came, array.array("q", [320, 640]), payload)], 0.0, since_ns=0, until_ns=1 << 62
    )
    assert [each.delay_ms for each in frames.delays] == pytest.approx([21, 21, 21, 21], abs=0.02)
