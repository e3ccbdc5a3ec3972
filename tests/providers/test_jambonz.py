"""jambonz: its marks and the samples that look like one. What it may say oddly is in test_binary_audio.py."""

import struct

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.conformance.mutations import compact
from relay.errors import LocalProtocolError
from relay.media.format import AudioFormat
from relay.providers.base import DtmfReceived, MarkReached, MediaAdapter, StreamStarted
from relay.providers.jambonz import MARKS_OUT_MAX, JambonzAdapter
from tests.providers.jambonz_cases import DTMF, JAMBONZ, MARK, start


def reached(adapter: MediaAdapter, name: str, event: str = "playout") -> None:
    assert adapter.parse(compact({"type": "mark", "data": {"name": name, "event": event}})) == [MarkReached(name)]


def with_marks_out() -> MediaAdapter:
    """As many as jambonz takes."""
    adapter = JAMBONZ.opened()
    assert all(adapter.encode_mark(f"0.{number}") for number in range(MARKS_OUT_MAX))
    return adapter


@pytest.mark.parametrize("rate_hz", [8000, 16000, 24000, 48000])
def test_the_format_is_what_the_metadata_say(rate_hz: int) -> None:
    [started] = JambonzAdapter().parse(start(sampleRate=rate_hz))
    assert isinstance(started, StreamStarted)
    assert started.format == AudioFormat("l16le", rate_hz)


def test_the_numbers_of_the_call_are_not_among_what_we_gave() -> None:
    [started] = JambonzAdapter().parse(start(callerId="+14155550100", sbcCallid="1", parentCallSid="2"))
    assert isinstance(started, StreamStarted)
    assert started.custom == {"leg": "agent-7", "token": "t0k3n"}


@pytest.mark.parametrize(("samples", "duration_ms"), [("1600", 200), (0, 0), (7, 0), (None, None)])
def test_the_duration_of_a_key_is_in_samples(samples: int | str | None, duration_ms: int | None) -> None:
    assert JAMBONZ.opened().parse(compact({**DTMF, "duration": samples})) == [DtmfReceived("1", duration_ms)]


# --- Audio ---


@given(
    samples=st.lists(st.sampled_from([-1, -2, 0, 255, -256, 1]) | st.integers(-(1 << 15), (1 << 15) - 1), min_size=1)
)
def test_no_sample_looks_like_a_mark(samples: list[int]) -> None:
    """Whether or not a mark is out: those before a mark may be unplayed when it comes."""
    sent = JAMBONZ.opened().encode_audio(struct.pack(f"<{len(samples)}h", *samples))
    assert list(struct.unpack(f"<{len(samples)}h", sent)) == [-2 if sample == -1 else sample for sample in samples]


@pytest.mark.parametrize("size", [0, 1, 321])
def test_audio_in_broken_samples_is_not_sent(size: int) -> None:
    expected = f"^jambonz payload: expected a multiple of 2 bytes, at least 2, got {size} bytes$"
    with pytest.raises(LocalProtocolError, match=expected):
        JAMBONZ.opened().encode_audio(b"\xff" * size)


# --- Marks ---


def test_a_mark_and_a_clear() -> None:
    adapter = JAMBONZ.opened()
    assert adapter.encode_mark('"}') == b'{"type":"mark","data":{"name":"\\"}"}}'
    assert list(adapter.encode_clear()) == [b'{"type":"killAudio"}']


@pytest.mark.parametrize("event", ["playout", "cleared"])
def test_a_mark_comes_back_played_or_cleared(event: str) -> None:
    adapter = JAMBONZ.opened()
    adapter.encode_mark("m1")
    reached(adapter, "m1", event)


def test_a_name_that_is_out_is_not_sent_again() -> None:
    """Neither jambonz nor we could tell them apart."""
    adapter = JAMBONZ.opened()
    sent = adapter.encode_mark("m1")
    with pytest.raises(LocalProtocolError, match=r"^jambonz mark name: expected one that is not out, got 'm1'$"):
        adapter.encode_mark("m1")
    reached(adapter, "m1")
    assert adapter.encode_mark("m1") == sent


def test_one_mark_too_many_is_not_sent() -> None:
    adapter = with_marks_out()
    assert adapter.encode_mark("1") == b""
    reached(adapter, "0.5")
    assert all(adapter.encode_mark(f"1.{number}") for number in range(6))  # those before it have been reached too
    assert adapter.encode_mark("2") == b""


def test_a_clear_makes_room_for_marks() -> None:
    adapter = with_marks_out()
    adapter.encode_clear()
    assert adapter.encode_mark("0.1")
    reached(adapter, "0.0", "cleared")
    with pytest.raises(LocalProtocolError, match="one that is not out"):
        adapter.encode_mark("0.1")


def test_marks_that_jambonz_has_lost_do_not_end_them_for_good() -> None:
    """After a killAudio it swallows as many as had been out: not one of these may come back."""
    adapter = with_marks_out()
    assert [bool(adapter.encode_mark(f"1.{number}")) for number in range(4)] == [False, True, False, True]


def test_a_mark_of_which_we_know_nothing_is_reported_all_the_same() -> None:
    """The bridge knows what to make of it."""
    adapter = JAMBONZ.opened()
    adapter.encode_mark("m1")
    reached(adapter, "another")
    assert orjson.loads(adapter.encode_mark("m2")) == {"type": "mark", "data": {"name": "m2"}}
    assert adapter.parse(compact(MARK)) == [MarkReached("m1")]
