"""
Server-sent events from bytes, however they were cut.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation. ``retry`` is not
read: when to come back is the client's matter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from relay.client.errors import UnexpectedAnswer

_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_PENDING_MAX_BYTES: Final = 256 * 1024  # a transfer's event has less than 1 KB


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event; ``event_id`` is the last one seen, as the standard has it."""

    event_id: str
    name: str
    data: str


class EventStreamParser:
    """Bytes in, events out."""

    def __init__(self) -> None:
        self._pending = b""
        self._after_cr = False
        self._event_id = ""
        self._name = ""
        self._data: list[str] = []
        self._data_bytes = 0

    def push(self, chunk: bytes) -> list[ServerSentEvent]:
        """
        The events that ``chunk`` completes.

        Raises:
            UnexpectedAnswer: an event has no end.
        """
        if self._after_cr and chunk.startswith(b"\n"):  # the second half of a line end that was cut
            self._after_cr, chunk = False, chunk[1:]
        if chunk:
            self._after_cr = chunk.endswith(b"\r")
        *lines, self._pending = _LINE_END.split(self._pending + chunk)
        events = [event for line in lines if (event := self._line(line))]
        if (size_bytes := len(self._pending) + self._data_bytes) > _PENDING_MAX_BYTES:
            raise UnexpectedAnswer(
                "event", expected=f"at most {_PENDING_MAX_BYTES} bytes", got=f"{size_bytes}, unended"
            )
        return events

    def _line(self, line: bytes) -> ServerSentEvent | None:
        if not line:
            return self._event()
        field, _, raw = line.partition(b":")
        value = raw.removeprefix(b" ").decode(errors="replace")
        if field == b"data":
            self._data.append(value)
            self._data_bytes += len(raw)
        elif field == b"event":
            self._name = value
        elif field == b"id" and "\0" not in value:
            self._event_id = value
        return None  # a comment has an empty field

    def _event(self) -> ServerSentEvent | None:
        name, data = self._name or "message", self._data
        self._name, self._data, self._data_bytes = "", [], 0
        return ServerSentEvent(self._event_id, name, "\n".join(data)) if data else None
