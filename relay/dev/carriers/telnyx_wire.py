"""Telnyx's media streaming as it speaks it, from developers.telnyx.com (media streaming over WebSockets)."""

from __future__ import annotations

import base64
import uuid
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from relay.dev.carrier_document import Encoding
from relay.dev.carriers.audio_wire import AudioWire, object_of, unexpected
from relay.dev.phone_playout import FRAME_MS
from relay.dev.phone_wire import Call, Clear, Command, Mark, Play, ProtocolViolation

CODECS: Final = {"pcmu": "PCMU", "pcma": "PCMA", "l16be": "L16"}
MESSAGE_MAX_MS: Final = 30_000
TOKEN_FIELD: Final = "x-telnyx-streaming-auth-token"  # noqa: S105 -- the name of a field


class TelnyxWire(AudioWire):
    """One stream: numbers are strings, ``stream_id`` is at the top, and all marks are returned."""

    title = "Telnyx media streaming"
    marks_survive_clear = True
    swaps_every = 200  # Telnyx says that messages may come out of order, and not how often they do

    def __init__(
        self,
        call: Call,
        encoding: Encoding = "pcmu",
        rate_hz: int = 8000,
        *,
        token: str = "",
        client_state: str = "",
        stream_id: str = "",
        session_id: str = "",
        user_id: str = "",
    ) -> None:
        super().__init__(call, encoding, rate_hz)
        self.stream_id = stream_id or str(uuid.uuid4()).upper()
        self._session_id = session_id or str(uuid.uuid4())
        self._user_id = user_id or str(uuid.uuid4())
        self._token = token
        self._client_state = client_state
        self._sequence = 0
        self._chunk = 0

    def connected(self) -> bytes:
        """The first message, with the token again if there is one."""
        connected: dict[str, Any] = {"event": "connected", "version": "1.0.0"}
        if self._token:
            connected["connected"] = {TOKEN_FIELD: self._token}
        return orjson.dumps(connected)

    def start(self) -> bytes:
        """The second message."""
        start = {
            "user_id": self._user_id,
            "call_control_id": self.call.call_sid,
            "call_session_id": self._session_id,
            "from": self.call.from_number,
            "to": self.call.to,
            "tags": [],
            "client_state": self._client_state,
            "custom_parameters": dict(self.call.custom_parameters),
            "media_format": {"encoding": CODECS[self.encoding], "sample_rate": self.rate_hz, "channels": 1},
        }
        return self._message("start", {"start": start})

    def media(self, pcm: bytes, *, stream_sid: str | None = None) -> bytes:
        """20 ms."""
        self._chunk += 1
        media = {
            "track": "inbound",
            "chunk": str(self._chunk),
            "timestamp": str(self._chunk * FRAME_MS),
            "payload": base64.b64encode(self.encoded(pcm)).decode("ascii"),
        }
        return self._message("media", {"media": media}, stream_id=stream_sid)

    def dtmf(self, digit: str) -> bytes:
        """A key."""
        occurred_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return self._message("dtmf", {"occurred_at": occurred_at, "dtmf": {"digit": digit}})

    def mark(self, name: str) -> bytes:
        """A mark was reached, or cleared."""
        return self._message("mark", {"mark": {"name": name}})

    def stop(self) -> bytes:
        """The last message."""
        return self._message("stop", {"stop": {"user_id": self._user_id, "call_control_id": self.call.call_sid}})

    def fault(self, what: str) -> bytes:
        """A message that was not taken."""
        payload = {"code": 100003, "title": "malformed_frame", "detail": what}
        return orjson.dumps({"event": "error", "payload": payload, "stream_id": self.stream_id})

    def _message(self, event: str, content: dict[str, Any], *, stream_id: str | None = None) -> bytes:
        self._sequence += 1
        head = {"event": event, "sequence_number": str(self._sequence)}
        return orjson.dumps({**head, **content, "stream_id": stream_id or self.stream_id})

    def read(self, message: str | bytes) -> Command:
        """What the relay asks for; raises as ``PhoneWire`` says."""
        content = object_of(message)
        match content:
            case {"event": "media", "media": {"payload": str(payload)}}:
                return Play(self._heard(payload))
            case {"event": "mark", "mark": {"name": str(name)}}:
                return Mark(name)
            case {"event": "clear"}:
                return Clear()
        raise unexpected(content, "media with a payload, mark with a name or clear")

    def _heard(self, payload: str) -> bytes:
        pcm = self.decoded(payload, what="media.payload")
        duration_ms = (len(payload) // 4 * 3 - payload.count("=")) / self.frame_bytes * FRAME_MS
        if not FRAME_MS <= duration_ms <= MESSAGE_MAX_MS:
            raise ProtocolViolation(f"media.payload: expected 20 ms to 30 s, got {duration_ms:.0f} ms")
        return pcm
