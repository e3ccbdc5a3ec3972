"""What stands between a room and its listener, so that neither can break the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, ParamSpec

import structlog

from relay.errors import RoomError
from relay.rooms.base import Participant, RoomListener

P = ParamSpec("P")

log = structlog.get_logger(__name__)


class ListenerGate:
    """
    Passes a room's calls to its listener until it is shut, and keeps the room alive whatever the listener does.

    What the listener raises is logged and counted in ``errors``, as is PCM of a wrong length, in whose place silence
    goes to the room.
    """

    def __init__(self, listener: RoomListener, *, microphone_bytes: int, room: str) -> None:
        self._listener: RoomListener | None = listener
        self._microphone_bytes = microphone_bytes
        self._silence: Final = bytes(microphone_bytes)
        self._log = log.bind(room=room)
        self.errors = 0

    @property
    def is_open(self) -> bool:
        """Whether calls still pass."""
        return self._listener is not None

    def microphone_due(self, now_ns: int) -> bytes:
        """The listener's next frame, or silence."""
        if self._listener is None:
            return self._silence
        try:
            pcm = self._listener.microphone_due(now_ns)
        except Exception as error:  # noqa: BLE001 - a fault in one frame must not end the call
            self._failed("microphone_due", error)
            return self._silence
        if type(pcm) is bytes and len(pcm) == self._microphone_bytes:
            return pcm
        got = f"{len(pcm)} bytes" if type(pcm) is bytes else f"{pcm!r:.40}"
        self._failed("microphone_due", ValueError(f"expected {self._microphone_bytes} bytes, got {got}"))
        return self._silence

    def speaker_frame(self, pcm: bytes, now_ns: int) -> None:
        """As the listener's."""
        if self._listener is None:
            return
        try:
            self._listener.speaker_frame(pcm, now_ns)
        except Exception as error:  # noqa: BLE001 - as above
            self._failed("speaker_frame", error)

    def participant_joined(self, participant: Participant) -> None:
        """As the listener's."""
        if self._listener is not None:
            self._pass(self._listener.participant_joined, participant)

    def participant_left(self, participant: Participant, reason: str) -> None:
        """As the listener's."""
        if self._listener is not None:
            self._pass(self._listener.participant_left, participant, reason)

    def room_interrupted(self) -> None:
        """As the listener's."""
        if self._listener is not None:
            self._pass(self._listener.room_interrupted)

    def room_back(self) -> None:
        """As the listener's."""
        if self._listener is not None:
            self._pass(self._listener.room_back)

    def close(self, error: RoomError) -> None:
        """The room is gone: tell the listener, if it has not been told or left before. The last call of all."""
        listener, self._listener = self._listener, None
        if listener is not None:
            self._pass(listener.room_closed, error)

    def shut(self) -> None:
        """Nothing passes from here on, and nobody is told."""
        self._listener = None

    def _pass(self, call: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            call(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - as above
            self._failed(getattr(call, "__name__", "listener"), error)

    def _failed(self, call: str, error: Exception) -> None:
        self.errors += 1
        if self.errors & (self.errors - 1) == 0:  # 1, 2, 4, 8, ...: 100 calls a second must not flood the log
            self._log.error("room.listener_failed", call=call, errors=self.errors, exc_info=error)
