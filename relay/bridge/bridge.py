"""Joins one phone leg and one room, and takes both down again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from enum import Flag, auto
from typing import Final

import structlog
from websockets.frames import CloseCode

from relay.bridge.agent_leg import AgentLeg
from relay.bridge.events import BridgeEvent, Dtmf, Ended, Joined, MediaStarted, RoomJoined, Statistics
from relay.bridge.faults import Faults, note_losses
from relay.bridge.media_connection import MediaConnection
from relay.bridge.presence import Presence
from relay.bridge.settings import BridgeSettings
from relay.bridge.stats import BridgeStats
from relay.bridge.watch import Signs, look
from relay.errors import RoomDenied, RoomEnded, RoomError
from relay.media.format import PTIME_MS, pcm
from relay.providers.base import MediaAdapter, StreamStarted
from relay.rooms.base import Participant, Room
from relay.transfers.reasons import Reason


class Condition(Flag):
    """What must be true before anybody is told that agent and customer are joined."""

    ROOM_JOINED = auto()
    STREAM_STARTED = auto()
    AGENT_DECODED = auto()
    AGENT_IN_ROOM = auto()
    ROOM_SENT = auto()


_ALL: Final = ~Condition(0)

# What the carrier is told when the WebSocket is closed from here. For all others 1000: the call is over.
_CLOSE_CODES: Final = {
    Reason.PROVIDER_ERROR: CloseCode.POLICY_VIOLATION,
    Reason.MEDIA_LOST: CloseCode.TRY_AGAIN_LATER,
    Reason.INTERNAL_ERROR: CloseCode.INTERNAL_ERROR,
    Reason.NODE_SHUTDOWN: CloseCode.GOING_AWAY,
}


class Bridge:
    """
    One phone leg and one room, from before the phone is answered until both are taken down.

        bridge = Bridge(room, transfer_id="t-1", on_event=print)
        await bridge.join_room()                         # when dialling starts
        await bridge.serve(connection, TwilioAdapter())  # the carrier's socket, until the bridge is over
        ended = await bridge.ended()

    Everything runs on one event loop. Whatever happens, it ends once, with one ``Reason``.

    Args:
        room: not joined yet; the bridge's from now on.
        transfer_id: for logs.
        on_event: told everything, on the loop. Must not raise.
        settings: the bounds to keep.
        customer_id: the participant whose leaving ends the bridge; None: anybody but the bot.
        bot_id: the participant who is no customer.
        clock: monotonic ns.
    """

    def __init__(
        self,
        room: Room,
        *,
        transfer_id: str,
        on_event: Callable[[BridgeEvent], None],
        settings: BridgeSettings | None = None,
        customer_id: str | None = None,
        bot_id: str | None = None,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        if room.speaker_ptime_ms != PTIME_MS:
            raise ValueError(f"Bridge: expected a room whose speaker gives {PTIME_MS} ms, got {room.speaker_ptime_ms}")
        self._room = room
        self._on_event = on_event
        self._settings = settings or BridgeSettings()
        self._presence = Presence(customer_id=customer_id, bot_id=bot_id)
        self._clock = clock
        self._log = structlog.get_logger().bind(transfer_id=transfer_id)
        self._faults = Faults(self._log)
        self._leg: AgentLeg | None = None
        self._met = Condition(0)
        self._silence = bytes(pcm(room.rate_hz).size_bytes(room.microphone_ptime_ms))
        self._created_ns = self._checked_ns = clock()
        self._microphone_seen_ns: int | None = None
        self._loop = asyncio.get_running_loop()
        self._tick: asyncio.TimerHandle | None = self._loop.call_later(self._settings.tick_s, self._on_tick)
        self._teardown: asyncio.Task[None] | None = None
        self._ended: asyncio.Future[Ended] = self._loop.create_future()

    # What its owner does

    async def join_room(self) -> None:
        """
        Join the room; a room that cannot be joined ends the bridge.

        Raises:
            RoomError: it cannot be joined, or the bridge has ended.
        """
        if self._teardown is not None:
            raise RoomEnded("the bridge has ended")
        try:
            participants = await self._room.join(self)
        except RoomError as error:
            denied = isinstance(error, RoomDenied)
            self.end(Reason.ROOM_DENIED if denied else Reason.ROOM_UNREACHABLE, str(error))
            raise
        except asyncio.CancelledError:
            self.end(Reason.ROOM_UNREACHABLE, "joining was given up")
            raise
        except Exception as error:
            self._defect(error)
            raise
        if self._teardown is not None:
            return  # ended meanwhile; whoever ended it leaves the room
        now_ns = self._clock()
        self._microphone_seen_ns = now_ns
        self._presence.joined_room(participants, now_ns)
        self._log.info("room_joined", participants=len(participants))
        self._tell(RoomJoined(tuple(participants)))
        self._meet(Condition.ROOM_JOINED)

    async def serve(self, connection: MediaConnection, adapter: MediaAdapter) -> None:
        """
        Carry audio over the carrier's connection, and return when the bridge is over.

        A bridge serves one connection; a second one is closed at once, and the first goes on.
        """
        if self._teardown is not None:
            await connection.close(CloseCode.NORMAL_CLOSURE, "this call is over")
            return
        if self._leg is not None:
            self._faults.note("second_connection", "expected one media connection, got another")
            await connection.close(CloseCode.POLICY_VIOLATION, "this call has its media stream")
            return
        self._leg = AgentLeg(
            connection,
            adapter,
            room=self._room,
            listener=self,
            settings=self._settings,
            faults=self._faults,
            clock=self._clock,
        )
        connection.attach(self._leg, self._clock)
        try:
            await self.ended()
        except asyncio.CancelledError:
            self.end(Reason.NODE_SHUTDOWN, "the media server stopped")
            raise

    def clear(self) -> None:
        """Drop what the agent has not heard yet of what was said in the room."""
        if self._teardown is None and self._leg is not None and self._leg.room_to_agent is not None:
            self._leg.room_to_agent.clear()

    def end(self, reason: Reason, detail: str = "") -> None:
        """Take both sides down. The first reason counts; later ones change nothing."""
        if self._teardown is None:
            self._log.info("bridge_ending", reason=reason.value, detail=detail)
            self._teardown = self._loop.create_task(self._take_down(reason, detail))

    async def ended(self) -> Ended:
        """Wait until everything is taken down."""
        return await asyncio.shield(self._ended)

    def check(self, now_ns: int) -> None:
        """Look at the watchdogs and report statistics. The bridge does this itself once a tick."""
        elapsed_s = (now_ns - self._checked_ns) / 1e9
        self._checked_ns = now_ns
        if self._leg is not None:
            self._leg.check(now_ns, elapsed_s=elapsed_s)
        self._look(now_ns, elapsed_s)
        self._tell(Statistics(self._report(now_ns)))

    def _look(self, now_ns: int, elapsed_s: float) -> None:
        if elapsed_s > 2 * self._settings.tick_s:
            self._faults.note("late_tick", f"{elapsed_s:.1f} s after the last")
            return  # this process stood still: what it did not do, nobody else failed to do
        verdict = look(self._signs(), self._settings, now_ns)
        if verdict is not None:
            self.end(verdict.reason, verdict.detail)

    def stats(self, now_ns: int, *, whole_call: bool = False) -> BridgeStats:
        """How it stands, with durations since the last call of this, or of the whole call."""
        leg = self._leg
        sending = leg.room_to_agent if leg is not None else None
        return BridgeStats(
            age_s=(now_ns - self._created_ns) / 1e9,
            joined=self._met == _ALL,
            participants=self._presence.count,
            agent_to_room=leg.agent_to_room.stats(whole_call=whole_call) if leg is not None else None,
            room_to_agent=sending.stats(now_ns, whole_call=whole_call) if sending is not None else None,
            round_trip_ms=leg.connection.round_trip_ms if leg is not None else 0.0,
            faults=self._faults.counts,
        )

    # What the room calls

    def microphone_due(self, now_ns: int) -> bytes:
        """Give the room its next frame: the agent's, or silence."""
        self._microphone_seen_ns = now_ns
        if self._leg is None or self._teardown is not None:
            return self._silence
        try:
            frame = self._leg.agent_to_room.pull(now_ns)
        except Exception as error:  # noqa: BLE001 - as below
            self._defect(error)
            return self._silence
        if self._met != _ALL and self._leg.agent_to_room.decoded:
            self._meet(Condition.AGENT_DECODED)
            if self._leg.agent_to_room.in_room:
                self._meet(Condition.AGENT_IN_ROOM)
        return frame

    def speaker_frame(self, pcm: bytes, now_ns: int) -> None:
        """Take the room's next frame: to the agent, once the carrier listens."""
        if self._leg is None or self._leg.room_to_agent is None or self._teardown is not None:
            return
        try:
            self._leg.room_to_agent.send(pcm, now_ns)
        except Exception as error:  # noqa: BLE001 - a defect ends its own call, not the room's clock and with it others
            self._defect(error)
        if self._met != _ALL and self._leg.room_to_agent.frames_sent:
            self._meet(Condition.ROOM_SENT)

    def participant_joined(self, participant: Participant) -> None:
        """Somebody came."""
        self._presence.came(participant, self._clock())

    def participant_left(self, participant: Participant, reason: str) -> None:
        """Somebody left."""
        self._log.info("participant_left", participant_id=participant.participant_id, reason=reason)
        self._presence.left(participant, self._clock())

    def room_closed(self, error: RoomError) -> None:
        """The room is gone."""
        self.end(Reason.ROOM_ENDED if isinstance(error, RoomEnded) else Reason.ROOM_LOST, str(error))

    # What the agent's leg calls

    def stream_started(self, started: StreamStarted) -> None:
        """The carrier opened its stream."""
        leg = self._leg
        if leg is None or leg.room_to_agent is None:
            return
        self._log.info(
            "bridge_chain",
            agent_to_room=leg.agent_to_room.chain(started.format),
            room_to_agent=leg.room_to_agent.chain(),
        )
        self._meet(Condition.STREAM_STARTED)
        self._tell(MediaStarted(started.stream_id, started.call_id, dict(started.custom)))

    def dtmf_received(self, digit: str) -> None:
        """The agent pressed a key."""
        self._tell(Dtmf(digit))

    def leg_over(self, reason: Reason, detail: str) -> None:
        """The agent's leg cannot go on."""
        self.end(reason, detail)

    # Inside

    def _meet(self, condition: Condition) -> None:
        if self._teardown is not None:
            return
        before, self._met = self._met, self._met | condition
        if before != _ALL and self._met == _ALL:
            self._log.info("joined")
            self._tell(Joined())

    def _tell(self, event: BridgeEvent) -> None:
        try:
            self._on_event(event)
        except Exception as error:  # noqa: BLE001 - whoever listens must not keep the watchdogs from looking
            self._faults.note("listener_error", repr(error))

    def _report(self, now_ns: int, *, whole_call: bool = False) -> BridgeStats:
        """Statistics, and as faults what room and playout lost without a word."""
        stats = self.stats(now_ns, whole_call=whole_call)
        note_losses(self._faults, stats, self._room.counts)
        return replace(stats, faults=self._faults.counts)

    def _defect(self, error: Exception) -> None:
        self._faults.note("internal_error", repr(error))
        self.end(Reason.INTERNAL_ERROR, repr(error))

    def _on_tick(self) -> None:
        self._tick = self._loop.call_later(self._settings.tick_s, self._on_tick)
        self.check(self._clock())

    def _signs(self) -> Signs:
        leg = self._leg
        return Signs(
            unattached_since_ns=self._created_ns if leg is None else None,
            connected_since_ns=leg.connected_ns if leg is not None else None,
            audio_seen_ns=(leg.agent_to_room.last_audio_ns or leg.connected_ns) if leg is not None else None,
            ping_unanswered_since_ns=leg.ping_unanswered_since_ns if leg is not None else None,
            write_stalled_since_ns=(
                leg.room_to_agent.stalled_since_ns if leg is not None and leg.room_to_agent is not None else None
            ),
            microphone_seen_ns=self._microphone_seen_ns,
            customer_absent_since_ns=self._presence.absent_since_ns,
        )

    async def _take_down(self, reason: Reason, detail: str) -> None:
        """
        The one order in which a bridge ends. Every step is bounded, and none keeps the next from happening.

        1. No more ticks; frames from the room are not taken any longer (``speaker_frame``).
        2. The carrier's connection is closed: the phone costs money, and the agent hears nothing that is late.
        3. The room is left, at the same time: nobody there waits for the carrier's closing handshake.
        4. Whoever waits is told, when nothing is held any longer.
        """
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        closing = [self._leave_room()]
        if self._leg is not None:
            closing.append(self._leg.close(_CLOSE_CODES.get(reason, CloseCode.NORMAL_CLOSURE), reason.value))
        for failure in await asyncio.gather(*closing, return_exceptions=True):
            if failure is not None:
                self._faults.note("teardown_failed", repr(failure))
        ended = Ended(reason, detail, self._met == _ALL, self._report(self._clock(), whole_call=True))
        self._log.info("bridge_ended", reason=reason.value, detail=detail, **ended.stats.as_dict())
        self._ended.set_result(ended)
        self._tell(ended)

    async def _leave_room(self) -> None:
        try:
            async with asyncio.timeout(self._settings.leave_timeout_s):
                await self._room.leave()
        except TimeoutError:
            self._faults.note("leave_timeout", f"the room was not left within {self._settings.leave_timeout_s:g} s")
