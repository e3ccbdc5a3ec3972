"""Where one carrier's stream stands: not started, open, over; and what may come or be sent then."""

from __future__ import annotations

from typing import Final, Literal

from relay.errors import LocalProtocolError, RemoteProtocolError
from relay.providers.base import Capabilities, Event, StreamStarted, StreamStopped
from relay.providers.fields import shown

MARK_NAME_MAX_CHARS: Final = 64
"""Ours, as no carrier documents one: a mark's name travels twice and is logged."""
DIGITS_MAX: Final = 32
"""Keys and pauses at a time; some carriers take more."""
PHONE_KEYS: Final = "0123456789*#"
ALL_KEYS: Final = f"{PHONE_KEYS}ABCD"
PAUSES: Final = "wW"
"""As most carriers write them: 0.5 s and 1 s."""


class StreamOrder:
    """
    The order of one stream's messages, the same with every carrier: one start, one stop, nothing after it.

    Carriers repeat themselves and talk on after the end: what is no news is an empty list, not an error.

    Args:
        carrier: the adapter's name.
        first: what the carrier calls its start, for errors.
    """

    def __init__(self, carrier: str, *, first: str = "'start'") -> None:
        self._carrier = carrier
        self._first = first
        self._stream_id: str | None = None
        self._over = False

    @property
    def over(self) -> bool:
        """The stream has stopped: whatever the carrier still says is no news."""
        return self._over

    @property
    def has_started(self) -> bool:
        """A stream has started; it may be over."""
        return self._stream_id is not None

    def start(self, started: StreamStarted) -> list[Event]:
        """
        Open the stream; again is no news.

        Raises:
            RemoteProtocolError: another stream has been started before.
        """
        if self._stream_id is None:
            self._stream_id = started.stream_id
            return [started]
        if started.stream_id != self._stream_id:
            expected, got = f"stream {shown(self._stream_id)} again", f"stream {shown(started.stream_id)}"
            raise RemoteProtocolError(self._carrier, "start", expected=expected, got=got)
        return []

    def stop(self, reason: str = "") -> list[Event]:
        """End the stream."""
        self._over = True
        return [StreamStopped(reason)]

    def started_id(self, event: str) -> str:
        """
        The id of the stream, which ``event`` must be of.

        Raises:
            RemoteProtocolError: no stream has started.
        """
        if self._stream_id is None:
            raise RemoteProtocolError(self._carrier, "event", expected=f"{self._first} first", got=shown(event))
        return self._stream_id

    def no_binary(self, message: bytes) -> bytes:
        """
        Nothing, of a binary message that comes when all is over.

        Raises:
            RemoteProtocolError: before that, of a carrier that sends none.
        """
        if self._over:
            return b""
        raise RemoteProtocolError(self._carrier, "message", expected="text", got=f"{len(message)} bytes of binary")

    def open_id(self) -> str:
        """
        The id of the stream, to send to it.

        Raises:
            LocalProtocolError: it has not started, or is over.
        """
        if self._stream_id is None or self._over:
            got = "one that is over" if self._over else "one that has not started"
            raise LocalProtocolError(self._carrier, "stream", expected="an open one", got=got)
        return self._stream_id


def check_mark_name(carrier: str, name: str) -> None:
    """
    Let through what every carrier gives back as it was.

    Raises:
        LocalProtocolError: ``name`` is empty, over ``MARK_NAME_MAX_CHARS``, or not printable ASCII.
    """
    if not 0 < len(name) <= MARK_NAME_MAX_CHARS or not (name.isascii() and name.isprintable()):
        expected = f"1 to {MARK_NAME_MAX_CHARS} printable ASCII characters"
        raise LocalProtocolError(carrier, "mark name", expected=expected, got=shown(name))


def check_digits(carrier: str, digits: str, can: Capabilities, *, over: Literal["stream", "rest"]) -> None:
    """
    Let through keys that the carrier sends to its phone in this way.

    Raises:
        LocalProtocolError: it does not, or not these, or there are none or over ``DIGITS_MAX``. They are not shown.
    """
    if can.dtmf_sent != over:
        expected, got = f"a carrier that is sent them over its {over}", f"one with {can.dtmf_sent!r}"
        raise LocalProtocolError(carrier, "digits", expected=expected, got=got)
    others = sum(each not in can.dtmf_keys for each in digits)
    if others or not 1 <= len(digits) <= DIGITS_MAX:
        got = f"{len(digits)} characters" + (f", of which {others} others" if others else "")
        raise LocalProtocolError(carrier, "digits", expected=f"1 to {DIGITS_MAX} of {can.dtmf_keys}", got=got)
