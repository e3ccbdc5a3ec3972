"""Plivo: what is sent to it in each format, and its templates. What it may say oddly is in test_json_stream.py."""

import pytest

from relay._codec import Decoder
from relay.conformance.mutations import compact
from relay.errors import LocalProtocolError
from relay.media.format import AudioFormat
from relay.providers.base import StreamStarted
from relay.providers.plivo import PlivoAdapter
from tests.providers.plivo_cases import PLIVO, with_format, with_headers


@pytest.mark.parametrize(
    ("encoding", "rate_hz", "sent"),
    [
        ("audio/x-mulaw", 8000, b'"media":{"contentType":"audio/x-mulaw","sampleRate":8000,"payload":"AAA="}'),
        ("audio/x-l16", 16000, b'"media":{"contentType":"audio/x-l16","sampleRate":16000,"payload":"AAA="}'),
    ],
)
def test_audio_says_the_streams_format(encoding: str, rate_hz: int, sent: bytes) -> None:
    """Another is not heard, and Plivo does not say so."""
    adapter = PlivoAdapter()
    adapter.parse(with_format(encoding=encoding, sampleRate=rate_hz))
    assert adapter.encode_audio(bytes(2)) == b'{"event":"playAudio",' + sent + b"}"


def test_half_a_sample_is_not_sent() -> None:
    adapter = PlivoAdapter()
    [started] = adapter.parse(with_format(encoding="audio/x-l16", sampleRate=8000))
    assert isinstance(started, StreamStarted)
    assert started.format == AudioFormat("l16le", 8000)
    with pytest.raises(LocalProtocolError, match=r"payload: expected a multiple of 2 bytes, at least 2, got 3 bytes$"):
        adapter.encode_audio(bytes(3))


@pytest.mark.parametrize("headers", ["", "token", "=", ";;", "{}", None])
def test_headers_that_hold_nothing_are_no_parameters(headers: str | None) -> None:
    [started] = PlivoAdapter().parse(with_headers(headers))
    assert isinstance(started, StreamStarted)
    assert dict(started.custom) == {}


def test_custom_parameters_cannot_be_changed() -> None:
    [started] = PlivoAdapter().parse(with_headers({"a": "b"}))
    assert isinstance(started, StreamStarted)
    with pytest.raises(TypeError, match="does not support item assignment"):
        started.custom["a"] = "c"  # type: ignore[index]  # read-only is the promise


@pytest.mark.parametrize("headers", ["leg=agent7;token=t0k3n", {"leg": "agent7"}, None])
def test_the_template_has_the_headers_of_the_start(headers: object) -> None:
    adapter = PlivoAdapter()
    adapter.parse(with_headers(headers))
    message = PLIVO.received[1].value
    decoder = Decoder("pcmu", 8000, 8000)
    assert adapter.media_in is not None
    assert decoder.push_message(compact({**message, "extra_headers": headers}), adapter.media_in) is not None
    assert decoder.push_message(compact({**message, "extra_headers": "other"}), adapter.media_in) is None
