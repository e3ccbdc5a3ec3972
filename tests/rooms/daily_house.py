"""A stand-in of Daily's SDK with several rooms at a time, each a play: what a process of several calls has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any

from tests.rooms.daily_play import Play
from tests.rooms.daily_stand_in import CallClient, CustomAudioSource, CustomAudioTrack


class House:
    """
    ``sdk`` is to be given to each ``DailyRoom``. Whose track a client sends is found by the track's id, as in the SDK.

    Args:
        rooms: by their URLs.
    """

    def __init__(self, rooms: Mapping[str, Play]) -> None:
        self.rooms = rooms
        outside = Play()
        self.sdk: ModuleType = outside.sdk
        sources: dict[str, CustomAudioSource] = {}

        class Track(CustomAudioTrack):
            def __init__(self, audio_source: CustomAudioSource) -> None:
                super().__init__(audio_source)
                sources[self.id] = audio_source

        class Client(CallClient):
            play = outside

            def join(
                self,
                meeting_url: str,
                meeting_token: str | None = None,
                client_settings: Mapping[str, Any] | None = None,
                completion: Callable[[Mapping[str, Any] | None, str | None], None] | None = None,
            ) -> None:
                assert client_settings is not None
                self.play = rooms[meeting_url]
                self.play.clients.append(self)
                sources[client_settings["inputs"]["microphone"]["settings"]["customTrack"]["id"]]._play = self.play
                super().join(meeting_url, meeting_token, client_settings, completion)

        self.sdk.CustomAudioTrack = Track  # type: ignore[attr-defined] # as the SDK's
        self.sdk.CallClient = Client  # type: ignore[attr-defined] # as the SDK's

    @contextmanager
    def running(self) -> Iterator[None]:
        """With the threads of each room."""
        with ExitStack() as stack:
            for play in self.rooms.values():
                stack.enter_context(play.running())
            yield
