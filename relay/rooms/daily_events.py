"""What Daily's events say of a room: who is there, and which connections are interrupted. No SDK, no clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from relay.rooms.base import Participant

SIGNALLING: Final = frozenset({"signaling", "signalling"})
"""The connection that carries the call's state; all others carry media."""

_REASONS: Final = {"leftCall": "left"}


def is_local(fields: Mapping[str, Any]) -> bool:
    """Whether these are our own."""
    info = fields.get("info")
    return isinstance(info, Mapping) and info.get("isLocal") is True


def participant_of(fields: object) -> Participant:
    """
    Somebody of an event.

    Raises:
        ValueError: there is no id in it.
    """
    if not isinstance(fields, Mapping):
        raise ValueError(f"daily event: expected a participant with an id, got {type(fields).__name__}")  # noqa: TRY004
    participant_id, info = fields.get("id"), fields.get("info")
    if not isinstance(participant_id, str) or not participant_id:
        raise ValueError("daily event: expected a participant with an id, got none")
    name = info.get("userName") if isinstance(info, Mapping) else None
    return Participant(participant_id, name if isinstance(name, str) else "")


def reason_of(reason: object) -> str:
    """Why somebody went, in the words of rooms: ``left``; ``hidden`` as Daily says it."""
    return _REASONS.get(str(reason), str(reason))


class Roster:
    """
    Who else is in the room, each once.

    Events come before the join has completed, for those who were there already too, and perhaps after they have gone.
    """

    def __init__(self) -> None:
        self._present: dict[str, Participant] = {}
        self._gone: set[str] = set()
        self._is_joined = False

    @property
    def is_empty(self) -> bool:
        """Whether we are alone."""
        return not self._present

    def joined(self, participants: Mapping[str, Any]) -> Sequence[Participant]:
        """
        We are in, and these were there: everybody but ourselves and who went meanwhile.

        Raises:
            ValueError: one of them has no id.
        """
        for key, fields in participants.items():
            if key == "local" or is_local(fields):
                continue
            participant = participant_of(fields)
            if participant.participant_id not in self._gone:
                self._present.setdefault(participant.participant_id, participant)
        self._is_joined = True
        self._gone.clear()
        return tuple(self._present.values())

    def came(self, fields: Mapping[str, Any]) -> Participant | None:
        """
        Somebody to tell of; None: known already, ourselves, or told by ``joined``.

        Raises:
            ValueError: without an id.
        """
        participant = participant_of(fields)
        if is_local(fields) or participant.participant_id in self._present:
            return None
        self._present[participant.participant_id] = participant
        self._gone.discard(participant.participant_id)
        return participant if self._is_joined else None

    def went(self, fields: Mapping[str, Any]) -> Participant | None:
        """
        Somebody who was there and is to be told of; None: nobody knew.

        Raises:
            ValueError: without an id.
        """
        participant_id = participant_of(fields).participant_id
        known = self._present.pop(participant_id, None)
        if not self._is_joined:
            self._gone.add(participant_id)
            return None
        return known


_MEDIA: Final = "media"


class Connections:
    """
    Which of the connections that a call needs are interrupted, and for how long.

    Media may come back over another connection than they were lost on (peer to peer, or the server's two): any that
    connects counts for all of media.
    """

    def __init__(self) -> None:
        self._interrupted: set[str] = set()
        self.interrupted_ms = 0

    @property
    def are_interrupted(self) -> bool:
        """Whether the SDK is reconnecting."""
        return bool(self._interrupted)

    @property
    def is_silent(self) -> bool:
        """Whether it is media that is interrupted: nothing is heard either way."""
        return _MEDIA in self._interrupted

    def update(self, status: Mapping[str, Any]) -> None:
        """
        One of them is interrupted, or connects.

        Raises:
            ValueError: neither.
        """
        connection, event = str(status.get("connection", "")), status.get("event")
        kind = "signalling" if connection in SIGNALLING else _MEDIA
        if event == "interrupted":
            self._interrupted.add(kind)
        elif event == "connected":
            self._interrupted.discard(kind)
        else:
            raise ValueError(f"daily event: expected a connection that is connected or interrupted, got {event!r}")
        if not self._interrupted:
            self.interrupted_ms = 0

    def tick(self, passed_ms: int) -> None:
        """So much time has passed, in which this process ran."""
        if self._interrupted:
            self.interrupted_ms += passed_ms
