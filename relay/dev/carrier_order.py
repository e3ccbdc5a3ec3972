"""A request to the simulated carrier to place a call: refused, or an order; and the form of it as Twilio reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from relay.dev.carrier_document import Stream

E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
EVENTS: Final = ("initiated", "ringing", "answered", "completed")
RING_S: Final = 60
RING_MAX_S: Final = 600
TIME_LIMIT_S: Final = 14400
DETECTION_S: Final = 30

_ONCE: Final = {
    "To",
    "From",
    "Url",
    "Method",
    "StatusCallback",
    "StatusCallbackMethod",
    "Timeout",
    "TimeLimit",
    "MachineDetection",
    "MachineDetectionTimeout",
    "MachineDetectionSpeechThreshold",
    "MachineDetectionSpeechEndThreshold",
    "MachineDetectionSilenceTimeout",
    "AsyncAmd",
    "AsyncAmdStatusCallback",
    "AsyncAmdStatusCallbackMethod",
}
_POST_ONLY: Final = ("Method", "StatusCallbackMethod", "AsyncAmdStatusCallbackMethod")


class OrderRefused(Exception):
    """
    The request is not an order.

    Args:
        code: the carrier's own.
        message: what was expected, and what came.
        status: HTTP's.
    """

    def __init__(self, code: int, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """
    A call to place.

    Args:
        status_url: where callbacks go; empty: nowhere.
        events: those that are wanted.
        detection_url: where the result of answering-machine detection goes; empty: nowhere.
        detection_timeout_s: after so long that result is "unknown".
        violations: what the carrier ignores, or would do and the simulated one does not.
        event_urls: where the callback of one event goes, if that has a URL of its own.
        stream: what is opened when somebody answers, where the dial says so; there is no document then.
        callback_type: of callbacks, where the dial may choose.
        call_id: that the relay has chosen; empty: the carrier does.
        tags: what the relay wants to be told again in each callback, by the carrier's own names.
    """

    to: str = field(repr=False)
    from_number: str = field(repr=False)
    answer_url: str
    status_url: str = ""
    events: frozenset[str] = frozenset({"completed"})
    detection_url: str = ""
    detection_timeout_s: float = DETECTION_S
    ring_timeout_s: int = RING_S
    time_limit_s: int = TIME_LIMIT_S
    violations: tuple[str, ...] = ()
    event_urls: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    stream: Stream | None = None
    callback_type: str = ""
    call_id: str = ""
    tags: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def url_of(self, event: str) -> str:
        """Where the callback of an event goes; empty: nobody wants it."""
        return self.event_urls.get(event) or (self.status_url if event in self.events else "")


def order_of(form: Sequence[tuple[str, str]]) -> Order:
    """
    What a form asks for.

    Raises:
        OrderRefused: Twilio would answer 400.
    """
    fields = dict(form)
    to = _number(fields, "To", missing=21201, invalid=21211)
    from_number = _number(fields, "From", missing=21213, invalid=21212)
    if not re.match(r"https?://", fields.get("Url", "")):
        raise OrderRefused(21205, f"Url: expected an http:// or https:// URL, got {fields.get('Url')!r}")
    events = frozenset(value for name, value in form if name == "StatusCallbackEvent")
    return Order(
        to=to,
        from_number=from_number,
        answer_url=fields["Url"],
        status_url=fields.get("StatusCallback", ""),
        events=events or frozenset({"completed"}),
        detection_url=fields.get("AsyncAmdStatusCallback", "") if "MachineDetection" in fields else "",
        detection_timeout_s=_seconds(fields, "MachineDetectionTimeout", DETECTION_S),
        ring_timeout_s=min(_seconds(fields, "Timeout", RING_S), RING_MAX_S),
        time_limit_s=_seconds(fields, "TimeLimit", TIME_LIMIT_S),
        violations=tuple(_violations(form, fields)),
    )


def _number(fields: dict[str, str], name: str, *, missing: int, invalid: int) -> str:
    if name not in fields:
        raise OrderRefused(missing, f"{name}: expected a phone number, got none")
    if not E164.fullmatch(fields[name]):
        raise OrderRefused(invalid, f"{name}: expected E.164, got {fields[name]!r}")
    return fields[name]


def _seconds(fields: dict[str, str], name: str, default_s: int) -> int:
    value = fields.get(name, str(default_s))
    if not (value.isascii() and value.isdecimal()):
        raise OrderRefused(20001, f"{name}: expected whole seconds, got {value!r}")
    return int(value)


def _violations(form: Sequence[tuple[str, str]], fields: dict[str, str]) -> list[str]:
    names = [name for name, _ in form]
    found = [
        f"{name}: expected parameters of placing a call, got one that is unknown or not simulated"
        for name in sorted(set(names) - _ONCE - {"StatusCallbackEvent"})
    ]
    found += [f"{name}: expected once, got {names.count(name)}" for name in sorted(_ONCE) if names.count(name) > 1]
    found += [
        f"{name}: expected POST, got {fields[name]!r}: not simulated"
        for name in _POST_ONLY
        if fields.get(name, "POST") != "POST"
    ]
    found += [
        f"StatusCallbackEvent: expected one of {', '.join(EVENTS)}, got {value!r}"
        for name, value in form
        if name == "StatusCallbackEvent" and value not in EVENTS
    ]
    if "MachineDetection" in fields and fields.get("AsyncAmd") != "true":
        found.append(f"AsyncAmd: expected true with MachineDetection, got {fields.get('AsyncAmd')!r}: not simulated")
    return found
