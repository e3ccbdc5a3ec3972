"""What is in flight when a call is taken down: waited for, and if it does not complete, its device is never dropped."""

from __future__ import annotations

import threading

import pytest

from relay.rooms import daily_call
from relay.rooms.daily_call import Backend, SdkCall
from tests.rooms.daily_play import Manner, Play
from tests.rooms.daily_stand_in import EventHandler


def call_of(play: Play, backend: Backend) -> SdkCall:
    """A call that has joined."""
    call, joined = SdkCall(play.sdk, backend), threading.Event()
    call.join("https://relay.daily.co/x", None, name="relay", events=EventHandler(), completion=lambda *_: joined.set())
    assert joined.wait(10)
    return call


@pytest.mark.parametrize("backend", Backend)
def test_a_write_in_flight_completes_before_the_device_is_dropped(backend: Backend) -> None:
    with Play().running() as play:
        call, completed = call_of(play, backend), list[int]()
        call.write(bytes(320), completed.append)
        kept = len(daily_call._undropped)
        call.take_down()
        assert (completed, len(daily_call._undropped)) == ([160], kept)
        with pytest.raises(RuntimeError, match="being taken down"):
            call.write(bytes(320), completed.append)


def test_a_device_whose_write_does_not_complete_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dropping it would stop the process: seen with 0.36.0, whose track waits for its own thread with the GIL held."""
    monkeypatch.setattr(daily_call, "COMPLETION_TIMEOUT_S", 0.01)
    monkeypatch.setattr(daily_call, "_undropped", [])
    with Play(microphone=Manner.NEVER).running() as play:
        call = call_of(play, Backend.TRACKS)
        call.write(bytes(320), lambda _samples: None)
        call.take_down()
        assert len(daily_call._undropped) == 1


def test_a_device_that_raises_has_nothing_in_flight() -> None:
    with Play(microphone=Manner.RAISING, speaker=Manner.RAISING).running() as play:
        play.enter("customer")
        call = call_of(play, Backend.VIRTUAL)
        with pytest.raises(RuntimeError, match="no microphone"):
            call.write(bytes(320), lambda _: None)
        with pytest.raises(RuntimeError, match="no speaker"):
            call.read(320, lambda _: None)
        assert not call._underway._underway
        call.take_down()
