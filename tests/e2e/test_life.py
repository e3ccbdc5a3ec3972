"""What a call tells its owner while it goes on, and what it tells the carrier."""

from collections.abc import Callable, Coroutine
from typing import Any

from relay.bridge.events import Dtmf, Ended, Ending, Joined, MediaStarted, RoomJoined
from relay.dev.phone import SimulatedPhone
from relay.dev.phone_stream import Send
from relay.transfers.reasons import Reason
from tests.e2e.call import Call, a2r, cushion, r2a
from tests.signals import dbfs, pcm, tone

Run = Callable[[Coroutine[Any, Any, None]], None]
CUSTOMER = pcm(tone(1000, 16000, 10 * 16000, amplitude=dbfs(-20)))
AGENT = pcm(tone(440, 8000, 10 * 8000, amplitude=dbfs(-20)))


class LatePhone(SimulatedPhone):
    """Connects, and says nothing until ``start``."""

    def begin(self, send: Send, send_binary: Send | None = None) -> None:
        self._sends = (send, send_binary)
        self.messages: list[str | bytes] = []

    def start(self) -> None:
        super().begin(*self._sends)

    def receive(self, message: str | bytes) -> None:
        self.messages.append(message)
        super().receive(message)


def test_nothing_is_sent_before_start_and_joined_comes_once_with_audio_both_ways(run: Run) -> None:
    async def scenario() -> None:
        async with Call({"customer": CUSTOMER}) as call, LatePhone(call.media_url, AGENT) as phone:
            await call.customer.until_heard(20)
            assert phone.messages == []
            assert [type(event) for event in call.events] == [RoomJoined]
            phone.start()
            await call.until_event(Joined)
            stats = call.bridge.stats(phone.start_ns)
            assert a2r(stats).frames > 0
            assert r2a(stats).frames > 0
            await phone.until_said(40)
            assert any(any(pcm) for _, pcm in call.customer.frames)
            assert phone.frames_heard > 0
            phone.stop()
            await call.bridge.ended()
            assert [type(event) for event in call.events] == [RoomJoined, MediaStarted, Joined, Ending, Ended]
            assert call.of(MediaStarted)[0].call_id == phone.call.call_sid

    run(scenario())


def test_without_a_frame_of_the_agent_a_call_is_not_joined(run: Run) -> None:
    async def scenario() -> None:
        async with Call({"customer": CUSTOMER}) as call, LatePhone(call.media_url) as phone:
            phone.start()
            phone.end_media()
            await call.until_event(MediaStarted)
            await call.customer.until_heard(30)
            assert r2a(call.bridge.stats(0)).frames > 0
            call.bridge.end(Reason.CANCELED_BY_API)
            assert not (await call.bridge.ended()).was_joined
            assert call.of(Joined) == []

    run(scenario())


def test_keys_marks_and_clear_go_through_and_are_counted_right(run: Run) -> None:
    async def scenario() -> None:
        async with Call({"customer": CUSTOMER}) as call, call.phone(AGENT) as phone:
            await cushion(phone)
            for digit in "1*#":
                phone.dtmf(digit)
            await call.until_event(Dtmf, 3)
            assert [event.digit for event in call.of(Dtmf)] == ["1", "*", "#"]

            await phone.until_said(60)
            await phone.until(lambda phone: bool(phone._running._marks), "a mark that waits to be reached")
            marks = len(phone.marks)
            assert marks >= 2
            before_ms = phone.depths_ms[-1]
            call.bridge.clear()
            await phone.until(lambda phone: len(phone.clears_ns) == 1, "clear")
            await phone.until(lambda phone: phone.depths_ms[-1] <= 20, "an empty queue")
            assert before_ms >= 60
            await phone.until(lambda phone: len(phone.marks) >= marks + 2, "two marks after it")

            stats = await call.until_stats(lambda stats: stats.round_trip_ms > 0, "a round trip")
            assert stats.joined
            assert stats.faults == {}
            assert stats.participants == 1
            assert abs(a2r(stats).frames - len(phone.sent_ns)) <= 5
            assert abs(r2a(stats).frames - len(phone.arrivals)) <= 5
            assert r2a(stats).clears == len(phone.clears_ns) == 1
            assert 10 < a2r(stats).wait.p50_ms <= a2r(stats).wait.p99_ms <= a2r(stats).wait.max_ms < 200
            assert 0 < r2a(stats).own_time.p50_ms <= r2a(stats).own_time.max_ms < 50
            assert stats.round_trip_ms < 50
            assert phone.violations == []

    run(scenario())
