"""Telnyx: its frames, its byte order, and its errors. What it may say oddly is in test_json_stream.py."""

import pytest

from relay._codec import Decoder
from relay.conformance.mutations import compact
from relay.errors import LocalProtocolError, RemoteProtocolError
from relay.providers.base import FrameRule
from relay.providers.telnyx import TelnyxAdapter
from tests.providers.samples import base64
from tests.providers.telnyx_cases import FAULT, TELNYX, with_format, with_media


@pytest.mark.parametrize(
    ("encoding", "rate_hz", "rule"),
    [("PCMU", 8000, (1, 160, 240_000)), ("PCMA", 8000, (1, 160, 240_000)), ("L16", 16000, (2, 640, 960_000))],
)
def test_a_message_has_20_ms_to_30_s(encoding: str, rate_hz: int, rule: tuple[int, int, int]) -> None:
    adapter = TelnyxAdapter()
    adapter.parse(with_format(encoding=encoding, sample_rate=rate_hz))
    assert adapter.frame_rule == FrameRule(*rule)
    with pytest.raises(LocalProtocolError, match=r"^telnyx payload: expected a multiple"):
        adapter.encode_audio(bytes(rule[1] - rule[0]))


def test_l16_is_big_endian() -> None:
    adapter = TelnyxAdapter()
    adapter.parse(with_format(encoding="L16", sample_rate=16000))
    assert adapter.media_in is not None
    pcm = Decoder("l16be", 16000, 16000).push_message(with_media(payload=base64(b"\x01\x02")), adapter.media_in)
    assert pcm == b"\x02\x01"


def test_a_fault_quotes_nothing_of_what_went_wrong() -> None:
    """What its detail may hold is not documented."""
    fault = compact({**FAULT, "payload": {"title": "invalid_media", "detail": "+14155550123"}})
    assert "4155550123" not in str(TELNYX.opened().parse(fault))


def test_a_fault_is_the_streams_own() -> None:
    with pytest.raises(RemoteProtocolError, match=r"^telnyx event: expected 'start' first, got 'error'$"):
        TelnyxAdapter().parse(compact(FAULT))
    assert TELNYX.closed().parse(compact(FAULT)) == []
