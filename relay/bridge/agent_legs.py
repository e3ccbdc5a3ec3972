"""The agent's legs of a bridge, one at a time: the newest counts, and one that is lost can be replaced."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from websockets.frames import CloseCode

from relay.bridge.agent_leg import DIGITS_LOST, AgentLeg, LegListener
from relay.bridge.faults import Faults
from relay.bridge.media_connection import MediaConnection
from relay.bridge.settings import BridgeSettings
from relay.bridge.stats import AgentToRoomStats, RoomToAgentStats, Tally
from relay.bridge.watch import Signs
from relay.providers.base import MediaAdapter
from relay.rooms.base import Room


class AgentLegs:
    """
    The legs of one bridge.

    Args:
        room: whose PCM goes in and out.
        listener: told by the leg that counts, and by no other.
        settings: bounds and filters.
        faults: told of what the carrier does wrong.
        clock: monotonic ns.
    """

    def __init__(
        self,
        room: Room,
        *,
        listener: LegListener,
        settings: BridgeSettings,
        faults: Faults,
        clock: Callable[[], int],
    ) -> None:
        self._room = room
        self._listener = listener
        self._settings = settings
        self._faults = faults
        self._clock = clock
        self.current: AgentLeg | None = None
        self.latest: AgentLeg | None = None
        """The current one, or the one that was lost last."""
        self.reconnecting_since_ns: int | None = None
        """Since when a leg is missing that both were heard over; None again as soon as they are."""
        self._created_ns = clock()
        self._connected_ns: int | None = None
        self._tally = Tally()
        self._closing: set[asyncio.Task[None]] = set()

    def begin(self, connection: MediaConnection, adapter: MediaAdapter) -> AgentLeg:
        """The leg of a new connection, which counts from now on. There must be none, or it was let go."""
        if self.latest is not None:
            self.latest.add_up()
        self.current = self.latest = AgentLeg(
            connection,
            adapter,
            room=self._room,
            listener=self._listener,
            settings=self._settings,
            faults=self._faults,
            clock=self._clock,
            tally=self._tally,
        )
        self._connected_ns = self._connected_ns or self.current.connected_ns
        return self.current

    def let_go(self, code: CloseCode, reason: str) -> None:
        """The current leg, if there is one, counts no longer: close it."""
        leg, self.current = self.current, None
        if leg is not None:
            leg.stop()
            closing = asyncio.get_running_loop().create_task(leg.close(code, reason))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def close(self, code: CloseCode, reason: str) -> None:
        """Let go what there is, and wait until all connections are closed."""
        self.let_go(code, reason)
        if self._closing:
            await asyncio.wait(self._closing)

    def clear(self) -> None:
        """Drop what the agent has not heard yet."""
        if self.current is not None and self.current.room_to_agent is not None:
            self.current.room_to_agent.clear()

    def send_digits(self, digits: str) -> bool:
        """Let the agent's phone hear keys, over the stream that there is; False: there is none, or it cannot."""
        if self.current is None:
            self._faults.note(DIGITS_LOST, "expected a connection to send keys over, got none")
            return False
        return self.current.send_digits(digits)

    async def say_last(self, sound: bytes) -> None:
        """Let the agent hear ``sound``, and nothing else any more."""
        if self.current is not None:
            await self.current.say_last(sound, timeout_s=self._settings.notice_timeout_s)

    def check(self, now_ns: int, *, elapsed_s: float) -> None:
        """Once a tick, as ``AgentLeg.check``."""
        if self.current is not None:
            self.current.check(now_ns, elapsed_s=elapsed_s)

    @property
    def has_audio(self) -> bool:
        """Whether there is a leg, and audio of the agent has come over it."""
        return self.current is not None and self.current.agent_to_room.decoded

    def signs(self, *, microphone_silent_since_ns: int | None) -> Signs:
        """The signs of life of the legs, and of the room."""
        leg = self.current
        sending = leg.room_to_agent if leg is not None else None
        return Signs(
            unattached_since_ns=self._created_ns if self.latest is None else None,
            reconnecting_since_ns=self.reconnecting_since_ns,
            connected_since_ns=self._connected_ns,
            audio_seen_ns=(leg.agent_to_room.last_audio_ns or leg.connected_ns) if leg is not None else None,
            ping_unanswered_since_ns=leg.ping_unanswered_since_ns if leg is not None else None,
            write_stalled_since_ns=sending.outbox.stalled_since_ns if sending is not None else None,
            paused_since_ns=sending.outbox.paused_since_ns if sending is not None else None,
            microphone_silent_since_ns=microphone_silent_since_ns,
        )

    def stats(self, now_ns: int, *, whole_call: bool) -> tuple[AgentToRoomStats | None, RoomToAgentStats | None]:
        """Each direction over all legs so far; None for what none has had."""
        leg = self.latest
        if leg is None:
            return None, None
        agent_to_room = leg.agent_to_room.stats(whole_call=whole_call)
        if leg.room_to_agent is not None:
            room_to_agent: RoomToAgentStats | None = leg.room_to_agent.stats(now_ns, whole_call=whole_call)
        else:  # no stream yet
            room_to_agent = self._tally.room_to_agent
        if room_to_agent is not None and (leg.room_to_agent is None or self.current is None):
            room_to_agent = replace(room_to_agent, queued_ms=0.0, carrier_buffer_ms=0.0)
        return agent_to_room, room_to_agent

    @property
    def round_trip_ms(self) -> float:
        """The network's, 0 before it is known."""
        return self.latest.connection.writer.round_trip_ms if self.latest is not None else 0.0
