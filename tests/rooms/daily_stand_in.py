"""
Stands in for Daily's SDK: the classes that are used of it, with its signatures. ``daily_play.py`` is the room behind.

``test_daily_stand_in.py`` holds the signatures against the installed ``daily``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from tests.rooms.daily_play import Play

new_ids = itertools.count(1)


def fields_of(participant_id: str, name: str, *, is_local: bool = False) -> dict[str, Any]:
    """A ``Participant`` of the SDK."""
    return {"id": participant_id, "info": {"isLocal": is_local, "userName": name, "isOwner": False}, "media": {}}


class AudioData:
    def __init__(self, frames: bytes, *, rate_hz: int = 16000) -> None:
        self._frames = frames
        self._rate_hz = rate_hz

    @property
    def bits_per_sample(self) -> int:
        return 16

    @property
    def sample_rate(self) -> int:
        return self._rate_hz

    @property
    def num_channels(self) -> int:
        return 1

    @property
    def num_audio_frames(self) -> int:
        return len(self._frames) // 2

    @property
    def audio_frames(self) -> bytes:
        return self._frames


class _Device:
    def __init__(self, play: Play, sample_rate: int, channels: int) -> None:
        self._play = play
        self._sample_rate = play.rate_hz or sample_rate
        self._channels = channels

    @property
    def sample_rate(self) -> int:
        return self._sample_rate

    @property
    def channels(self) -> int:
        return self._channels


class _Virtual(_Device):
    def __init__(self, play: Play, name: str, sample_rate: int, channels: int) -> None:
        super().__init__(play, sample_rate, channels)
        self._name = name

    @property
    def name(self) -> str:
        return self._name


class VirtualMicrophoneDevice(_Virtual):
    def write_frames(self, frame: bytes, completion: Callable[[int], None] | None = None) -> int:
        assert completion is not None
        assert type(frame) is bytes
        self._play.write(frame, completion)
        return 0


class VirtualSpeakerDevice(_Virtual):
    def read_frames(self, num_frame: int, completion: Callable[[bytes], None] | None = None) -> bytes:
        assert completion is not None
        self._play.read(num_frame, completion)
        return b""


class CustomAudioSource(_Device):
    play: Play

    def __init__(self, sample_rate: int, channels: int, auto_silence: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002 - theirs
        super().__init__(self.play, sample_rate, channels)

    def write_frames(self, frame: bytes, completion: Callable[[int], None] | None = None) -> int:
        assert completion is not None
        self._play.write(frame, completion)
        return 0


class CustomAudioTrack:
    def __init__(self, audio_source: CustomAudioSource) -> None:  # noqa: ARG002 - theirs
        self._id = f"track-{next(new_ids)}"

    @property
    def id(self) -> str:
        return self._id


class Daily:
    play: Play

    @staticmethod
    def init(worker_threads: int = 2, log_level: object = None) -> None:
        pass

    @classmethod
    def create_speaker_device(
        cls,
        device_name: str,
        sample_rate: int = 16000,
        channels: int = 1,
        non_blocking: bool = False,  # noqa: FBT001, FBT002 - the SDK's own signature
    ) -> VirtualSpeakerDevice:
        assert non_blocking
        return VirtualSpeakerDevice(cls.play, device_name, sample_rate, channels)

    @classmethod
    def create_microphone_device(
        cls,
        device_name: str,
        sample_rate: int = 16000,
        channels: int = 1,
        non_blocking: bool = False,  # noqa: FBT001, FBT002 - the SDK's own signature
    ) -> VirtualMicrophoneDevice:
        assert non_blocking
        return VirtualMicrophoneDevice(cls.play, device_name, sample_rate, channels)

    @classmethod
    def select_speaker_device(cls, device_name: str) -> None:
        cls.play.asked.append(f"select_speaker_device {device_name}")


class EventHandler:
    """What of the SDK's is called here."""

    def on_call_state_updated(self, state: str) -> None: ...
    def on_error(self, message: str) -> None: ...
    def on_network_connection_status_updated(self, status: Mapping[str, Any]) -> None: ...
    def on_participant_joined(self, participant: Mapping[str, Any]) -> None: ...
    def on_participant_left(self, participant: Mapping[str, Any], reason: str) -> None: ...


class CallClient:
    play: Play

    def __init__(self, event_handler: EventHandler | None = None) -> None:
        self.event_handler = cast("EventHandler", event_handler)
        self.is_joined = False
        self.joining: tuple[str, str | None, Mapping[str, Any] | None] | None = None
        self.renderers: dict[str, Callable[[str, AudioData, str], None]] = {}
        self.user_name = ""
        self.subscriptions: Mapping[str, Any] = {}
        self.is_released = False
        self.play.clients.append(self)

    def release(self) -> None:
        self.play.asked.append("release")
        if self.play.release_gate is not None:
            self.play.release_gate.wait()
        self.is_released = True

    def join(
        self,
        meeting_url: str,
        meeting_token: str | None = None,
        client_settings: Mapping[str, Any] | None = None,
        completion: Callable[[Mapping[str, Any] | None, str | None], None] | None = None,
    ) -> None:
        self.play.asked.append("join")
        self.joining = (meeting_url, meeting_token, client_settings)
        if self.play.join_raises is not None:
            raise self.play.join_raises
        assert completion is not None
        self.answer = completion
        if self.play.join_answers:
            self.play.on_thread(self.complete_join)

    def complete_join(self) -> None:
        """Answer what was asked by ``join``; by itself unless ``join_answers`` is 0."""
        play = self.play
        others = dict(play.participants)
        if play.joined_early:
            for fields in others.values():
                self.event_handler.on_participant_joined(fields)
        local = fields_of("our-own-id", self.user_name, is_local=True)
        data = {"meetingSession": {"id": "session"}, "participants": {"local": local, **others}}
        self.is_joined = play.join_error is None
        if play.out_at_once:
            self.event_handler.on_call_state_updated("left")
        for _ in range(play.join_answers):
            if play.join_error is None:
                self.answer(data, None)
            else:
                self.answer(None, play.join_error)

    def leave(self, completion: Callable[[str | None], None] | None = None) -> None:
        self.play.asked.append("leave")
        self.is_joined = False
        for state in ("leaving", "left"):
            self.play.on_thread(lambda state=state: self.event_handler.on_call_state_updated(state))  # type: ignore[misc]
        if completion is not None and self.play.leave_answers:
            self.play.on_thread(lambda: completion(None))

    def set_user_name(self, user_name: str) -> None:
        self.user_name = user_name

    def update_subscription_profiles(
        self, profile_settings: Mapping[str, Any], completion: Callable[[str | None], None] | None = None
    ) -> None:
        assert completion is None
        self.subscriptions = profile_settings

    def set_audio_renderer(
        self,
        participant_id: str,
        callback: Callable[[str, AudioData, str], None],
        audio_source: str = "microphone",
        sample_rate: int = 16000,
        callback_interval_ms: int = 20,
    ) -> None:
        assert (audio_source, sample_rate, callback_interval_ms) == ("microphone", 16000, 20)
        self.renderers[participant_id] = callback
