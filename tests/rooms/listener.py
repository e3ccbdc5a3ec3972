"""A listener that plays a tone, keeps what it is told, and can be waited on; and the loop it all runs on."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import numpy as np
import uvloop

from relay.errors import RoomError
from relay.rooms.base import Participant
from tests.signals import pcm, samples_of

T = TypeVar("T")
RATE_HZ = 16000
FAILURE_S = 10.0  # a bound for what never comes; nothing is waited for by time


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end on uvloop, within a bound; no task may be left."""

    async def bounded() -> T:
        async with asyncio.timeout(FAILURE_S):
            result = await coroutine
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return result

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(bounded())


class Listener:
    """Says a steady tone (0 Hz: silence), and records the room."""

    def __init__(self, tone_hz: float = 0, *, ptime_ms: int = 20, level: float = 8000) -> None:
        self.asked_ns: list[int] = []
        self.heard: list[tuple[int, bytes]] = []
        self.joined: list[Participant] = []
        self.left: list[tuple[Participant, str]] = []
        self.interruptions: list[str] = []
        self.closed: list[RoomError] = []
        self.calls = 0
        self._step = RATE_HZ * ptime_ms // 1000
        self._tone = (tone_hz, level)
        self._waiters: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    def microphone_due(self, now_ns: int) -> bytes:
        at = np.arange(self._step) + len(self.asked_ns) * self._step
        self.asked_ns.append(now_ns)
        self._changed()
        frequency_hz, level = self._tone
        return pcm(level * np.sin(2 * np.pi * frequency_hz * at / RATE_HZ))

    def speaker_frame(self, pcm: bytes, now_ns: int) -> None:
        self.heard.append((now_ns, pcm))
        self._changed()

    def participant_joined(self, participant: Participant) -> None:
        self.joined.append(participant)
        self._changed()

    def participant_left(self, participant: Participant, reason: str) -> None:
        self.left.append((participant, reason))
        self._changed()

    def room_interrupted(self) -> None:
        self.interruptions.append("interrupted")
        self._changed()

    def room_back(self) -> None:
        self.interruptions.append("back")
        self._changed()

    def room_closed(self, error: RoomError) -> None:
        self.closed.append(error)
        self._changed()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a call of the room makes it true."""
        if not condition():
            future = asyncio.get_running_loop().create_future()
            self._waiters.append((condition, future))
            await future

    async def has_heard(self, frames: int) -> None:
        """Wait until so many frames have come since it joined."""
        await self.until(lambda: len(self.heard) >= frames)

    async def hears(self, frames: int) -> "Any":
        """The samples of the next ``frames`` frames."""
        begin = len(self.heard)
        await self.until(lambda: len(self.heard) >= begin + frames)
        return samples_of(b"".join(pcm for _, pcm in self.heard[begin : begin + frames]))

    def _changed(self) -> None:
        self.calls += 1
        for condition, future in self._waiters:
            if not future.done() and condition():
                future.set_result(None)
        self._waiters = [waiter for waiter in self._waiters if not waiter[1].done()]


def level(samples: Any, tone_hz: float) -> float:
    """The amplitude of one tone, by correlation; of whole periods."""
    turns = np.exp(-2j * np.pi * tone_hz * np.arange(len(samples)) / RATE_HZ)
    return float(2 * abs(np.mean(np.asarray(samples) * turns)))
