"""Room to agent, for carriers that take audio as binary messages, or more than a frame in one: over a real socket."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from websockets.frames import Opcode

from relay.media.format import AudioFormat
from tests.bridge.made_up import CLEAR, BinaryAdapter
from tests.bridge.sending import MS, SPEECH, sending

Run = Callable[[Coroutine[Any, Any, None]], None]


def test_binary_carrier_without_marks_or_clear_gets_its_audio(run: Run) -> None:
    async def test() -> None:
        async with sending(BinaryAdapter(message_ms=20, marks=False, clear=False)) as case:
            case.send(*SPEECH[:60])
            case.agent.clear()
            assert await case.frames(60) == [(Opcode.BINARY, frame) for frame in SPEECH[:60]]
            assert case.agent.chain() == f"room -> L16/16000 -> {AudioFormat('l16le', 16000)} -> made-up"
            assert case.agent.clears == 0

    run(test())


def test_frames_are_collected_until_they_make_a_message_and_what_is_not_audio_is_text(run: Run) -> None:
    async def test() -> None:
        async with sending(BinaryAdapter()) as case:
            case.send(*SPEECH[:29])
            heard = await case.frames(6)
            whole = [b"".join(SPEECH[at : at + 5]) for at in range(0, 25, 5)]
            assert heard[:5] == [(Opcode.BINARY, each) for each in whole]
            assert heard[5] == (Opcode.TEXT, b'{"event":"mark","name":"0.1"}')
            assert (case.agent.frames_sent, case.agent.frames_taken) == (25, 29)

    run(test())


def test_what_is_collected_is_delay_and_is_dropped_by_a_clear(run: Run) -> None:
    async def test() -> None:
        async with sending(BinaryAdapter()) as case:
            case.send(*SPEECH[:4])
            assert case.agent.stats(case.now_ns, whole_call=True).queued_ms == 80
            case.agent.clear()
            assert case.agent.stats(case.now_ns, whole_call=True).queued_ms == 0
            case.send(*SPEECH[10:15])
            assert await case.frames(3) == [
                *((Opcode.TEXT, each) for each in CLEAR),
                (Opcode.BINARY, b"".join(SPEECH[10:15])),
            ]
            assert case.agent.clears == 1

    run(test())


def test_message_that_was_held_does_not_wait_for_the_next_to_be_whole(run: Run) -> None:
    async def test() -> None:
        async with sending(BinaryAdapter()) as case:
            outbox = case.agent.outbox
            outbox._socket_max_ms, usual_ms = 0, outbox._socket_max_ms
            case.send(*SPEECH[:5])
            assert (outbox.held, case.agent.frames_sent, case.agent.frames_taken) == (1, 0, 5)
            outbox._socket_max_ms = usual_ms
            case.send(SPEECH[5])
            assert (outbox.held, case.agent.frames_sent, case.agent.frames_taken) == (0, 5, 6)
            assert await case.frames(1) == [(Opcode.BINARY, b"".join(SPEECH[:5]))]

    run(test())


def test_last_message_is_padded_with_silence_to_a_whole_one(run: Run) -> None:
    async def test() -> None:
        async with sending(BinaryAdapter()) as case:
            case.send(*SPEECH[:2])
            case.agent.say_last(b"".join(SPEECH[20:27]))
            assert await case.frames(6) == [
                *((Opcode.TEXT, each) for each in CLEAR),
                (Opcode.BINARY, b"".join(SPEECH[20:25])),
                (Opcode.BINARY, b"".join(SPEECH[25:27]) + bytes(3 * 640)),
                (Opcode.TEXT, b'{"event":"mark","name":"last"}'),
                (Opcode.BINARY, bytes(5 * 640)),
            ]

    run(test())


def test_mark_that_the_adapter_does_not_make_is_not_sent(run: Run) -> None:
    class Full(BinaryAdapter):
        def encode_mark(self, name: str) -> bytes:
            assert name
            return b""

    async def test() -> None:
        async with sending(Full(message_ms=500)) as case:
            case.send(*SPEECH[:50])
            assert [opcode for opcode, _ in await case.frames(2)] == [Opcode.BINARY] * 2
            assert case.agent._buffer.marks_out == 0

    run(test())


@pytest.mark.parametrize("rate_hz", [8000, 16000, 24000])
@pytest.mark.parametrize("room_rate_hz", [16000, 24000, 48000])
def test_messages_hold_what_the_rule_says_at_every_rate(run: Run, rate_hz: int, room_rate_hz: int) -> None:
    async def test() -> None:
        async with sending(BinaryAdapter(rate_hz), room_rate_hz=room_rate_hz) as case:
            case.send(*[bytes(room_rate_hz // 25)] * 25)
            for _ in range(5):
                assert len((await case.carrier.receive()).data) == rate_hz // 5

    run(test())


def test_frame_rule_that_no_frames_fit_is_refused(run: Run) -> None:
    async def test() -> None:
        with pytest.raises(ValueError, match="frame rule: expected one for frames of 640 bytes"):
            async with sending(BinaryAdapter(message_ms=2000)):
                pass

    run(test())


@pytest.mark.parametrize("message_ms", [100, 200])
def test_carrier_that_takes_much_at_a_time_and_keeps_up_is_not_trimmed(run: Run, message_ms: int) -> None:
    """Marks come back 30 ms after their message has been played, which begins when it comes."""

    async def test() -> None:
        async with sending(BinaryAdapter(message_ms=message_ms)) as case:
            due: list[tuple[int, str]] = []
            for frame in SPEECH[:500]:
                case.send(frame)
                while due and due[0][0] <= case.now_ns:
                    case.agent.mark_reached(due.pop(0)[1], case.now_ns)
                due += [
                    (case.now_ns + (message_ms + 30) * MS, name)
                    for name, mark in case.agent._buffer._out.items()
                    if mark.sent_ns == case.now_ns
                ]
            stats = case.agent.stats(case.now_ns, whole_call=True)
            assert (stats.frames, stats.trimmed_ms, stats.clears) == (500, 0, 0)
            assert case.agent._buffer.marks_out <= 1
            assert message_ms <= stats.carrier_buffer_ms <= message_ms + 50

    run(test())


def test_carrier_that_is_behind_gets_whole_messages_of_less(run: Run) -> None:
    async def test() -> None:
        async with sending(BinaryAdapter(marks=False)) as case:
            case.send(*SPEECH[:50])
            case.now_ns += 300 * MS
            case.send(*SPEECH[50:75], apart_ms=0)  # what the room had kept for us
            case.send(*SPEECH[75:300])
            stats = case.agent.stats(case.now_ns, whole_call=True)
            assert stats.trimmed_ms > 150
            assert stats.carrier_buffer_ms < 100 + 40
            assert stats.frames * 20 + stats.trimmed_ms == pytest.approx(6000, abs=100)
            assert {len(data) for _, data in await case.frames(stats.frames // 5)} == {3200}

    run(test())
