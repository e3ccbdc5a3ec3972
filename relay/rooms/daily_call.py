"""One call of Daily's SDK: its devices, its client, and what is said to them. Of the SDK only what it is given."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from enum import Enum
from types import ModuleType
from typing import Any, Final, TypeAlias, TypeVar

from relay.errors import RoomUnreachable
from relay.rooms.daily_callbacks import Crossing
from relay.rooms.daily_devices import CHANNELS, RATE_HZ, SPEAKER_PTIME_MS
from relay.rooms.daily_watch import CallWatch

LEAVE_TIMEOUT_S: Final = 2.0
"""How long a client may take to leave before it is released all the same."""

# Of the others only what they say: the bridge has no use for what it would cost to receive the rest.
SUBSCRIPTIONS: Final = {
    "base": {
        "microphone": "subscribed",
        "camera": "unsubscribed",
        "screenVideo": "unsubscribed",
        "screenAudio": "unsubscribed",
    }
}

# WebRTC's voice processing is made for a microphone in a room with a loudspeaker. What comes from a phone line it would
# level, take for noise, or turn down while the customer talks. (AudioInputSettings, docs.daily.co/reference/python.)
UNPROCESSED: Final = {
    "autoGainControl": {"exact": False},
    "echoCancellation": {"exact": False},
    "noiseSuppression": {"exact": False},
}

COMPLETION_TIMEOUT_S: Final = 0.5
"""How long what is in flight may take to complete before the devices are dropped: 20 ms, at real time."""

RETURN_S: Final = 0.05
"""What the thread that has completed the last gets to return to the SDK: see ``_undropped``."""

T = TypeVar("T")

JoinAnswered: TypeAlias = Callable[[Mapping[str, Any] | None, str | None], None]


class Backend(Enum):
    """How audio comes into the SDK and out of it. ``docs/rooms.md`` says what each costs and isolates."""

    VIRTUAL = "virtual"
    """A virtual microphone and speaker: one of each can be active in a process."""

    TRACKS = "tracks"
    """A custom audio track out, and each participant's track in: any number of rooms in a process."""


_lock: Final = threading.Lock()
_initialised: Final[weakref.WeakSet[ModuleType]] = weakref.WeakSet()
_virtual: Final[weakref.WeakSet[ModuleType]] = weakref.WeakSet()
"""The SDKs whose virtual devices are taken. There is one SDK in a process, but in tests."""

_numbers: Final = itertools.count(1)

_undropped: Final[list[object]] = []
"""
Devices that still had something in flight, kept for good.

To drop a CustomAudioTrack waits for the thread that completes its writes, and holds the GIL meanwhile, which that
thread waits for in order to complete: the whole process would stand still (seen with 0.36.0).
"""


class _Underway:
    """What is in flight, on whatever threads it begins and ends."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._underway: set[int] = set()
        self._is_refusing = False

    def begin(self) -> int | None:
        """One more, and its number; None: not any longer."""
        with self._changed:
            if self._is_refusing:
                return None
            number = next(_numbers)
            self._underway.add(number)
            return number

    def end(self, number: int) -> None:
        """That one has ended, perhaps not for the first time."""
        with self._changed:
            self._underway.discard(number)
            self._changed.notify_all()

    def refuse(self) -> None:
        """Let none begin from here on."""
        with self._changed:
            self._is_refusing = True

    def wait_none(self, timeout_s: float) -> bool:
        """Whether all have ended within the time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._underway, timeout_s)


