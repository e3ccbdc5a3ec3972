"""jambonz's stream (listen) verb with streaming bidirectional audio (docs.jambonz.org; jambonz/freeswitch-modules)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import orjson

from relay._codec import RATES_HZ
from relay.errors import LocalProtocolError
from relay.media.format import AudioFormat
from relay.providers.base import Capabilities, DtmfReceived, Event, FrameRule, MarkReached, StreamStarted
from relay.providers.binary_audio import BinaryAudio
from relay.providers.fields import Fields, read_message
from relay.providers.stream import ALL_KEYS, check_mark_name

MARKS_OUT_MAX: Final = 30
"""jambonz drops a mark that comes when so many have not been reached."""

_FORMATS: Final = {str(rate_hz): AudioFormat("l16le", rate_hz) for rate_hz in RATES_HZ}
_WHOLE_SAMPLES: Final = FrameRule(multiple_bytes=2, min_bytes=2)
_DTMF_SAMPLES_PER_MS: Final = 8
_MARKER: Final = b"\xff\xff"

# What jambonz says of the call in the first message; all else is the verb's own metadata.
_CALL_INFO: Final = (
    *("sampleRate", "mixType", "callSid", "parentCallSid", "direction", "from", "to", "callId", "sbcCallid"),
    *("sipStatus", "sipReason", "callStatus", "callerId", "callerName", "accountSid", "traceId", "applicationSid"),
    *("fsSipAddress", "originatingSipIp", "originatingSipTrunkName", "apiBaseUrl", "publicIp", "customerData"),
)


class JambonzAdapter(BinaryAudio):
    """One jambonz stream, as ``MediaAdapter`` promises."""

    name = "jambonz"
    first = "metadata"
    capabilities = Capabilities(
        audio="binary",
        marks=True,
        clear=True,
        marks_after_clear="returned",
        dtmf_received=True,
        dtmf_sent="rest",
        ordered=True,
        frames_to_carrier=_WHOLE_SAMPLES,
        close_ends_call=True,
        subprotocol="audio.drachtio.org",
        dtmf_keys=ALL_KEYS,
    )

    def __init__(self) -> None:
        super().__init__()
        self._marks_out: dict[str, None] = {}  # in the order in which they were sent

    def parse(self, message: bytes | str) -> list[Event]:
        """Read one message: see ``MediaAdapter.parse``."""
        fields = read_message(self.name, message)
        kind = fields.text_or_none("event") or fields.text_or_none("type")
        match kind:
            case None | "":
                return self._metadata(fields)
            case "dtmf":
                self._order.started_id(kind)
                samples = fields.number_or_none("duration")
                return [DtmfReceived(fields.dtmf_digit("dtmf"), samples and samples // _DTMF_SAMPLES_PER_MS)]
            case "mark":
                self._order.started_id(kind)
                return [self._mark(fields.fields("data"))]
        return []  # "playDone" is of a way to play that is not used; others jambonz may add

    def encode_audio(self, payload: bytes) -> bytes:
        """The payload, whole samples, without any that jambonz would take for a mark."""
        return _without_markers(super().encode_audio(payload))

    def encode_mark(self, name: str) -> bytes:
        """The message whose ``name`` jambonz sends back when what came before has been played, or cleared."""
        self._order.open_id()
        check_mark_name(self.name, name)
        if name in self._marks_out:
            raise LocalProtocolError(self.name, "mark name", expected="one that is not out", got=repr(name))
        if len(self._marks_out) == MARKS_OUT_MAX:
            # The oldest may be one that jambonz has lost. It must not keep the stream from marks for good.
            del self._marks_out[next(iter(self._marks_out))]
            return b""
        self._marks_out[name] = None
        return orjson.dumps({"type": "mark", "data": {"name": name}})

    def encode_clear(self) -> Sequence[bytes]:
        """The message that drops what has not been played; open marks come back as cleared, or never."""
        self._order.open_id()
        self._marks_out.clear()
        return (orjson.dumps({"type": "killAudio"}),)

    def _metadata(self, fields: Fields) -> list[Event]:
        call_id = fields.text("callSid")
        audio = fields.one_of("sampleRate", _FORMATS)
        fields.check_text("mixType", "mono", "mixed")
        return self._start(StreamStarted(call_id, call_id, audio, fields.texts_beside(*_CALL_INFO)), _WHOLE_SAMPLES)

    def _mark(self, data: Fields) -> MarkReached:
        name = data.text("name")
        data.check_text("event", "playout", "cleared")
        while name in self._marks_out:  # what was before it has been reached too, or lost
            del self._marks_out[next(iter(self._marks_out))]
        return MarkReached(name)


def _without_markers(payload: bytes) -> bytes:
    """
    The L16 with -2 in place of -1, which is how a mark looks in jambonz's buffer.

    Always, not only while a mark is out: what was sent before the mark may still be in that buffer when it comes.
    """
    if _MARKER not in payload:
        return payload
    samples = all_set = int.from_bytes(payload, "little")
    for shift in (8, 4, 2, 1):  # all samples at once, as a loop takes five times as long: bit 0 of each comes to say
        all_set &= all_set >> shift  # whether all of its 16 are set, and is then taken away from it
    bits_0 = int.from_bytes(b"\x01\x00" * (len(payload) // 2), "little")
    return (samples - (all_set & bits_0)).to_bytes(len(payload), "little")
