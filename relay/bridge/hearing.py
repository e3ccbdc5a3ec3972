"""Who hears what: agent and room each other, or what stands in for that."""

from __future__ import annotations

from relay.bridge.agent_leg import AgentLeg
from relay.bridge.settings import BridgeSettings
from relay.bridge.stand_in import StandIn
from relay.media.format import PTIME_MS
from relay.media.tones import comfort_noise, prompt, ringback
from relay.rooms.base import Room


class Hearing:
    """
    What each side of a bridge hears.

    Args:
        room: one of the sides.
        settings: which ringback.
        held: the agent hears a prompt and not the room, and the room not the agent, until ``admit``.
    """

    def __init__(self, room: Room, *, settings: BridgeSettings, held: bool) -> None:
        self._rate_hz = room.rate_hz
        self._ringback = settings.ringback
        self._in_room = StandIn(room.rate_hz, room.microphone_ptime_ms)
        self._by_agent = StandIn(room.rate_hz, PTIME_MS)
        self.is_held = held
        self._is_room_away = False
        self._room_hears_agent = self.agent_hears_room = False  # and nothing is to be faded out any more
        if held:
            self._by_agent.play(prompt(room.rate_hz))

    def ring(self) -> None:
        """Let the room hear ringback, until the agent is heard there."""
        if not self._room_hears_agent:
            self._in_room.play(ringback(self._rate_hz, self._ringback))

    def lose_agent(self) -> None:
        """Let the room hear comfort noise, until the agent is heard there again."""
        self._room_hears_agent = False
        self._in_room.play(comfort_noise(self._rate_hz))

    def lose_room(self) -> None:
        """Let the agent hear the prompt, until the room is back."""
        self._is_room_away = True
        self._by_agent.play(prompt(self._rate_hz))

    def room_back(self) -> None:
        """Let the agent hear the room again, unless something else is expected of the agent."""
        self._is_room_away = False

    def admit(self, leg: AgentLeg | None) -> None:
        """Let each hear the other; nothing of what ``leg`` has said so far."""
        if self.is_held and leg is not None:
            leg.begin_anew()
        self.is_held = False

    def is_in_room(self, leg: AgentLeg) -> bool:
        """Whether the room hears the agent."""
        return leg.agent_to_room.in_room and not self.is_held and not self._is_room_away

    def in_room(self, leg: AgentLeg | None, now_ns: int) -> bytes:
        """What the room hears next."""
        if leg is None:
            return self._in_room.frame()
        voice = leg.agent_to_room.pull(now_ns)  # also if it is not heard: what waits unheard would be late for ever
        if self._room_hears_agent:
            return voice
        if not self.is_in_room(leg):
            return self._in_room.frame()
        self._room_hears_agent = True
        return self._in_room.give_way(voice)

    def by_agent(self, room: bytes) -> bytes:
        """What the agent hears next: ``room``, or not."""
        if self._is_room_away and self.agent_hears_room:
            self.agent_hears_room = False
            return self._by_agent.take_over(room)
        if self.agent_hears_room:
            return room
        if self.is_held or self._is_room_away:
            return self._by_agent.frame()
        self.agent_hears_room = True
        return self._by_agent.give_way(room)
