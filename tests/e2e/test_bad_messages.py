"""Nonsense from the carrier: a little is counted, more ends the call."""

from collections.abc import Callable, Coroutine
from typing import Any

from relay.bridge.events import Ended, Joined
from relay.dev.phone import Closed
from relay.transfers.reasons import Reason
from tests.e2e.call import Call, check_over
from tests.signals import dbfs, pcm, tone

Run = Callable[[Coroutine[Any, Any, None]], None]
AGENT = pcm(tone(440, 8000, 10 * 8000, amplitude=dbfs(-20)))
GARBAGE = (b"not JSON", b"[]", b'{"event":"media"}', b'{"event":"media","streamSid":"MZ0","media":{}}')


def test_five_bad_messages_are_counted_and_the_call_goes_on_and_forty_end_it(run: Run) -> None:
    async def scenario() -> None:
        async with Call() as call, call.phone(AGENT) as phone:
            await call.until_event(Joined)
            for message in GARBAGE:
                phone.send_text(message)
            phone.mislabel(1, "MZ0")
            stats = await call.until_stats(lambda stats: bool(stats.faults), "a fault")
            assert stats.faults == {"bad_message": 5, "audio_lost": 1}  # what was mislabelled is missing
            customer_frames = len(call.customer.frames)
            await call.customer.until_heard(25)
            assert all(any(pcm) for _, pcm in call.customer.frames[customer_frames + 5 :])
            assert call.of(Ended) == []

            for _ in range(40):
                phone.send_text(GARBAGE[0])
            ended = await check_over(call, phone, Reason.PROVIDER_ERROR)
            assert phone.closed == Closed(1008, Reason.PROVIDER_ERROR.value)
            assert "too many bad messages" in ended.detail
            assert 20 < ended.stats.faults["bad_message"] <= 45

    run(scenario())
