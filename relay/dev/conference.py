"""A room of the local room server: who is in it, and a mixer that gives each participant everyone else."""

from __future__ import annotations

from typing import Final

from relay._codec import mix
from relay.dev.seat import STEP_BYTES, Seat
from relay.rooms.base import Participant
from relay.rooms.outbox import Outbox
from relay.rooms.wire import Joined, ParticipantJoined, ParticipantLeft, RoomEvent, event_text

SILENCE: Final = bytes(STEP_BYTES)


class Conference:
    """Any number of seats, by participant_id."""

    def __init__(self) -> None:
        self.seats: dict[str, Seat] = {}

    def enter(self, participant: Participant, outbox: Outbox) -> Seat:
        """Take a seat: the newcomer is told of the others, and they of it."""
        others = tuple(seat.participant for seat in self.seats.values())
        outbox.put_event(event_text(Joined(participant.participant_id, others)))
        self._tell(ParticipantJoined(participant))
        seat = self.seats[participant.participant_id] = Seat(participant, outbox)
        return seat

    def leave(self, seat: Seat, reason: str) -> None:
        """Leave the seat: the others are told."""
        del self.seats[seat.participant.participant_id]
        self._tell(ParticipantLeft(seat.participant, reason))

    def _tell(self, event: RoomEvent) -> None:
        text = event_text(event)
        for seat in self.seats.values():
            seat.outbox.put_event(text)

    def step(self) -> None:
        """10 ms: take what each says, and let each hear the others, saturated where they are too loud together."""
        said = {seat: step for seat in self.seats.values() if (step := seat.heard.pull()) is not None}
        for seat in self.seats.values():
            others = [step for other, step in said.items() if other is not seat]
            seat.hear(mix(others) if others else SILENCE)
