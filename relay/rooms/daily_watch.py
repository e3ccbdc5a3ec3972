"""What happens in a call at Daily, as it concerns the room: who comes and goes, and what ends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from structlog.typing import FilteringBoundLogger

from relay.errors import RoomEnded, RoomError, RoomLost
from relay.rooms.base import Participant
from relay.rooms.daily_devices import Ears, Microphone
from relay.rooms.daily_errors import cleaned, explains_end, is_end
from relay.rooms.daily_events import Connections, Roster, is_local, participant_of, reason_of
from relay.rooms.gate import ListenerGate

RECONNECT_MAX_MS: Final = 20_000
"""How long the SDK may take to reconnect, and how long one of its devices may answer nothing."""


class CallWatch:
    """
    Is told by the SDK, on the loop's thread, and tells the listener.

    Args:
        room_url: for messages.
        gate: to the listener.
        close: told once joined, when the room is gone.
        log: bound to the room.
    """

    def __init__(
        self, room_url: str, *, gate: ListenerGate, close: Callable[[RoomError], None], log: FilteringBoundLogger
    ) -> None:
        self._room_url = room_url
        self._gate = gate
        self._close = close
        self._log = log
        self._roster = Roster()
        self._connections = Connections()
        self._last_error = ""
        self._our_id = ""
        self._is_out = False
        self._microphone: Microphone | None = None
        self._ears: Ears | None = None
        self._taken_frames = 0
        self._untaken_ms = 0
        self.bad_events = 0

    def joined(self, participants: Mapping[str, Any]) -> Sequence[Participant]:
        """
        We are in. Returns who else is.

        Raises:
            RoomEnded: and out again.
            ValueError: the SDK's participants cannot be read.
        """
        if self._is_out:
            raise RoomEnded(f"{self._room_url}: {self._last_error or 'the call was left'}")
        others = self._roster.joined(participants)
        local = participants.get("local")
        self._our_id = participant_of(local).participant_id if local is not None else ""
        return others

    def devices_run(self, microphone: Microphone, ears: Ears, others: Sequence[Participant]) -> None:
        """From here on these are watched, and everybody is heard."""
        self._microphone, self._ears = microphone, ears
        for participant in others:
            ears.came(participant.participant_id)
        if self._connections.is_silent:
            self._tell_silence()

    @property
    def is_silent(self) -> bool:
        """Nothing is heard either way: the SDK is reconnecting."""
        return self._connections.is_silent

    def tick(self, passed_ms: int) -> None:
        """So much time has passed, in which this process ran. Looks at what has taken too long."""
        self._connections.tick(passed_ms)
        if self._connections.interrupted_ms >= RECONNECT_MAX_MS:
            self._close(RoomLost(f"{self._room_url}: not reconnected within {RECONNECT_MAX_MS} ms"))
        elif self._microphone is not None and self._ears is not None:
            unanswered_ms = max(self._microphone.unanswered_ms, self._ears.unanswered_ms)
            if unanswered_ms >= RECONNECT_MAX_MS:
                self._close(RoomLost(f"{self._room_url}: a device has answered nothing for {unanswered_ms} ms"))
            elif self._untaken_for_ms(self._microphone, passed_ms) >= RECONNECT_MAX_MS:
                self._close(RoomLost(f"{self._room_url}: the microphone has taken nothing for {self._untaken_ms} ms"))

    def _untaken_for_ms(self, microphone: Microphone, passed_ms: int) -> int:
        """For how long a microphone that has taken frames has taken none, though somebody is there to hear them."""
        is_needed = microphone.taken_frames > 0 and not self._roster.is_empty and not self._connections.is_silent
        if not is_needed or microphone.taken_frames != self._taken_frames:
            self._taken_frames = microphone.taken_frames
            self._untaken_ms = 0
        else:
            self._untaken_ms += passed_ms
        return self._untaken_ms

    def told(self, tell: Callable[..., None], *args: Any) -> None:
        """Take what the SDK tells, if it can be read."""
        try:
            tell(*args)
        except (AttributeError, KeyError, TypeError, ValueError) as error:  # what a field of another kind raises
            self.bad_event(error)

    def bad_event(self, error: BaseException) -> None:
        """Count what could not be read, or used."""
        self.bad_events += 1
        if self.bad_events & (self.bad_events - 1) == 0:  # 1, 2, 4, ...
            self._log.warning("daily_room.bad_event", problem=cleaned(repr(error)), bad_events=self.bad_events)

    def participant_came(self, fields: Mapping[str, Any]) -> None:
        """Somebody came, or was there: the SDK says so of those, too."""
        participant = self._roster.came(fields)
        if participant is not None and self._ears is not None:
            self._ears.came(participant.participant_id)
            self._gate.participant_joined(participant)

    def participant_went(self, fields: Mapping[str, Any], reason: str) -> None:
        """Somebody left, or hid; if that was us, our place is gone."""
        if is_local(fields) or participant_of(fields).participant_id == self._our_id:
            self.call_state_changed("left")
            return
        participant = self._roster.went(fields)
        if participant is not None and self._ears is not None:
            self._ears.left(participant.participant_id)
            self._gate.participant_left(participant, reason_of(reason))

    def call_state_changed(self, state: str) -> None:
        """``left`` is the server's doing, or the network's: of our own leaving nothing arrives here."""
        if state != "left":
            return
        self._is_out = True
        if self._ears is None:
            return  # the join fails, or has just been answered
        is_lost = self._connections.are_interrupted and not explains_end(self._room_url, self._last_error)
        why = self._last_error or "the call was left"
        self._close((RoomLost if is_lost else RoomEnded)(f"{self._room_url}: {why}"))

    def failed(self, message: str) -> None:
        """An error of the SDK: an end if it says so; else why an end comes, or nothing more."""
        self._last_error = cleaned(message)
        self._log.warning("daily_room.error", error=self._last_error)
        if self._ears is not None and is_end(self._room_url, self._last_error):
            self._close(RoomEnded(f"{self._room_url}: {self._last_error}"))

    def connection_changed(self, status: Mapping[str, Any]) -> None:
        """One of the call's connections was interrupted, or is back."""
        was_silent = self._connections.is_silent
        self._connections.update(status)
        if self._connections.is_silent != was_silent:
            self._tell_silence()
        self._log.info("daily_room.network", connection=status.get("connection"), status=status.get("event"))

    def _tell_silence(self) -> None:
        if self._ears is None:
            return  # told when the devices run, if it still is so then
        if self._connections.is_silent:
            self._gate.room_interrupted()
        else:
            self._gate.room_back()
