"""A simulated phone behind a simulated carrier: one media stream to a relay, as its client over real TCP."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self

from relay.dev.phone_link import Link
from relay.dev.phone_source import Source
from relay.dev.phone_stream import CarrierStream
from relay.dev.phone_websocket import Closed, Network, WebSocket
from relay.dev.phone_wire import Call, PhoneWire, Wire

__all__ = ["Call", "Closed", "HangUp", "Network", "SimulatedPhone"]

TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 2.0


class HangUp(enum.Enum):
    """Ways to end without saying so (``stop``)."""

    RESET = "a TCP RST"
    FIN = "a TCP FIN, without a close frame"
    CLOSE = "a WebSocket close, without stop"
    SILENCE = "the socket stays open and nothing is ever sent again"


class SimulatedPhone(CarrierStream):
    """
    Says ``source`` and hears what the relay sends, both by the carrier's 20 ms clock; use as ``async with``.

    Leaving the block stops the call, unless it has ended, and closes the socket.

    Args:
        url: the relay's media URL, ``ws://``.
        source: what to say; silence when it ends.
        call: the ids and custom parameters of ``start``.
        network: the path to the relay.
        headers: of the upgrade request, for a signature.
        wire: how the carrier speaks; as Twilio does unless given.
        subprotocols: offered in the upgrade, if there are any: the relay must select one then.

    Raises:
        InvalidHandshake, OSError, TimeoutError: on entering; see ``WebSocket.connect``.
    """

    def __init__(
        self,
        url: str,
        source: Source | None = None,
        *,
        call: Call | None = None,
        network: Network | None = None,
        headers: Mapping[str, str] | None = None,
        wire: PhoneWire | None = None,
        subprotocols: Sequence[str] = (),
    ) -> None:
        call = call or Call()
        super().__init__(source, call, network or Network(), wire or Wire(call))
        self.closed: Closed | None = None
        self.stopped = False
        """Whether the call was ended from this side, with ``stop``."""
        self._websocket = WebSocket(
            url, headers=headers or {}, subprotocols=subprotocols, received=self.receive, closed=self._ended
        )

    def __repr__(self) -> str:
        return f"<simulated phone {self.call.call_sid} ({self._wire.title}), {len(self.sent_ns)} frames sent>"

    async def __aenter__(self) -> Self:
        await self._websocket.connect(self.network, timeout_s=TIMEOUT_S)
        self.begin(self._websocket.send_text, self._websocket.send_binary)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._websocket.open and not self._link.mute:
                self.stop()
                await self.until_closed(timeout_s=CLOSE_TIMEOUT_S)
        except TimeoutError:
            pass  # the relay does not end the closing handshake: no carrier waits for ever
        finally:
            self.end_media()
            self._link.close()

    def dtmf(self, digit: str) -> None:
        """Press a key."""
        if message := self._wire.dtmf(digit):
            self._websocket.send_text(message)

    def send_text(self, message: str | bytes) -> None:
        """Send any text message."""
        self._websocket.send_text(message.encode() if isinstance(message, str) else message)

    def start_again(self) -> None:
        """Send a second ``start``."""
        self._websocket.send_text(self._wire.start())

    def stop(self, *, frames_after: int = 0) -> None:
        """End the call: ``stop``, if the carrier has it, so many frames that should not come, the closing handshake."""
        self.end_media()
        self.stopped = True
        if last := self._wire.stop():
            self._websocket.send_text(last)
        for _ in range(frames_after):
            self.send_frame()
        self._websocket.send_close(1000)

    def hang_up(self, how: HangUp) -> None:
        """End in one of the ways networks and carriers do; all but ``CLOSE`` lose what has not gone out."""
        self.end_media()
        match how:
            case HangUp.RESET:
                self._link.reset()
            case HangUp.FIN:
                self._link.end_now()
            case HangUp.CLOSE:
                self._websocket.send_close(1000)
            case HangUp.SILENCE:
                self._link.mute = True

    def stall(self, duration_s: float) -> None:
        """Let nothing pass either way for so long; then comes all that was held back."""
        self._link.stall(round(duration_s * 1e9))

    def pause_reading(self) -> None:
        """Read nothing more: what comes fills the kernel's buffers."""
        self._link.pause_reading()

    def resume_reading(self) -> None:
        """Read what has come."""
        self._link.resume_reading()

    async def until(
        self, met: Callable[[SimulatedPhone], bool], what: str = "condition", *, timeout_s: float = TIMEOUT_S
    ) -> None:
        """
        Return when ``met``, which is asked after every tick, message and end.

        Raises:
            TimeoutError: it was not, for so long.
            ConnectionError: the connection ended before it was.
        """
        await self.changes.until(lambda: met(self), f"{self!r}, {what}", timeout_s=timeout_s)

    async def until_said(self, frames: int, *, timeout_s: float = TIMEOUT_S) -> None:
        """Return when so many frames were written; raises as ``until``."""
        await self.until(lambda _: len(self.sent_ns) >= frames, f"{frames} frames said", timeout_s=timeout_s)

    async def until_heard(self, frames: int = 1, *, timeout_s: float = TIMEOUT_S) -> None:
        """Return when so many frames of the relay's audio were heard; raises as ``until``."""
        await self.until(lambda _: self.frames_heard >= frames, f"{frames} frames heard", timeout_s=timeout_s)

    async def until_mark(self, name: str, *, timeout_s: float = TIMEOUT_S) -> None:
        """Return when a mark was returned; raises as ``until``."""
        await self.until(
            lambda _: any(returned == name for returned, _ in self.marks), f"mark {name}", timeout_s=timeout_s
        )

    async def until_closed(self, *, timeout_s: float = TIMEOUT_S) -> Closed:
        """
        Return how the connection ended.

        Raises:
            TimeoutError: it did not, for so long.
        """
        await self.until(lambda _: self.closed is not None, "closed", timeout_s=timeout_s)
        assert self.closed is not None  # noqa: S101 -- what was waited for
        return self.closed

    def _ended(self, closed: Closed) -> None:
        self.closed = closed
        self.end_media()
        self.changes.end(f"closed with {closed.code} {closed.reason}".rstrip())

    @property
    def _link(self) -> Link:
        if self._websocket.link is None:
            raise RuntimeError("simulated phone: expected a connection, got none: use it as `async with`")
        return self._websocket.link
