"""Who is in the room, and whether the customer is among them."""

from __future__ import annotations

from collections.abc import Iterable

from relay.rooms.base import Participant


class Presence:
    """
    Follows the participants of one room.

    With a ``customer_id`` the customer is whoever has that id or name, from the first who has it on; until then, and
    without, anybody but the bot: an id that nobody has must not end a call that a customer waits for.

    Args:
        customer_id: a participant's id or name.
        bot_id: a participant's id or name; without, the bot passes for a customer.
    """

    def __init__(self, *, customer_id: str | None, bot_id: str | None) -> None:
        self._customer_id = customer_id
        self._bot_id = bot_id
        self._participants: dict[str, Participant] = {}
        self._gone: set[str] = set()
        self._in_room = False
        self._is_customer_known = False
        self.absent_since_ns: int | None = None
        """Since when the customer is away; None if present, and before we are in the room."""
        self.was_seen = False
        """Whether the customer has ever been there."""

    def joined_room(self, participants: Iterable[Participant], now_ns: int) -> None:
        """We are in the room, and these were there before; who went since then has been reported already."""
        before = {each.participant_id: each for each in participants if each.participant_id not in self._gone}
        self._participants = before | self._participants
        for participant in before.values():
            self._recognise(participant)
        self._in_room = True
        self._note_absence(now_ns)

    def came(self, participant: Participant, now_ns: int) -> None:
        """Somebody came."""
        self._recognise(participant)
        self._participants[participant.participant_id] = participant
        self._gone.discard(participant.participant_id)
        self._note_absence(now_ns)

    def left(self, participant: Participant, now_ns: int) -> None:
        """Somebody left."""
        self._recognise(participant)
        self._participants.pop(participant.participant_id, None)
        self.was_seen = self.was_seen or self._is_customer(participant)  # perhaps before we were in the room
        self._gone.add(participant.participant_id)
        self._note_absence(now_ns)

    @property
    def count(self) -> int:
        """Others in the room."""
        return len(self._participants)

    @property
    def is_unmatched(self) -> bool:
        """Whether the ``customer_id`` is nobody's so far."""
        return self._customer_id is not None and not self._is_customer_known

    def _recognise(self, participant: Participant) -> None:
        if self._customer_id in (participant.participant_id, participant.name):
            self._is_customer_known = True

    def _note_absence(self, now_ns: int) -> None:
        if any(self._is_customer(each) for each in self._participants.values()):
            self.absent_since_ns = None
            self.was_seen = True
        elif self.absent_since_ns is None and self._in_room:
            self.absent_since_ns = now_ns

    def _is_customer(self, participant: Participant) -> bool:
        ids = (participant.participant_id, participant.name)
        if self._is_customer_known:
            return self._customer_id in ids
        return self._bot_id not in ids
