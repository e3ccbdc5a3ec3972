"""The gate between a room and its listener: neither breaks the other."""

from typing import Any, cast

import pytest
import structlog

from relay.errors import RoomLost
from relay.rooms.base import Participant, RoomListener
from relay.rooms.gate import ListenerGate

FRAME = bytes(range(4))


class Broken:
    """A listener whose every call does what it is told to."""

    def __init__(self, answer: Any = FRAME, error: Exception | None = None) -> None:
        self.answer, self.error = answer, error
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        def call(*_: Any) -> Any:
            self.calls.append(name)
            if self.error is not None:
                raise self.error
            return self.answer

        return call


def gate_of(listener: Broken) -> ListenerGate:
    return ListenerGate(cast("RoomListener", listener), microphone_bytes=len(FRAME), room="here")


def test_frames_pass_both_ways() -> None:
    listener = Broken()
    gate = gate_of(listener)
    assert gate.microphone_due(1) is FRAME
    gate.speaker_frame(FRAME, 2)
    assert (listener.calls, gate.errors, gate.is_open) == (["microphone_due", "speaker_frame"], 0, True)


@pytest.mark.parametrize(
    "answer", [b"", FRAME[1:], FRAME + FRAME, bytearray(FRAME), memoryview(FRAME), "four", None, 4]
)
def test_what_is_no_frame_is_silence_for_the_room_and_counted(answer: object) -> None:
    gate = gate_of(Broken(answer))
    with structlog.testing.capture_logs() as logs:
        assert gate.microphone_due(1) == bytes(len(FRAME))
    assert gate.errors == 1
    [log] = logs
    assert (log["event"], log["call"]) == ("room.listener_failed", "microphone_due")
    assert str(log["exc_info"]).startswith("expected 4 bytes, got ")


def test_a_listener_that_raises_costs_its_own_frame() -> None:
    listener = Broken(error=ZeroDivisionError("a defect"))
    gate = gate_of(listener)
    with structlog.testing.capture_logs() as logs:
        assert gate.microphone_due(1) == bytes(len(FRAME))
        for frame in (FRAME, bytearray(FRAME)):
            gate.speaker_frame(cast("bytes", frame), 2)
        gate.participant_joined(Participant("a", "A"))
        gate.participant_left(Participant("a", "A"), "left")
        gate.room_interrupted()
        gate.room_back()
    assert gate.errors == len(listener.calls) == 7
    assert [log["errors"] for log in logs] == [1, 2, 4]  # a hundred a second must not flood the log


def test_nothing_passes_a_gate_that_is_shut_or_closed() -> None:
    shut, closed = Broken(), Broken()
    gates = [gate_of(shut), gate_of(closed)]
    gates[0].shut()
    for _ in range(2):
        gates[1].close(RoomLost("gone"))
    for gate in gates:
        assert gate.microphone_due(1) == bytes(len(FRAME))
        gate.speaker_frame(FRAME, 2)
        gate.participant_joined(Participant("a", "A"))
        gate.room_interrupted()
        assert not gate.is_open
    assert (shut.calls, closed.calls) == ([], ["room_closed"])
