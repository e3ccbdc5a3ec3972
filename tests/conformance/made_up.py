"""Two carriers that do not exist: the one that docs/adding-a-carrier.md adds, and one whose audio is binary."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from relay.conformance import Case, Clear, ControlCase, Mark, Play, read_session
from relay.errors import RemoteProtocolError
from relay.media.format import AudioFormat
from relay.providers.base import (
    AudioReceived,
    Capabilities,
    Event,
    FrameRule,
    MarkReached,
    StreamStarted,
    StreamStopped,
)
from relay.providers.binary_audio import BinaryAudio
from relay.providers.fields import Fields, read_message
from relay.providers.json_stream import JsonStream, Opening
from relay.providers.plivo_control import PlivoControl
from relay.providers.stream import check_mark_name
from tests.providers.samples import base64

PAGE = Path(__file__).parents[2] / "docs/adding-a-carrier.md"


def _of_the_page() -> dict[str, Any]:
    """Without running the checks."""
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    for example in examples:
        code = re.sub(r"\nfor check in \w+:\n.*", "", example)
        exec(compile(code, PAGE.name, "exec"), names)  # noqa: S102  # our own page
    return names


_NAMES = _of_the_page()
ACME: Case = _NAMES["ACME"]
ACME_CONTROL: ControlCase = _NAMES["ACME_CONTROL"]

if TYPE_CHECKING:

    class AcmeAdapter(JsonStream):
        """As the page has it."""

        def open_stream(self, fields: Fields) -> Opening: ...

    class AcmeControl(PlivoControl):
        """As the page has it; to mypy, some control whose methods are not abstract."""

        def __init__(self, *, api_key: str, secret: str) -> None: ...

else:
    AcmeAdapter, AcmeControl = _NAMES["AcmeAdapter"], _NAMES["AcmeControl"]


class BinaryAcmeAdapter(BinaryAudio):
    """L16 at 16 kHz in binary messages. It says its end, which few do, and pings."""

    name = "binary-acme"
    first = "'hello'"
    capabilities = Capabilities(
        audio="binary",
        marks=True,
        clear=True,
        marks_after_clear="unknown",
        dtmf_received=False,
        dtmf_sent="no",
        ordered=True,
        frames_to_carrier=FrameRule(multiple_bytes=640, min_bytes=640, max_bytes=640),
        close_ends_call=True,
    )

    def parse(self, message: bytes | str) -> list[Event]:
        fields = read_message(self.name, message)
        event = fields.text("event")
        if self._order.over:
            return []
        if event == "hello":
            started = StreamStarted(fields.text("id"), fields.text("call"), AudioFormat("l16le", 16000))
            return self._start(started, self.capabilities.frames_to_carrier)
        if event not in ("played", "bye"):
            return []
        self._order.started_id(event)
        return [MarkReached(fields.text("name"))] if event == "played" else self._order.stop()

    def payload_of(self, message: bytes) -> bytes:
        return b"" if self._order.over else super().payload_of(message)

    def encode_mark(self, name: str) -> bytes:
        self._order.open_id()
        check_mark_name(self.name, name)
        return orjson.dumps({"do": "mark", "name": name})

    def encode_clear(self) -> Sequence[bytes]:
        self._order.open_id()
        return b'{"do":"flush"}', b'{"do":"go on"}'


_SILENCE = bytes(640)
_MESSAGES: list[tuple[str, Any]] = [
    ("in", {"event": "hello", "id": "s-1", "call": "c-1"}),
    *[("in", _SILENCE)] * 3,
    ("out", _SILENCE),
    ("out", {"do": "mark", "name": "m1"}),
    ("in", {"event": "ping"}),
    ("in", {"event": "played", "name": "m1"}),
    ("out", {"do": "flush"}),
    ("out", {"do": "go on"}),
    ("in", {"event": "bye"}),
]


def _written(way: str, data: Any) -> dict[str, Any]:
    if isinstance(data, bytes):
        return {"dir": way, "type": "binary", "data": base64(data)}
    return {"dir": way, "type": "text", "data": data}


BINARY_ACME = Case(
    new_adapter=BinaryAcmeAdapter,
    session=read_session(json.dumps([_written(*each) for each in _MESSAGES])),
    steps=[
        [StreamStarted("s-1", "c-1", AudioFormat("l16le", 16000))],
        [AudioReceived(_SILENCE)],
        [AudioReceived(_SILENCE)],
        [AudioReceived(_SILENCE)],
        Play(_SILENCE),
        Mark("m1"),
        [],
        [MarkReached("m1")],
        Clear(),
        [StreamStopped()],
    ],
)


def refusal(adapter: str) -> RemoteProtocolError:
    """Some error."""
    return RemoteProtocolError(adapter, "message", expected="another", got="this")
