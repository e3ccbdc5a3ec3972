"""A room within the process, whose other side is played by test code."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from relay.errors import RoomDenied, RoomEnded, RoomLost, RoomUnreachable
from relay.media.format import pcm
from relay.rooms.base import Participant, RoomListener
from relay.rooms.device_clock import MS_NS, DeviceClock, Ticks, shared_clock
from relay.rooms.gate import ListenerGate

JOIN_TIMEOUT_MS: Final = 10_000

SpeakerSource: TypeAlias = Callable[[int], bytes | None]
"""Called with ``now_ns`` for the speaker's next frame; None: this device has nothing, and no frame comes."""
MicrophoneSink: TypeAlias = Callable[[bytes, int], None]
"""Called with what the microphone took, and ``now_ns``."""


@dataclass(slots=True)
class Recording:
    """A ``MicrophoneSink`` that keeps everything."""

    frames: list[tuple[int, bytes]] = field(default_factory=list)

    def __call__(self, pcm: bytes, now_ns: int) -> None:
        """Keep one frame."""
        self.frames.append((now_ns, pcm))

    @property
    def pcm(self) -> bytes:
        """All of it, in order."""
        return b"".join(pcm for _, pcm in self.frames)


class Speech:
    """A ``SpeakerSource`` of PCM that is queued with ``say``, and of silence when there is none."""

    def __init__(self, frame_bytes: int) -> None:
        self._frame_bytes = frame_bytes
        self._silence: Final = bytes(frame_bytes)
        self._queued = bytearray()

    def say(self, pcm: bytes) -> None:
        """Queue PCM of any whole number of samples; the last frame is filled up with silence."""
        self._queued += pcm

    def __call__(self, now_ns: int) -> bytes:  # noqa: ARG002 - a queue does not care for the time
        """The next frame."""
        if not self._queued:
            return self._silence
        frame = bytes(self._queued[: self._frame_bytes])
        del self._queued[: self._frame_bytes]
        return frame.ljust(self._frame_bytes, b"\0")


