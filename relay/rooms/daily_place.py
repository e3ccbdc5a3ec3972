"""Our place in one Daily room: the SDK's call, its devices, and who is told, held together from join to leave."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import ModuleType
from typing import Any, TypeAlias

from structlog.typing import FilteringBoundLogger

from relay.errors import RoomError, RoomUnreachable
from relay.rooms.base import Participant
from relay.rooms.daily_call import Backend, SdkCall
from relay.rooms.daily_callbacks import Crossing, SdkThread
from relay.rooms.daily_devices import TICK_MS, Ears, Filler, Microphone, Speaker
from relay.rooms.daily_errors import cleaned, join_error
from relay.rooms.daily_tracks import TrackMixer
from relay.rooms.daily_watch import CallWatch
from relay.rooms.device_clock import DeviceClock, Ticks
from relay.rooms.gate import ListenerGate

JoinAnswer: TypeAlias = tuple[Mapping[str, Any] | None, str | None]
"""The SDK's data of a call that was joined, or its error."""


class Place:
    """
    Joined once and taken down once, on a running loop.

    Args:
        room_url: of the room.
        sdk: ``daily``, or what stands in for it.
        backend: how audio goes in and out.
        gate: to the listener.
        clock: what the devices are held to.
        events_of: makes the SDK's event handler.
        log: bound to the room.
    """

    def __init__(
        self,
        room_url: str,
        *,
        sdk: ModuleType,
        backend: Backend,
        gate: ListenerGate,
        clock: DeviceClock,
        events_of: Callable[[Crossing, CallWatch], object],
        log: FilteringBoundLogger,
    ) -> None:
        self._room_url = room_url
        self._backend = backend
        self._gate = gate
        self._clock = clock
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._crossing = Crossing(self._loop)
        self._thread = SdkThread(self._loop, name="relay-daily")
        self._call = SdkCall(sdk, backend)
        self._watch = CallWatch(room_url, gate=gate, close=self._close, log=log)
        self._events = events_of(self._crossing, self._watch)
        self._microphone: Microphone | None = None
        self._ears: Ears | None = None
        self._filler = Filler(gate.speaker_frame)
        self._ticks: Ticks | None = None
        self._taking_down: asyncio.Future[None] | None = None
        self.is_answered = False
        """Whether the SDK has joined, or failed to: until then it can neither leave nor be released."""

    @property
    def missed_ticks(self) -> int:
        """Of the clock that the devices are held to."""
        return self._ticks.missed if self._ticks is not None else 0

    @property
    def dropped_frames(self) -> int:
        """That the listener gave and the SDK did not take."""
        return self._microphone.dropped_frames if self._microphone is not None else 0

    @property
    def bad_messages(self) -> int:
        """Events and audio of the SDK that could not be used."""
        return self._watch.bad_events + (self._ears.bad_frames if self._ears is not None else 0)

    async def join(self, token: str | None, name: str) -> Mapping[str, Any]:
        """
        Join, after however long. Returns the SDK's participants, ourselves among them.

        Raises:
            RoomUnreachable: or another, by what the SDK answers.
        """
        answer: asyncio.Future[JoinAnswer] = self._loop.create_future()

        def answered(data: Mapping[str, Any] | None, error: str | None) -> None:
            self.is_answered = True
            if not answer.done():
                answer.set_result((data, error))

        join = partial(self._call.join, self._room_url, token, name=name, events=self._events)
        try:
            await self._thread.run(partial(join, completion=self._crossing.once(answered)))
        except RoomError:
            raise
        except Exception as error:  # noqa: BLE001 - of no known class
            self.is_answered = True
            # Not from it: its own text may contain the token.
            raise join_error(self._room_url, cleaned(repr(error), secrets=(token or "",))) from None
        data, problem = await answer
        if problem is not None:
            raise join_error(self._room_url, cleaned(problem, secrets=(token or "",)))
        return (data or {}).get("participants") or {}

    def start(self, participants: Mapping[str, Any]) -> Sequence[Participant]:
        """
        Start the devices of a call that was joined. Returns who else is there.

        Raises:
            RoomUnreachable: the participants cannot be read.
        """
        try:
            others = self._watch.joined(participants)
        except (AttributeError, ValueError) as error:
            raise RoomUnreachable(f"{self._room_url}: {error}") from error
        now_ns = self._clock.now_ns
        self._microphone = Microphone(
            self._call.write, due=self._gate.microphone_due, crossing=self._crossing, now_ns=now_ns
        )
        if self._backend is Backend.VIRTUAL:
            self._ears = Speaker(self._call.read, heard=self._filler, crossing=self._crossing, now_ns=now_ns)
        else:
            self._ears = TrackMixer(heard=self._filler, listen=self._listen)
        self._watch.devices_run(self._microphone, self._ears, others)
        self._ticks = self._clock.subscribe(self._tick, TICK_MS)
        self._log.info("daily_room.joined", others=len(others))
        return others

    def begin_take_down(self) -> None:
        """Give it up, in the SDK's thread, after whatever that is still at. Nothing arrives from here on."""
        if self._taking_down is None:
            self._stop()
            self._taking_down = self._thread.run(self._call.take_down)
            self._thread.end()

    async def taken_down(self, timeout_s: float) -> bool:
        """
        Whether everything is released, or is within the time.

        Raises:
            Exception: what the SDK raised instead.
        """
        self.begin_take_down()
        if self._taking_down is None:
            return False
        await asyncio.wait([self._taking_down], timeout=timeout_s)
        return self._taking_down.done() and self._taking_down.result() is None

    def _tick(self, now_ns: int) -> None:
        if self._microphone is not None and self._ears is not None:
            self._microphone.tick(now_ns)
            self._ears.tick(now_ns)
            if self._watch.is_silent:
                self._filler.tick(now_ns)
            self._watch.tick(TICK_MS)

    def _listen(self, participant_id: str) -> None:
        """Have somebody's track given to the mixer. It is asked for in the SDK's thread, as it may block."""

        def heard(_participant_id: str, audio: Any, _source: str) -> None:
            mixer = self._ears
            if isinstance(mixer, TrackMixer):
                self._crossing.call(
                    mixer.put,
                    participant_id,
                    audio.audio_frames,
                    rate_hz=audio.sample_rate,
                    channels=audio.num_channels,
                    sample_bits=audio.bits_per_sample,
                )

        def asked(answer: asyncio.Future[None]) -> None:
            if not answer.cancelled() and (error := answer.exception()) is not None:
                self._watch.bad_event(error)

        self._thread.run(partial(self._call.listen, participant_id, heard)).add_done_callback(asked)

    def _close(self, error: RoomError) -> None:
        """The room is gone: nothing arrives any longer. Whoever is told leaves, and that releases."""
        self._log.info("daily_room.closed", error=repr(error))
        self._stop()
        self._gate.close(error)

    def _stop(self) -> None:
        self._crossing.shut()
        if self._ticks is not None:
            self._ticks.stop()
