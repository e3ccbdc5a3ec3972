"""SignalWire: what differs from Twilio. What it may say oddly is in test_json_stream.py."""

import pytest

from relay._codec import Decoder
from relay.conformance.mutations import compact
from relay.errors import LocalProtocolError
from relay.providers.base import FrameRule
from relay.providers.signalwire import SignalWireAdapter
from tests.providers.signalwire_cases import MEDIA, SIGNALWIRE, STREAM_ID, with_format


@pytest.mark.parametrize(
    ("encoding", "rate_hz", "frame_bytes"),
    [
        ("audio/x-mulaw", 8000, 160),
        ("audio/x-L16", 8000, 320),
        ("audio/x-L16", 16000, 640),
        ("audio/x-L16", 24000, 960),
    ],
)
def test_a_message_has_whole_20_ms(encoding: str, rate_hz: int, frame_bytes: int) -> None:
    adapter = SignalWireAdapter()
    adapter.parse(with_format(encoding=encoding, sampleRate=rate_hz))
    assert adapter.frame_rule == FrameRule(frame_bytes, frame_bytes)
    with pytest.raises(LocalProtocolError, match=f"at least {frame_bytes}, got {frame_bytes // 2} bytes$"):
        adapter.encode_audio(bytes(frame_bytes // 2))


def test_what_is_sent_has_the_id_that_only_the_start_has() -> None:
    assert SIGNALWIRE.opened().encode_mark("m1") == (
        b'{"event":"mark","streamSid":"' + STREAM_ID.encode() + b'","mark":{"name":"m1"}}'
    )


def test_both_ways_take_audio_with_any_id() -> None:
    """The native path has none to compare."""
    message = compact({**MEDIA, "streamSid": "another"})
    adapter = SIGNALWIRE.opened()
    assert adapter.media_in is not None
    assert Decoder("pcmu", 8000, 8000).push_message(message, adapter.media_in) is not None
    assert len(adapter.parse(message)) == 1
