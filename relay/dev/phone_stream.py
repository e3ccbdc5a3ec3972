"""A simulated carrier's stream as it runs: says its source and hears what comes by one clock, and records both."""

from __future__ import annotations

import functools
import time
from array import array
from collections.abc import Callable
from typing import Protocol

from relay.dev.phone_playout import FRAME_BYTES, Arrival, Gap, PhoneClock, Playout
from relay.dev.phone_source import Source, frames_of
from relay.dev.phone_websocket import Network
from relay.dev.phone_wire import Call, Clear, Command, Keys, Mark, PhoneWire, Play, ProtocolViolation
from relay.dev.recording import Recording
from relay.dev.until import Changes
from relay.rooms.deadlines import Deadline, shared_deadlines


class Send(Protocol):
    """How a message goes out; see ``WebSocket.send_text`` and ``send_binary``."""

    def __call__(self, message: bytes, *, delay_ns: int = 0, written: Callable[[int], None] | None = None) -> None:
        """Send a message after all before it; ``written`` is told when."""


class CarrierStream:
    """From ``connected`` to the end of media, but for the socket: ``send`` takes what goes out."""

    def __init__(self, source: Source | None, call: Call, network: Network, wire: PhoneWire) -> None:
        self.call = call
        self.network = network
        self.violations: list[str] = []
        """What the relay sent against the protocol."""
        self.marks: list[tuple[str, int]] = []
        """Marks returned, and when."""
        self.clears_ns: list[int] = []
        """When ``clear`` came."""
        self.sent_ns = array("q")
        """When each frame was written to the kernel; those of one message at once."""
        self.keys_heard = ""
        """What the relay let it hear over the stream, pauses included."""
        self.changes = Changes()
        self._wire = wire
        self._frames = frames_of(source)
        self._said = bytearray()
        self._gathered = bytearray()
        self._riding: list[str] = []  # marks that wait for audio to go with
        self._frame_count = 0
        self._message_count = 0
        self._overtaken: bytes | None = None
        self._withheld = False
        self._mislabelled = 0
        self._other_sid = ""
        self._alarm: Deadline | None = None
        self._playout: Playout | None = None
        self._send: Send = _unsent
        self._send_audio: Send = _unsent

    @property
    def heard(self) -> Recording:
        """All that was heard, gaps included, since the stream started."""
        if self._alarm is not None:
            self._return(self._running.advance(time.monotonic_ns()))
        return self._running.heard

    @property
    def said(self) -> Recording:
        """All that was said; a frame's first sample is said when the frame is due to be sent."""
        clock = self._running.clock
        return Recording(bytes(self._said), clock.rate_hz, clock.tick_ns(1))

    @property
    def start_ns(self) -> int:
        """When ``start`` was sent."""
        return self._running.clock.start_ns

    @property
    def arrivals(self) -> list[Arrival]:
        """Each audio message of the relay."""
        return self._running.arrivals

    @property
    def gaps(self) -> list[Gap]:
        """Silences between audio that was heard, because nothing had come."""
        return self._running.gaps

    @property
    def depths_ms(self) -> list[float]:
        """Audio left in the playout buffer after each tick."""
        return [samples / 8 for samples in self._running.depths]

    @property
    def frames_heard(self) -> int:
        """Frames of 20 ms that came and were heard, or cut by the end."""
        return self._running.taken_samples // 160

    def say(self, source: Source | None) -> None:
        """Say this from the next frame on, in place of what was being said."""
        self._frames = frames_of(source)

    def mislabel(self, frames: int, stream_sid: str) -> None:
        """Give the next frames the ``streamSid`` of another stream."""
        self._mislabelled, self._other_sid = frames, stream_sid

    def withhold_media(self) -> None:
        """Send no more audio: a path that is broken one way. What comes is heard, and marks are returned."""
        self._withheld = True

    def begin(self, send: Send, send_binary: Send | None = None) -> None:
        """Send ``connected`` and ``start``; audio follows, every 20 ms."""
        self._send = send
        self._send_audio = (send_binary or _unsent) if self._wire.is_binary else send
        if first := self._wire.connected():
            send(first)
        self._playout = Playout(PhoneClock(time.monotonic_ns(), self.network.drift_ppm))
        if start := self._wire.start():
            send(start)
        self._set_alarm()

    def end_media(self) -> None:
        """Stop the clock: nothing more is said, heard or returned."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
            self._running.advance(time.monotonic_ns())

    def send_frame(self) -> None:
        """Say the next frame now; the clock does, until ``end_media``."""
        if self._withheld:
            self._frame_count += 1
            return
        pcm = next(self._frames)
        self._said += pcm
        sid = self._other_sid if self._mislabelled else None
        self._mislabelled = max(0, self._mislabelled - 1)
        delay_ms = self.network.jitter_ms(self._frame_count) if self.network.jitter_ms else 0.0
        self._frame_count += 1
        self._gathered += pcm
        if len(self._gathered) < self._wire.message_frames * FRAME_BYTES:
            return
        message = self._wire.media(bytes(self._gathered), stream_sid=sid)
        self._gathered.clear()
        for each in self._in_turn(message):
            self._send_audio(each, delay_ns=round(delay_ms * 1e6), written=self._written)

    def _in_turn(self, message: bytes) -> list[bytes]:
        """What goes out now: a message, none as the next one overtakes it, or the next one and then it."""
        self._message_count += 1
        if self._wire.swaps_every and self._message_count % self._wire.swaps_every == 0:
            self._overtaken = message
            return []
        overtaken, self._overtaken = self._overtaken, None
        return [message] if overtaken is None else [message, overtaken]

    def receive(self, message: str | bytes) -> None:
        """Do what a message of the relay asks for; bytes are a binary one."""
        now_ns = time.monotonic_ns()
        try:
            command = self._wire.read(message)
        except ProtocolViolation as violation:
            self.violations.append(str(violation))
            if self._alarm is not None and (fault := self._wire.fault(str(violation))):
                self._send(fault)
        else:
            if self._alarm is not None and command is not None:
                self._do(command, now_ns)
        self.changes.changed()

    def _do(self, command: Command, now_ns: int) -> None:
        match command:
            case Play(pcm):
                for name in self._riding:
                    self._return(self._running.mark(name, now_ns))
                self._riding.clear()
                self._return(self._running.push(pcm, now_ns))
                self._tell_queue()
            case Mark(name):
                self._return(self._running.advance(now_ns))
                if self._wire.marks_ride and self._running.waiting_samples:
                    self._riding.append(name)
                else:
                    self._return(self._running.mark(name, now_ns))
            case Keys(digits):
                self.keys_heard += digits
            case Clear():
                self.clears_ns.append(now_ns)
                self._clear(now_ns)

    def _clear(self, now_ns: int) -> None:
        reached, dropped = self._running.cut(now_ns)
        dropped += self._riding
        self._riding.clear()
        self._return(reached + dropped if self._wire.marks_survive_clear else reached)
        for message in self._wire.cleared(dropped):
            self._send(message)

    def _tick(self, now_ns: int) -> None:
        self._alarm = None
        while self._running.clock.tick_ns(self._frame_count + 1) <= now_ns:
            self.send_frame()
        self._set_alarm()
        self._return(self._running.advance(now_ns))
        self._tell_queue()
        self.changes.changed()

    def _tell_queue(self) -> None:
        if told := self._wire.queued(self._running.waiting_samples):
            self._send(told)

    def _set_alarm(self) -> None:
        due_ns = self._running.clock.tick_ns(self._frame_count + 1)
        self._alarm = shared_deadlines().call_at(due_ns, self._tick)

    def _return(self, marks: list[str]) -> None:
        for name in marks:
            if message := self._wire.mark(name):
                self._send(message, written=functools.partial(self._returned, name))

    def _written(self, at_ns: int) -> None:
        for _ in range(self._wire.message_frames):
            self.sent_ns.append(at_ns)

    def _returned(self, name: str, at_ns: int) -> None:
        self.marks.append((name, at_ns))
        self.changes.changed()

    @property
    def _running(self) -> Playout:
        if self._playout is None:
            raise RuntimeError("simulated phone: expected a stream, got none: it has not been started")
        return self._playout


def _unsent(message: bytes, *, delay_ns: int = 0, written: Callable[[int], None] | None = None) -> None:
    raise RuntimeError(f"simulated phone: expected a stream, got none for {message[:40]!r} ({delay_ns=}, {written=})")
