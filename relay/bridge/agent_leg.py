"""The agent's side of a bridge: one carrier's stream over one WebSocket, both directions."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final, Protocol

from websockets.frames import CloseCode

from relay.bridge.agent_to_room import AgentToRoom
from relay.bridge.faults import BadMessageLimit, Faults
from relay.bridge.media_connection import Ending, MediaConnection
from relay.bridge.media_writer import ROUND_TRIPS
from relay.bridge.room_to_agent import LAST_MARK, RoomToAgent
from relay.bridge.settings import BridgeSettings
from relay.bridge.stats import Tally
from relay.errors import LocalProtocolError, RemoteProtocolError
from relay.providers.base import (
    CarrierFault,
    DtmfReceived,
    Event,
    FlowChanged,
    MarkReached,
    MediaAdapter,
    StreamStarted,
    StreamStopped,
)
from relay.rooms.base import Room
from relay.transfers.reasons import Reason

FAULT_MAX: Final = 200
"""Characters of what a carrier says went wrong."""
DIGITS_LOST: Final = "digits_lost"
"""The kind of fault by which a bridge tells of keys that came too late for its stream, or too early."""
_ENDED_CODES: Final = (CloseCode.NORMAL_CLOSURE, CloseCode.NO_STATUS_RCVD)


class LegListener(Protocol):
    """What a leg reports to."""

    def stream_started(self, started: StreamStarted, *, agent_to_room: str, room_to_agent: str) -> None:
        """The carrier opened its stream; audio can be sent from here on. The chains of each direction are for logs."""

    def dtmf_received(self, digit: str) -> None:
        """The agent pressed a key."""

    def leg_over(self, reason: Reason, detail: str) -> None:
        """The leg cannot go on."""


class AgentLeg:
    """
    One carrier's stream.

    Args:
        connection: open, nobody's yet.
        adapter: new, of the carrier that opened the connection.
        room: whose PCM goes in and out.
        listener: told what is not audio.
        settings: bounds and filters.
        faults: told of what the carrier does wrong.
        clock: monotonic ns.
        tally: goes on from leg to leg.
    """

    def __init__(
        self,
        connection: MediaConnection,
        adapter: MediaAdapter,
        *,
        room: Room,
        listener: LegListener,
        settings: BridgeSettings,
        faults: Faults,
        clock: Callable[[], int],
        tally: Tally,
    ) -> None:
        self.connection = connection
        self._adapter = adapter
        self._room_rate_hz = room.rate_hz
        self._listener = listener
        self._settings = settings
        self._faults = faults
        self._clock = clock
        self._tally = tally
        self._bad_messages = BadMessageLimit(settings.bad_messages_max)
        self._over = False
        self._said_last = asyncio.Event()
        self._closed = asyncio.Event()
        self._pinged_ns: int | None = None
        self._pongs_seen = 0
        self.connected_ns = clock()
        self.agent_to_room: AgentToRoom = AgentToRoom(
            adapter,
            room_rate_hz=room.rate_hz,
            microphone_ptime_ms=room.microphone_ptime_ms,
            profile=settings.profile,
            clock=clock,
            tally=tally,
        )
        self.room_to_agent: RoomToAgent | None = None
        self._not_of_room = 0  # frames that went to the agent in place of the room's

    # What the connection reports

    def text_received(self, message: bytes, received_ns: int) -> None:
        """Take one text message of the carrier."""
        if self._over:
            return
        try:
            for event in self.agent_to_room.take(message, received_ns):
                self._handle(event, received_ns)
        except Exception as error:  # noqa: BLE001 - as ``_cannot_read`` says
            self._cannot_read(error)

    def binary_received(self, message: bytes, received_ns: int) -> None:
        """Take one binary message of the carrier."""
        if self._over:
            return
        try:
            self.agent_to_room.take_binary(message, received_ns)
        except Exception as error:  # noqa: BLE001 - as ``_cannot_read`` says
            self._cannot_read(error)

    def connection_closed(self, ending: Ending, code: int, detail: str) -> None:
        """
        Take the end of the connection.

        A close frame without an error is a carrier that ends the stream it had opened; several send no stop before it.
        """
        if ending is Ending.PEER_CLOSED:
            ended = code in _ENDED_CODES and self.room_to_agent is not None
            reason = Reason.AGENT_HUNG_UP if ended else Reason.MEDIA_LOST
        elif ending is Ending.WE_CLOSED:  # not the bridge, which would have ended: the server, or the library
            reason = Reason.NODE_SHUTDOWN if code == CloseCode.GOING_AWAY else Reason.PROVIDER_ERROR
        else:
            reason = Reason.MEDIA_LOST
        self._end(reason, f"media connection over, {ending.name.lower()}: {code} {detail}".rstrip())

    # What the bridge does

    def check(self, now_ns: int, *, elapsed_s: float) -> None:
        """Once a tick: forgive bad messages, ping when it is time, and write what was held."""
        if self.room_to_agent is not None:
            self.room_to_agent.outbox.flush(now_ns)
        self._bad_messages.recover(elapsed_s)
        answered = self.connection.pongs > self._pongs_seen or self._pinged_ns is None
        known = self.connection.pongs >= ROUND_TRIPS  # until then every tick: the first may have waited for somebody
        due = self._pinged_ns is None or not known or now_ns - self._pinged_ns >= self._settings.ping_interval_s * 1e9
        if answered and due:
            self._pongs_seen = self.connection.pongs
            self._pinged_ns = now_ns
            self.connection.measure_round_trip(now_ns)

    def begin_anew(self) -> None:
        """Let nothing count of what was said so far: the agent was not heard, and heard nobody."""
        self.agent_to_room.begin_anew()
        if self.room_to_agent is not None:
            self._not_of_room = self.room_to_agent.frames_taken

    @property
    def has_sent_room(self) -> bool:
        """Whether a frame of the room was sent."""
        return self.room_to_agent is not None and self.room_to_agent.frames_sent > self._not_of_room

    def add_up(self) -> None:
        """Leave what was counted here to the leg that comes after this one."""
        self._tally.agent_to_room = self.agent_to_room.counts()
        if self.room_to_agent is not None:
            self._tally.room_to_agent = self.room_to_agent.counts(self._clock())

    @property
    def ping_unanswered_since_ns(self) -> int | None:
        """Since when a carrier that has answered pings owes a pong and has said nothing."""
        owes = self.connection.pongs > 0 and self.connection.pongs == self._pongs_seen
        if not owes or self._pinged_ns is None:
            return None
        return max(self._pinged_ns, self.agent_to_room.last_audio_ns)  # while it talks it is there

    def send_digits(self, digits: str) -> bool:
        """Let the phone hear keys, if there is a stream whose carrier can; else False, and which is noted nowhere."""
        is_sent = False
        if not self._over and self.room_to_agent is not None:
            try:
                messages = self._adapter.encode_dtmf(digits)
            except LocalProtocolError as error:
                self._faults.note("digits_refused", error)
                return False
            is_sent = all(self.connection.writer.send(message) for message in messages)
        if not is_sent:
            self._faults.note(DIGITS_LOST, "expected a stream to send keys over, got none")
        return is_sent

    async def say_last(self, sound: bytes, *, timeout_s: float) -> None:
        """
        Let the agent hear ``sound``, if there is a stream, in place of all that has not been heard yet.

        Returns when the carrier says that it was played, when the connection is over, or after ``timeout_s``.
        """
        sending = self.room_to_agent
        if self._over or sending is None or not sending.takes_audio:
            return
        sending.say_last(sound)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._said_last.wait()

    def stop(self) -> None:
        """Take no more messages, and report nothing any more."""
        self._over = True
        self._said_last.set()

    async def close(self, code: CloseCode, reason: str) -> None:
        """Close the connection, with a close frame if that can be sent in time. ``stop`` comes first."""
        try:
            async with asyncio.timeout(self._settings.close_timeout_s):
                await self.connection.close(code, reason)
        except TimeoutError:
            self._faults.note("close_timeout", f"no closing handshake within {self._settings.close_timeout_s:g} s")
        except Exception as error:  # noqa: BLE001 - nobody is left who could do more about it than to drop the socket
            self._faults.note("teardown_failed", repr(error))
        finally:
            self.connection.abort()
            self._closed.set()

    async def wait_closed(self) -> None:
        """Return when ``close`` has closed the connection."""
        await self._closed.wait()

    def _cannot_read(self, error: Exception) -> None:
        """Bad messages are borne for a while; a defect must end its own call, not the process's event loop."""
        if not isinstance(error, RemoteProtocolError):
            self._faults.note("internal_error", repr(error))
            self._end(Reason.INTERNAL_ERROR, repr(error))
            return
        self._faults.note("bad_message", error)
        if self._bad_messages.exceeded():
            self._end(Reason.PROVIDER_ERROR, f"too many bad messages, the last: {error}")

    def _handle(self, event: Event, now_ns: int) -> None:
        match event:
            case MarkReached(name) if name == LAST_MARK:
                self._said_last.set()
            case MarkReached(name):
                if self.room_to_agent is not None:
                    self.room_to_agent.mark_reached(name, now_ns)
            case DtmfReceived(digit):
                self._listener.dtmf_received(digit)
            case FlowChanged(paused):
                self._change_flow(paused, now_ns)
            case CarrierFault(detail):
                self._faults.note("carrier_fault", detail[:FAULT_MAX])
            case StreamStarted():
                self._start(event)
            case StreamStopped(reason):
                self._end(Reason.AGENT_HUNG_UP, f"the carrier stopped the stream {reason}".rstrip())

    def _change_flow(self, paused: bool, now_ns: int) -> None:  # noqa: FBT001 - as the event has it
        if self.room_to_agent is None:
            return
        if paused:
            self.room_to_agent.carrier_full(now_ns)
        else:
            self.room_to_agent.outbox.resume(now_ns)

    def _start(self, started: StreamStarted) -> None:
        try:
            self.room_to_agent = RoomToAgent(
                self.connection,
                self._adapter,
                started.format,
                room_rate_hz=self._room_rate_hz,
                queue_max_ms=self._settings.queue_max_ms,
                profile=self._settings.profile,
                faults=self._faults,
                clock=self._clock,
                tally=self._tally,
            )
        except ValueError as error:  # what this carrier's messages must hold cannot be made of frames
            self._end(Reason.PROVIDER_ERROR, f"{self._adapter.name} {error}")
            return
        self.connection.measure_round_trip(self._clock())
        self._listener.stream_started(
            started,
            agent_to_room=self.agent_to_room.chain(started.format),
            room_to_agent=self.room_to_agent.chain(),
        )

    def _end(self, reason: Reason, detail: str) -> None:
        if not self._over:
            self.stop()
            self._listener.leg_over(reason, detail)
