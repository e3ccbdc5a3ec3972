"""Vonage: its formats, and what is sent to it. What it may say oddly is in test_binary_audio.py."""

import pytest

from relay.errors import LocalProtocolError
from relay.media.format import AudioFormat
from relay.providers.base import StreamStarted
from relay.providers.vonage import VonageAdapter
from tests.providers.vonage_cases import VONAGE, start


@pytest.mark.parametrize(("rate_hz", "frame_bytes"), [(8000, 320), (16000, 640), (24000, 960)])
def test_a_message_is_one_frame_of_the_streams_rate(rate_hz: int, frame_bytes: int) -> None:
    """With another size Vonage closes the socket."""
    adapter = VonageAdapter()
    [started] = adapter.parse(start(content_type=f"audio/l16;rate={rate_hz}"))
    assert isinstance(started, StreamStarted)
    assert started.format == AudioFormat("l16le", rate_hz)
    assert adapter.encode_audio(bytes(frame_bytes)) == bytes(frame_bytes)
    for size in (0, frame_bytes - 2, frame_bytes + 2, frame_bytes * 2):
        with pytest.raises(LocalProtocolError, match=f"expected exactly {frame_bytes} bytes, got {size} bytes$"):
            adapter.encode_audio(bytes(size))


def test_a_mark_and_a_clear() -> None:
    adapter = VONAGE.opened()
    assert adapter.encode_mark('"}') == b'{"action":"notify","payload":{"name":"\\"}"}}'
    assert list(adapter.encode_clear()) == [b'{"action":"clear"}']


def test_the_headers_of_the_answer_cannot_be_changed() -> None:
    [started] = VONAGE.said[0]
    assert isinstance(started, StreamStarted)
    with pytest.raises(TypeError, match="does not support item assignment"):
        VonageAdapter().parse(start())[0].custom["leg"] = "another"  # type: ignore[union-attr,index]  # the promise
