"""Joins one phone leg and one room, and takes both down again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog
from websockets.frames import CloseCode

from relay.bridge import events
from relay.bridge.agent_legs import AgentLegs
from relay.bridge.customer import CustomerWatch
from relay.bridge.endings import LOSSES, close_code, is_noticed, reason_closed, reason_not_joined
from relay.bridge.faults import Faults, note_losses
from relay.bridge.hearing import Hearing
from relay.bridge.joining import Condition, Joining
from relay.bridge.leave import leave
from relay.bridge.media_connection import MediaConnection
from relay.bridge.presence import Presence
from relay.bridge.settings import BridgeSettings
from relay.bridge.stats import BridgeStats
from relay.bridge.watch import MicrophoneWatch, look
from relay.errors import RoomEnded, RoomError
from relay.media.format import PTIME_MS
from relay.media.tones import notice
from relay.providers.base import MediaAdapter, StreamStarted
from relay.rooms.base import Participant, Room
from relay.transfers.reasons import Reason


class Bridge:
    """
    One phone leg and one room, from before the phone is answered until both are taken down.

        bridge = Bridge(room, transfer_id="t-1", on_event=print)
        await bridge.join_room()                         # when dialling starts
        bridge.ring()                                    # when the phone rings
        await bridge.serve(connection, TwilioAdapter())  # the carrier's socket, until it is over
        ended = await bridge.ended()

    Everything runs on one event loop. Whatever happens, it ends once, with one ``Reason``.

    Args:
        room: not joined yet; the bridge's from now on.
        transfer_id: for logs.
        on_event: told everything, on the loop. Must not raise.
        settings: the bounds to keep.
        customer_id: id or name of the participant whose leaving ends the bridge; None or nobody's: anybody but the bot.
        bot_id: id or name of the participant who is no customer.
        held: agent and customer do not hear each other before ``admit``; the agent hears that something is expected.
        clock: monotonic ns.
    """

    def __init__(
        self,
        room: Room,
        *,
        transfer_id: str,
        on_event: Callable[[events.BridgeEvent], None],
        settings: BridgeSettings | None = None,
        customer_id: str | None = None,
        bot_id: str | None = None,
        held: bool = False,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        if room.speaker_ptime_ms != PTIME_MS:
            raise ValueError(f"Bridge: expected a room whose speaker gives {PTIME_MS} ms, got {room.speaker_ptime_ms}")
        self._room = room
        self._on_event = on_event
        self._settings = settings or BridgeSettings()
        self._clock = clock
        self._log = structlog.get_logger().bind(transfer_id=transfer_id)
        self._faults = Faults(self._log)
        self._loop = asyncio.get_running_loop()
        self._legs = AgentLegs(room, listener=self, settings=self._settings, faults=self._faults, clock=clock)
        self._customer = CustomerWatch(
            Presence(customer_id=customer_id, bot_id=bot_id),
            log=self._log,
            grace_s=self._settings.customer_grace_s,
            on_gone=lambda detail: self.end(Reason.CUSTOMER_LEFT, detail),
            clock=clock,
            call_later=self._loop.call_later,
        )
        self._joining = Joining()
        self._hearing = Hearing(room, settings=self._settings, held=held)
        self._created_ns = self._checked_ns = clock()
        self._microphone, self._asked_ns = MicrophoneWatch(), 0  # when it asked last
        self._tick = self._loop.call_later(self._settings.tick_s, self._on_tick)
        self._teardown: asyncio.Task[None] | None = None
        self._ended: asyncio.Future[events.Ended] = self._loop.create_future()

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
            self.end(reason_not_joined(error), str(error))
            raise
        except asyncio.CancelledError:
            self.end(Reason.ROOM_UNREACHABLE, "joining was given up")
            raise
        except Exception as error:
            self._defect(error)
            raise
        if self._teardown is not None:
            return  # ended meanwhile; whoever ended it leaves the room
        self._log.info("room_joined", participants=len(participants))
        self._tell(events.RoomJoined(tuple(participants)))
        self._meet(Condition.ROOM_JOINED)
        self._customer.joined_room(participants)

    async def serve(self, connection: MediaConnection, adapter: MediaAdapter) -> None:
        """
        Carry audio over the carrier's connection, and return when that is over, for whatever reason.

        A bridge serves one connection at a time, the newest: whoever gave it has authorised it.
        """
        if self._teardown is not None:
            await connection.close(CloseCode.NORMAL_CLOSURE, "this call is over")
            return
        if self._legs.current is not None:
            self._faults.note("second_connection", "the carrier opened another while one was there")
            self._lose_leg("another connection took its place")
        leg = self._legs.begin(connection, adapter)
        connection.attach(leg, self._clock)
        try:
            await leg.wait_closed()
        except asyncio.CancelledError:
            if self._legs.current is leg:
                self.end(Reason.NODE_SHUTDOWN, "the media server stopped")
            raise

    def ring(self) -> None:
        """Let the room hear that the phone rings, until the agent is heard there."""
        if not self._joining.was_complete:
            self._hearing.ring()

    def admit(self) -> None:
        """Let agent and customer hear each other from now on."""
        self._hearing.admit(self._legs.current)

    def clear(self) -> None:
        """Drop what the agent has not heard yet of what was said in the room."""
        if self._teardown is None:
            self._legs.clear()

    def send_digits(self, digits: str) -> bool:
        """Let the agent's phone hear keys; False: they were not sent, which is noted."""
        return self._legs.send_digits(digits)

    def end(self, reason: Reason, detail: str = "") -> None:
        """Take both sides down. The first reason counts; later ones change nothing."""
        if self._teardown is None:
            self._customer.stop()
            self._teardown = self._loop.create_task(self._take_down(reason, detail))
            self._log.info("bridge_ending", reason=reason.value, detail=detail)

    async def ended(self) -> events.Ended:
        """Wait until everything is taken down."""
        return await asyncio.shield(self._ended)

    def check(self, now_ns: int) -> None:
        """Look at the watchdogs and report statistics. The bridge does this itself once a tick."""
        elapsed_s, self._checked_ns = (now_ns - self._checked_ns) / 1e9, now_ns
        self._legs.check(now_ns, elapsed_s=elapsed_s)
        self._look(now_ns, elapsed_s)
        self._tell(events.Statistics(self.stats(now_ns)))

    def stats(self, now_ns: int, *, whole_call: bool = False) -> BridgeStats:
        """
        How it stands, with durations since the last call of this, or of the whole call.

        What room and playout have lost, which they count and do not say, is noted as faults.
        """
        agent_to_room, room_to_agent = self._legs.stats(now_ns, whole_call=whole_call)
        note_losses(self._faults, agent_to_room.playout if agent_to_room is not None else None, self._room.counts)
        return BridgeStats(
            age_s=(now_ns - self._created_ns) / 1e9,
            joined=self._joining.is_complete,
            participants=self._customer.count,
            agent_to_room=agent_to_room,
            room_to_agent=room_to_agent,
            round_trip_ms=self._legs.round_trip_ms,
            faults=self._faults.counts,
        )

    # What the room calls

    def microphone_due(self, now_ns: int) -> bytes:
        """Give the room its next frame: the agent's, or what stands in for it."""
        self._asked_ns = now_ns
        leg = self._legs.current if self._teardown is None else None
        try:
            frame = self._hearing.in_room(leg, now_ns)
        except Exception as error:  # noqa: BLE001 - as below
            self._defect(error)
            return self._hearing.in_room(None, now_ns)
        if leg is not None and not self._joining.is_complete and leg.agent_to_room.decoded:
            self._meet(Condition.AGENT_DECODED)
            if self._hearing.is_in_room(leg):
                self._meet(Condition.AGENT_IN_ROOM)
        return frame

    def speaker_frame(self, pcm: bytes, now_ns: int) -> None:
        """Take the room's next frame: to the agent, once the carrier listens."""
        leg = self._legs.current
        if leg is None or leg.room_to_agent is None or self._teardown is not None:
            return
        try:
            leg.room_to_agent.send(self._hearing.by_agent(pcm), now_ns)
        except Exception as error:  # noqa: BLE001 - a defect ends its own call, not the room's clock and with it others
            self._defect(error)
        if not self._joining.is_complete and self._hearing.agent_hears_room and leg.has_sent_room:
            self._meet(Condition.ROOM_SENT)

    def participant_joined(self, participant: Participant) -> None:
        """Somebody came."""
        self._customer.came(participant)

    def participant_left(self, participant: Participant, reason: str) -> None:
        """Somebody left."""
        self._log.info("participant_left", participant_id=participant.participant_id, reason=reason)
        self._customer.left(participant)

    def room_interrupted(self) -> None:
        """The room is being reached for anew."""
        self._faults.note("room_interrupted", "the room is being reached for anew")
        self._hearing.lose_room()

    def room_back(self) -> None:
        """The room has been reached again."""
        self._log.info("room_back")
        self._hearing.room_back()

    def room_closed(self, error: RoomError) -> None:
        """The room is gone."""
        self.end(reason_closed(error), str(error))

    # What the agent's leg calls

    def stream_started(self, started: StreamStarted, *, agent_to_room: str, room_to_agent: str) -> None:
        """The carrier opened its stream."""
        self._log.info("bridge_chain", agent_to_room=agent_to_room, room_to_agent=room_to_agent)
        self._meet(Condition.STREAM_STARTED)
        self._tell(events.MediaStarted(started.stream_id, started.call_id, dict(started.custom)))

    def dtmf_received(self, digit: str) -> None:
        """The agent pressed a key."""
        self._tell(events.Dtmf(digit))

    def leg_over(self, reason: Reason, detail: str) -> None:
        """The agent's leg cannot go on."""
        if reason not in LOSSES or not self._joining.was_complete:
            self.end(reason, detail)
        elif self._settings.reconnect_timeout_s:
            self._lose_leg(detail)
        else:
            self.end(Reason.MEDIA_LOST, detail)

    # Inside

    def _lose_leg(self, detail: str) -> None:
        """The current leg is over and another may come: once both were heard, whoever listens and the room are told."""
        if self._teardown is not None:
            return
        self._log.info("leg_lost", detail=detail)
        self._legs.let_go(CloseCode.TRY_AGAIN_LATER, Reason.MEDIA_LOST.value)
        self._joining.stream_lost()
        if not self._joining.was_complete:
            return
        self._hearing.lose_agent()
        if self._legs.reconnecting_since_ns is None:
            self._legs.reconnecting_since_ns = self._clock()
            self._tell(events.MediaLost(detail))

    def _meet(self, condition: Condition) -> None:
        if self._teardown is not None:
            return
        event = events.MediaBack() if self._joining.was_complete else events.Joined()
        if self._joining.meet(condition):
            self._legs.reconnecting_since_ns = None
            self._customer.joined()
            self._log.info("media_back" if isinstance(event, events.MediaBack) else "joined")
            self._tell(event)

    def _tell(self, event: events.BridgeEvent) -> None:
        try:
            self._on_event(event)
        except Exception as error:  # noqa: BLE001 - whoever listens must not keep the watchdogs from looking
            self._faults.note("listener_error", repr(error))

    def _defect(self, error: Exception) -> None:
        self._faults.note("internal_error", repr(error))
        self.end(Reason.INTERNAL_ERROR, repr(error))

    def _on_tick(self) -> None:
        self._tick = self._loop.call_later(self._settings.tick_s, self._on_tick)
        self.check(self._clock())

    def _look(self, now_ns: int, elapsed_s: float) -> None:
        if elapsed_s > 2 * self._settings.tick_s:
            self._faults.note("late_tick", f"{elapsed_s:.1f} s after the last")
            return  # this process stood still: what it did not do, nobody else failed to do
        is_needed = self._legs.has_audio and self._customer.count > 0
        silent_since_ns = self._microphone.silent_since_ns(now_ns, asked_ns=self._asked_ns, is_needed=is_needed)
        verdict = look(self._legs.signs(microphone_silent_since_ns=silent_since_ns), self._settings, now_ns)
        if verdict is not None and verdict.is_of_leg:
            self.leg_over(verdict.reason, verdict.detail)
        elif verdict is not None:
            self.end(verdict.reason, verdict.detail)

    async def _take_down(self, reason: Reason, detail: str) -> None:
        """
        The one order in which a bridge ends. Every step is bounded, and none keeps the next from happening.

        1. No more ticks; frames from the room are not taken any longer (``speaker_frame``).
        2. The agent hears a notice, in place of all that would be late; then whoever drives the bridge can hang up.
        3. The carrier's connections are closed.
        4. The room is left, at the same time: nobody there waits for the agent.
        5. Whoever waits is told, when nothing is held any longer.
        """
        self._tick.cancel()
        leaving = leave(self._room, timeout_s=self._settings.leave_timeout_s, faults=self._faults)
        await asyncio.gather(self._leave_agent(reason, detail), leaving)
        ended = events.Ended(reason, detail, self._joining.was_complete, self.stats(self._clock(), whole_call=True))
        self._log.info("bridge_ended", reason=reason.value, detail=detail, **ended.stats.as_dict())
        self._ended.set_result(ended)
        self._tell(ended)

    async def _leave_agent(self, reason: Reason, detail: str) -> None:
        try:
            if is_noticed(reason):
                await self._legs.say_last(notice(self._room.rate_hz))
        except Exception as error:  # noqa: BLE001 - without a notice the phone is to be hung up all the same
            self._faults.note("teardown_failed", repr(error))
        self._tell(events.Ending(reason, detail, self._joining.was_complete))
        await self._legs.close(close_code(reason), reason.value)