class LoopbackRoom:
    """
    A ``Room`` of one place. Both devices hang on one clock, which may drift.

    Args:
        rate_hz: any rate of the codec.
        microphone_ptime_ms: 10 or 20.
        speaker: what the room says; without it, what is given to ``say``, else silence.
        microphone: gets what the listener says; without it, that is dropped.
        drift_ppm: how much too fast the devices run.
        clock: without it, the running loop's.
        join_error: what ``join`` raises.
        join_delay_ms: what ``join`` takes, on the room's clock; above ``JOIN_TIMEOUT_MS`` it raises RoomUnreachable.
    """

    speaker_ptime_ms = 20

    def __init__(
        self,
        *,
        rate_hz: int = 16000,
        microphone_ptime_ms: int = 10,
        speaker: SpeakerSource | None = None,
        microphone: MicrophoneSink | None = None,
        drift_ppm: int = 0,
        clock: DeviceClock | None = None,
        join_error: RoomUnreachable | RoomDenied | None = None,
        join_delay_ms: int = 0,
    ) -> None:
        if microphone_ptime_ms not in {10, 20}:
            raise ValueError(f"LoopbackRoom: expected a microphone_ptime_ms of 10 or 20, got {microphone_ptime_ms}")
        self.rate_hz = rate_hz
        self.microphone_ptime_ms = microphone_ptime_ms
        self.participants: dict[str, Participant] = {}
        self._frame_bytes = pcm(rate_hz).size_bytes(self.speaker_ptime_ms)
        self._speech = Speech(self._frame_bytes)
        self._speaker = speaker or self._speech
        self._microphone = microphone
        self._drift_ppm = drift_ppm
        self._clock = clock
        self._join_error = join_error
        self._join_delay_ms = join_delay_ms
        self._gate: ListenerGate | None = None
        self._ticks: Ticks | None = None
        self._missed = 0
        self._is_left = False
        self._woken = asyncio.Event()
        self._ticks_per_frame = self.speaker_ptime_ms // microphone_ptime_ms
        self._ticks_to_frame = self._ticks_per_frame

    async def join(self, listener: RoomListener) -> Sequence[Participant]:
        """As ``Room.join``."""
        if self._gate is not None:
            raise RuntimeError("LoopbackRoom.join: a room is joined once")
        clock = self._clock or shared_clock()
        microphone_bytes = self._frame_bytes // self._ticks_per_frame
        self._gate = ListenerGate(listener, microphone_bytes=microphone_bytes, room="loopback")
        await self._connect(clock)
        self._ticks = clock.subscribe(self._tick, self.microphone_ptime_ms, drift_ppm=self._drift_ppm)
        return tuple(self.participants.values())

    async def leave(self) -> None:
        """As ``Room.leave``; also while joining."""
        self._is_left = True
        self._woken.set()
        self._stop_devices()
        if self._gate is not None:
            self._gate.shut()

    def say(self, pcm: bytes) -> None:
        """Let the room say this, after what was queued before. Not with a ``speaker`` of its own."""
        self._speech.say(pcm)

    def enter(self, participant: Participant) -> None:
        """Somebody comes."""
        self.participants[participant.participant_id] = participant
        if self._ticks is not None and self._gate is not None:
            self._gate.participant_joined(participant)

    def depart(self, participant_id: str, reason: str = "left") -> None:
        """Somebody goes."""
        participant = self.participants.pop(participant_id)
        if self._ticks is not None and self._gate is not None:
            self._gate.participant_left(participant, reason)

    def interrupt(self) -> None:
        """Nothing is heard either way until ``restore``: the listener is told, and asked as before."""
        if self._gate is not None:
            self._gate.room_interrupted()

    def restore(self) -> None:
        """It is reached again."""
        if self._gate is not None:
            self._gate.room_back()

    def close(self, error: RoomEnded | RoomLost) -> None:
        """The room is gone: the listener is told."""
        self._stop_devices()
        if self._gate is not None:
            self._gate.close(error)

    @property
    def is_joined(self) -> bool:
        """Whether our place in the room is taken."""
        return self._ticks is not None

    @property
    def counts(self) -> Mapping[str, int]:
        """As ``Room.counts``."""
        return {
            "listener_errors": self._gate.errors if self._gate is not None else 0,
            "missed_ticks": self._missed if self._ticks is None else self._ticks.missed,
        }

    async def _connect(self, clock: DeviceClock) -> None:
        if self._join_delay_ms:
            await self._wait(clock, min(self._join_delay_ms, JOIN_TIMEOUT_MS))
        if self._is_left:
            raise RoomEnded("loopback: left while joining")
        if self._join_delay_ms > JOIN_TIMEOUT_MS:
            raise RoomUnreachable(f"loopback: expected an answer within {JOIN_TIMEOUT_MS} ms, got none")
        if self._join_error is not None:
            raise self._join_error

    async def _wait(self, clock: DeviceClock, wait_ms: int) -> None:
        until_ns = clock.now_ns() + wait_ms * MS_NS

        def wake(now_ns: int) -> None:
            if now_ns >= until_ns:
                self._woken.set()

        ticks = clock.subscribe(wake, self.microphone_ptime_ms)
        try:
            await self._woken.wait()
        finally:
            ticks.stop()

    def _stop_devices(self) -> None:
        if self._ticks is not None:
            self._ticks.stop()
            self._missed = self._ticks.missed
            self._ticks = None

    def _tick(self, now_ns: int) -> None:
        gate = self._gate
        if gate is None:
            return
        taken = gate.microphone_due(now_ns)
        if self._microphone is not None:
            self._microphone(taken, now_ns)
        if self._ticks_to_frame > 1:
            self._ticks_to_frame -= 1
            return
        self._ticks_to_frame = self._ticks_per_frame
        said = self._speaker(now_ns)
        if said is not None:
            gate.speaker_frame(said, now_ns)