class SdkCall:
    """
    A client with its devices, from ``join`` to ``take_down``. Its calls may block: they belong in a ``SdkThread``.

    Args:
        sdk: ``daily``, or what stands in for it.
        backend: which devices.
    """

    def __init__(self, sdk: ModuleType, backend: Backend) -> None:
        self._sdk = sdk
        self._backend = backend
        self._client: Any = None
        self._holds_devices = False
        self._speaker: Any = None
        self._microphone: Any = None
        self._track: Any = None  # the SDK sends it for as long as it is referred to
        self._underway = _Underway()

    def join(self, room_url: str, token: str | None, *, name: str, events: object, completion: JoinAnswered) -> None:
        """
        Make the devices and begin to join; ``completion`` is called on any thread.

        Raises:
            RoomUnreachable: another call of this process has its virtual devices, or they are not as they were ordered.
            Exception: whatever the SDK raises.
        """
        with _lock:
            if self._sdk not in _initialised:
                self._sdk.Daily.init()
                _initialised.add(self._sdk)
        microphone = self._make_virtual() if self._backend is Backend.VIRTUAL else self._make_track()
        self._client = client = self._sdk.CallClient(event_handler=events)
        client.update_subscription_profiles(SUBSCRIPTIONS)
        client.set_user_name(name)
        inputs = {"camera": {"isEnabled": False}, "microphone": {"isEnabled": True, "settings": microphone}}
        client.join(room_url, token, client_settings={"inputs": inputs}, completion=completion)

    def write(self, frame: bytes, completion: Callable[[int], None]) -> object:
        """
        Give the microphone a frame; returns at once.

        Raises:
            RuntimeError: the call is being taken down.
            Exception: whatever the SDK raises.
        """
        return self._ask(lambda done: self._microphone.write_frames(frame, completion=done), completion)

    def read(self, samples: int, completion: Callable[[bytes], None]) -> object:
        """Ask the speaker for so many samples, which the SDK calls frames; else as ``write``."""
        return self._ask(lambda done: self._speaker.read_frames(samples, completion=done), completion)

    def _ask(self, ask: Callable[[Callable[[T], None]], object], completion: Callable[[T], None]) -> object:
        number = self._underway.begin()
        if number is None:
            raise RuntimeError("SdkCall: the call is being taken down")

        def completed(result: T) -> None:
            completion(result)
            self._underway.end(number)

        try:
            return ask(completed)
        except BaseException:
            self._underway.end(number)
            raise

    def listen(self, participant_id: str, heard: Callable[[str, Any, str], None]) -> None:
        """Have somebody's track given to ``heard``, on any thread, until they have left."""
        if self._client is not None:
            self._client.set_audio_renderer(
                participant_id,
                heard,
                audio_source="microphone",
                sample_rate=RATE_HZ,
                callback_interval_ms=SPEAKER_PTIME_MS,
            )

    def take_down(self) -> None:
        """Leave, then release everything: released within a call, clients have crashed (fixed in 0.28.1 and 0.30)."""
        self._underway.refuse()
        client, self._client = self._client, None
        if client is not None:
            left = threading.Event()
            with contextlib.suppress(Exception):  # a client that cannot leave is released all the same
                client.leave(completion=lambda _error: left.set())
                left.wait(LEAVE_TIMEOUT_S)
            client.release()
        devices = (self._speaker, self._microphone, self._track)
        self._speaker = self._microphone = self._track = None
        if not self._underway.wait_none(COMPLETION_TIMEOUT_S):
            _undropped.append(devices)
        elif self._backend is Backend.TRACKS:
            time.sleep(RETURN_S)
        del devices
        if self._holds_devices:  # and not if release() hangs: the call may still be using them
            self._holds_devices = False
            with _lock:
                _virtual.discard(self._sdk)

    def _make_virtual(self) -> Mapping[str, object]:
        with _lock:
            if self._sdk in _virtual:
                raise RoomUnreachable("expected no other call of this process on its virtual devices, got one")
            _virtual.add(self._sdk)
        self._holds_devices = True
        number, make = next(_numbers), self._sdk.Daily
        self._speaker = make.create_speaker_device(f"relay-speaker-{number}", RATE_HZ, CHANNELS, non_blocking=True)
        self._microphone = make.create_microphone_device(
            f"relay-microphone-{number}", RATE_HZ, CHANNELS, non_blocking=True
        )
        _check(self._speaker)
        _check(self._microphone)
        make.select_speaker_device(self._speaker.name)
        return {"deviceId": self._microphone.name, "customConstraints": UNPROCESSED}

    def _make_track(self) -> Mapping[str, object]:
        self._microphone = self._sdk.CustomAudioSource(RATE_HZ, CHANNELS)
        _check(self._microphone)
        self._track = self._sdk.CustomAudioTrack(self._microphone)
        return {"customTrack": {"id": self._track.id}}


def _check(device: Any) -> None:
    """The SDK makes devices of any rate without complaint: what it has made is looked at here."""
    got = (device.sample_rate, device.channels)
    if got != (RATE_HZ, CHANNELS):
        raise RoomUnreachable(f"expected a device of {RATE_HZ} Hz and {CHANNELS} channel, got {got[0]} Hz and {got[1]}")


class CrossingEvents:
    """What the SDK calls, on threads of its own, crosses to the watch. To be mixed into its ``EventHandler``."""

    crossing: Crossing
    watch: CallWatch

    def on_participant_joined(self, participant: Mapping[str, Any]) -> None:
        """Somebody came, or was there."""
        self.crossing.call(self.watch.told, self.watch.participant_came, participant)

    def on_participant_left(self, participant: Mapping[str, Any], reason: str) -> None:
        """Somebody left, or hid."""
        self.crossing.call(self.watch.told, self.watch.participant_went, participant, reason)

    def on_call_state_updated(self, state: str) -> None:
        """``joining``, ``joined``, ``leaving``, ``left``."""
        self.crossing.call(self.watch.told, self.watch.call_state_changed, state)

    def on_error(self, message: str) -> None:
        """Something failed; not everything does so for good."""
        self.crossing.call(self.watch.told, self.watch.failed, message)

    def on_network_connection_status_updated(self, status: Mapping[str, Any]) -> None:
        """A connection was interrupted, or connects."""
        self.crossing.call(self.watch.told, self.watch.connection_changed, status)
