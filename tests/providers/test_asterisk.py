"""Asterisk: its formats and frames, its two forms, and what is sent to it. The rest is in test_binary_audio.py."""

import pytest

from relay.conformance import Case
from relay.errors import LocalProtocolError, RemoteProtocolError
from relay.media.format import AudioFormat
from relay.providers.asterisk import COMMAND_MAX_BYTES, AsteriskAdapter
from relay.providers.base import CarrierFault, FlowChanged, FrameRule, StreamStarted
from relay.providers.stream import MARK_NAME_MAX_CHARS
from tests.providers.asterisk_cases import JSON, PLAIN, PLAIN_START, PLAIN_STARTED, STARTED, start

both_forms = pytest.mark.parametrize("case", [JSON, PLAIN], ids=str)


@pytest.mark.parametrize(
    ("name", "audio", "frame_bytes"),
    [
        ("ulaw", AudioFormat("pcmu", 8000), 160),
        ("alaw", AudioFormat("pcma", 8000), 160),
        ("slin", AudioFormat("l16le", 8000), 320),
        ("slin16", AudioFormat("l16le", 16000), 640),
        ("slin24", AudioFormat("l16le", 24000), 960),
    ],
)
def test_format_and_frames_are_what_the_start_says(name: str, audio: AudioFormat, frame_bytes: int) -> None:
    for message in (
        start(format=name, optimal_frame_size=frame_bytes),
        start(format=name, optimal_frame_size=None),
        f"MEDIA_START channel_id:1 format:{name} optimal_frame_size:{frame_bytes} ptime:20",
    ):
        adapter = AsteriskAdapter()
        [started] = adapter.parse(message)
        assert isinstance(started, StreamStarted)
        assert (started.format, adapter.frame_rule) == (audio, FrameRule(frame_bytes, frame_bytes, 65500))


def test_a_frame_need_not_be_20_ms() -> None:
    adapter = AsteriskAdapter()
    adapter.parse(start(format="slin", optimal_frame_size=480, ptime=30))
    assert adapter.encode_audio(bytes(960)) == bytes(960)
    with pytest.raises(
        LocalProtocolError, match="expected a multiple of 480 bytes, at least 480, at most 65500, got 320"
    ):
        adapter.encode_audio(bytes(320))


@pytest.mark.parametrize(("channel_id", "call_id"), [("7-media", "7"), ("7", "7"), ("7-media-2", "7-media-2")])
def test_a_media_channel_that_is_named_so_belongs_to_the_phones(channel_id: str, call_id: str) -> None:
    [started] = AsteriskAdapter().parse(start(channel_id=channel_id))
    assert isinstance(started, StreamStarted)
    assert (started.stream_id, started.call_id) == (channel_id, call_id)


# --- The two forms ---


def test_the_first_message_says_which_form_it_is() -> None:
    for first, expected in ((start(), STARTED), (PLAIN_START, PLAIN_STARTED)):
        adapter = AsteriskAdapter()
        assert adapter.parse(first) == [expected]


def test_a_start_that_is_refused_says_nothing_of_the_form() -> None:
    adapter = AsteriskAdapter()
    with pytest.raises(RemoteProtocolError):
        adapter.parse("MEDIA_START channel_id:1 format:opus")
    assert adapter.parse(start()) == [STARTED]
    assert adapter.encode_mark("m1").startswith(b"{")


def test_json_in_a_stream_of_text_is_refused() -> None:
    with pytest.raises(
        RemoteProtocolError, match=r"^asterisk message: expected an event's name first, in capitals, got"
    ):
        PLAIN.opened().parse('{"event":"MEDIA_XOFF"}')


@both_forms
def test_commands_have_the_form_of_the_start(case: Case) -> None:
    adapter = case.opened()
    sent = [adapter.encode_mark("m 1"), *adapter.encode_clear()]
    if case is PLAIN:
        assert sent == [b"MARK_MEDIA m 1", b"FLUSH_MEDIA", b"CONTINUE_MEDIA"]
    else:
        json = b'{"command":"MARK_MEDIA","correlation_id":"m 1"}'
        assert sent == [json, b'{"command":"FLUSH_MEDIA"}', b'{"command":"CONTINUE_MEDIA"}']


# --- Commands, pauses, faults ---


@both_forms
def test_the_longest_name_fits_into_a_command(case: Case) -> None:
    assert len(case.opened().encode_mark("x" * MARK_NAME_MAX_CHARS)) <= COMMAND_MAX_BYTES


def test_a_command_that_asterisk_would_not_read_is_not_sent() -> None:
    name = '"' * MARK_NAME_MAX_CHARS
    with pytest.raises(LocalProtocolError, match=r"^asterisk command: expected at most 128 bytes, got 172 bytes$"):
        JSON.opened().encode_mark(name)
    assert PLAIN.opened().encode_mark(name) == b"MARK_MEDIA " + name.encode()


@both_forms
def test_a_full_queue_pauses_and_goes_on(case: Case) -> None:
    """Whoever sends holds back; the stream stays open."""
    adapter = case.opened()
    flow = [event for events in case.said for event in events if isinstance(event, FlowChanged)]
    assert flow == [FlowChanged(paused=True), FlowChanged(paused=False)]
    [xoff, xon] = case.of(FlowChanged)
    assert adapter.parse(xoff.data) == [FlowChanged(paused=True)]
    assert adapter.encode_clear()
    assert adapter.parse(xon.data) == [FlowChanged(paused=False)]


def test_a_long_fault_is_cut() -> None:
    assert PLAIN.opened().parse("ERROR error_text:" + "x" * 300) == [CarrierFault("x" * 200)]
