"""A room of Daily's, played by a test: who is in it, what its devices do, and when the SDK calls back."""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from types import ModuleType
from typing import Any

from relay.rooms.base import Participant
from tests.rooms.daily_stand_in import (
    AudioData,
    CallClient,
    CustomAudioSource,
    CustomAudioTrack,
    Daily,
    fields_of,
    new_ids,
)

PTIME_S = 0.01


class Manner(Enum):
    """How a device completes what it is asked."""

    PACED = "as a clock of 10 ms has it"
    EMPTY = "at once, with nothing"
    RUSHED = "at once, with all of it"
    WITHIN = "all of it, before the call has returned, on the caller's thread"
    TWICE = "as paced, and then again"
    NEVER = "never"
    RAISING = "by an exception"


@dataclass
class Play:
    """
    One room, and how the SDK behaves in it. ``sdk`` is to be given to ``DailyRoom``.

    As with the SDK, everything is called back on threads of its own.
    """

    join_error: str | None = None
    join_answers: int = 1
    join_raises: Exception | None = None
    joined_early: bool = False
    """Whether events of those who were there come before the join has completed, as the SDK's do."""
    out_at_once: bool = False
    """Whether the answer of the join comes together with our being put out."""
    release_gate: threading.Event | None = None
    leave_answers: bool = True
    rate_hz: int | None = None
    microphone: Manner = Manner.PACED
    speaker: Manner = Manner.PACED
    heard: list[bytes] = field(default_factory=list)
    """What our microphone gave, in order."""
    said: bytes = b"\x10\x00"
    """A sample that everybody says all the time; the SDK's mix saturates, as does ours."""
    participants: dict[str, dict[str, Any]] = field(default_factory=dict)
    clients: list[CallClient] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """What was called, in order."""

    def __post_init__(self) -> None:
        self.sdk = ModuleType("daily_stand_in")
        for each in (Daily, CallClient, CustomAudioSource, CustomAudioTrack):
            setattr(self.sdk, each.__name__, type(each.__name__, (each,), {"play": self}))
        self._events: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._writes: list[tuple[bytes, Callable[[int], None]]] = []
        self._reads: list[tuple[int, Callable[[bytes], None]]] = []
        self._begun = threading.Event()

    # The test's side

    def enter(self, name: str) -> Participant:
        """Somebody comes; whoever is joined is told."""
        participant_id = f"participant-{next(new_ids)}"
        self.participants[participant_id] = fields_of(participant_id, name)
        self.tell("on_participant_joined", self.participants[participant_id])
        return Participant(participant_id, name)

    def depart(self, participant_id: str, reason: str = "leftCall") -> None:
        """Somebody goes."""
        fields = self.participants.pop(participant_id, None)
        if fields is not None:
            self.tell("on_participant_left", fields, reason)

    def eject(self, message: str | None = "Meeting ended: ejected by the server") -> None:
        """Put our own client out."""
        for client in self.joined():
            client.is_joined = False
        if message is not None:
            self.tell("on_error", message)
        for state in ("leaving", "left"):
            self.tell("on_call_state_updated", state)

    def network(self, connection: str, event: str) -> None:
        """A connection is ``interrupted`` or ``connected``."""
        self.tell("on_network_connection_status_updated", {"connection": connection, "event": event})

    def tell(self, event: str, *args: Any) -> None:
        """Call every client's handler, also of those that are released."""
        for client in list(self.clients):
            self.on_thread(lambda client=client: getattr(client.event_handler, event)(*args))  # type: ignore[misc]

    def joined(self) -> list[CallClient]:
        """The clients that have a place."""
        return [client for client in self.clients if client.is_joined]

    def settle(self) -> None:
        """Wait until everything that was to be called back has been."""
        done = threading.Event()
        self.on_thread(done.set)
        assert done.wait(10)

    @contextmanager
    def running(self) -> Iterator[Play]:
        """With its threads."""
        threads = [threading.Thread(target=run, daemon=True) for run in (self._run_events, self._run_devices)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._over.set()
            self._events.put(None)
            if self.release_gate is not None:
                self.release_gate.set()
            for thread in threads:
                thread.join(10)

    # The SDK's side

    def on_thread(self, call: Callable[[], object]) -> None:
        """Call it on the thread of the SDK's events."""
        self._events.put(call)

    def write(self, frame: bytes, completion: Callable[[int], None]) -> None:
        samples = len(frame) // 2
        match self.microphone if self.joined() else Manner.EMPTY:
            case Manner.PACED | Manner.TWICE:
                with self._lock:
                    self._writes.append((frame, completion))
            case Manner.EMPTY:
                self.on_thread(lambda: completion(0))
            case Manner.RUSHED:
                self.heard.append(frame)
                self.on_thread(lambda: completion(samples))
            case Manner.WITHIN:
                self.heard.append(frame)
                completion(samples)
            case Manner.RAISING:
                raise RuntimeError("no microphone device has been attached")

    def read(self, samples: int, completion: Callable[[bytes], None]) -> None:
        match self.speaker if self.joined() and self.participants else Manner.EMPTY:
            case Manner.PACED | Manner.TWICE:
                with self._lock:
                    self._reads.append((samples, completion))
            case Manner.EMPTY:
                self.on_thread(lambda: completion(b""))
            case Manner.RUSHED:
                self.on_thread(lambda: completion(self.said * samples))
            case Manner.WITHIN:
                completion(self.said * samples)
            case Manner.RAISING:
                raise RuntimeError("no speaker device has been attached")

    def _run_events(self) -> None:
        while (call := self._events.get()) is not None:
            call()

    def _run_devices(self) -> None:
        """The device clock: a microphone takes a frame each tick, a speaker gives one every second tick."""
        begin = time.monotonic()
        for tick in itertools.count(1):
            if self._over.wait(max(0.0, begin + tick * PTIME_S - time.monotonic())):
                return
            self._take_write()
            if tick % 2 == 0:
                self._answer_read()
                self._render()

    def _take_write(self) -> None:
        with self._lock:
            frame, completion = self._writes.pop(0) if self._writes else (b"", None)
        if completion is not None:
            self.heard.append(frame)
            for _ in range(2 if self.microphone is Manner.TWICE else 1):
                completion(len(frame) // 2)

    def _answer_read(self) -> None:
        with self._lock:
            samples, completion = self._reads.pop(0) if self._reads else (0, None)
        if completion is not None:
            for _ in range(2 if self.speaker is Manner.TWICE else 1):
                completion(self.said * samples if self.participants else b"")

    def _render(self) -> None:
        for client in self.joined():
            for participant_id, renderer in list(client.renderers.items()):
                if participant_id in self.participants:
                    renderer(participant_id, AudioData(self.said * 320), "microphone")
