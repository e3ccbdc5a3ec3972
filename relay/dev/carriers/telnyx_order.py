"""What a dial of Telnyx's says of the stream, of detection and of the client's own state."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from relay.dev.carrier_document import Encoding, Stream
from relay.dev.carrier_order import DETECTION_S
from relay.dev.carrier_rest import Asked
from relay.dev.carriers.dial_fields import DialFields

TOKEN_HEADER: Final = "x-telnyx-streaming-auth-token"  # noqa: S105 -- the name of a header
TOKEN_MAX: Final = 4000

_CODECS: Final[Mapping[tuple[str, int], Encoding]] = {
    ("PCMU", 8000): "pcmu",
    ("PCMA", 8000): "pcma",
    ("L16", 8000): "l16be",
    ("L16", 16000): "l16be",
}


def stream_of(fields: DialFields, client_state: str) -> Stream | None:
    """
    The stream that a dial asks for; None: none.

    Raises:
        OrderRefused: it is none that can be opened.
    """
    url = fields.text("stream_url")
    if not url:
        return None
    if urlsplit(url).scheme not in {"ws", "wss"}:
        raise fields.invalid("stream_url: expected wss://, got another")
    if fields.text("stream_bidirectional_mode", "mp3") != "rtp":
        fields.violations.append("stream_bidirectional_mode: expected rtp, got none: all is taken for MP3")
    fields.expect("stream_track", ("inbound_track",), "inbound_track")
    fields.expect("stream_bidirectional_target_legs", ("self",), "")
    codec = fields.text("stream_bidirectional_codec", "PCMU")
    rate_hz = fields.seconds("stream_bidirectional_sampling_rate", 8000, most_s=48000)
    if fields.text("stream_codec", "default") != codec:
        # What the agent says comes in the codec of the phone network then, whatever that is.
        fields.violations.append(f"stream_codec: expected {codec} as well, got another or none")
    if (codec, rate_hz) not in _CODECS:
        raise fields.invalid(f"stream_bidirectional_codec: expected one that is simulated, got {codec} at {rate_hz}")
    token = fields.text("stream_auth_token")
    if len(token) > TOKEN_MAX:
        raise fields.invalid(f"stream_auth_token: expected at most {TOKEN_MAX} characters, got {len(token)}")
    return Stream(
        url,
        headers=MappingProxyType({TOKEN_HEADER: token} if token else {}),
        encoding=_CODECS[codec, rate_hz],
        rate_hz=rate_hz,
        options=MappingProxyType({"client_state": client_state}),
    )


def detection_s(asked: Asked) -> float:
    """How long detection may take."""
    match asked.json.get("answering_machine_detection_config"):
        case {"total_analysis_time_millis": int(total_ms)}:
            return total_ms / 1000
    return DETECTION_S


def is_base64(text: str) -> bool:
    """Whether it is base64, or empty."""
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return True
