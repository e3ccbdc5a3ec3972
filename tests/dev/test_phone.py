"""The simulated phone against a WebSocket server that does what the test says: as Twilio's client."""

import base64
import itertools
import json
import time

from relay._codec import Decoder
from relay.dev.phone import Call, Closed, SimulatedPhone
from tests.dev.conftest import RunWithRelay
from tests.dev.stand_in_relay import FRAME, StandInRelay

HEARD = Decoder("pcmu", 8000, 8000).push(FRAME)


def test_a_call_is_connected_start_audio_and_stop_in_one_count(run_with_relay: RunWithRelay) -> None:
    async def scenario(relay: StandInRelay) -> None:
        call = Call({"token": "t0k3n"})
        async with SimulatedPhone(relay.url, call=call) as phone:
            await phone.until_said(5)
            phone.dtmf("5")
            await phone.until_said(8)
            phone.stop()
            assert await phone.until_closed() == Closed(1000)
        await relay.until_ended()
        events = relay.events
        assert events[:2] == ["connected", "start"]
        assert set(events[2:-1]) == {"media", "dtmf"}
        assert events[-1] == "stop"
        assert [m["sequenceNumber"] for m in relay.messages[1:]] == [str(n) for n in range(1, len(events))]
        assert relay.of("start")[0]["start"]["customParameters"] == {"token": "t0k3n"}
        assert {m["streamSid"] for m in relay.messages[1:]} == {call.stream_sid}
        media = [m["media"] for m in relay.of("media")]
        assert [m["chunk"] for m in media] == [str(n) for n in range(1, len(media) + 1)]
        assert [m["timestamp"] for m in media] == [str(5 + 20 * n) for n in range(len(media))]
        assert relay.of("dtmf")[0]["dtmf"]["digit"] == "5"
        assert relay.path == "/media/t0k3n"
        assert phone.violations == []

    run_with_relay(scenario)


def test_frames_keep_their_absolute_deadlines(run_with_relay: RunWithRelay) -> None:
    """None is early, however late the one before it was: 25 frames take 500 ms from the start."""

    async def scenario(relay: StandInRelay) -> None:
        async with SimulatedPhone(relay.url) as phone:
            await phone.until_said(10)
            time.sleep(0.1)  # noqa: ASYNC251 -- the loop is held up on purpose: five frames are late
            await phone.until_said(25)
            due_ns = [phone.said.start_ns + n * 20_000_000 for n in range(25)]
            assert all(sent >= due for sent, due in zip(phone.sent_ns, due_ns, strict=False))
            assert phone.sent_ns[24] < due_ns[24] + 100_000_000
            assert phone.said.start_ns == phone.start_ns + 20_000_000

    run_with_relay(scenario)


def test_what_is_said_is_what_the_relay_gets(run_with_relay: RunWithRelay) -> None:
    async def scenario(relay: StandInRelay) -> None:
        async with SimulatedPhone(relay.url, 2 * HEARD) as phone:
            await phone.until_said(3)
            phone.say(itertools.repeat(HEARD))
            await phone.until_said(6)
        got = [base64.b64decode(m["media"]["payload"]) for m in relay.of("media")[:6]]
        assert got == [FRAME, FRAME, b"\xff" * 160, FRAME, FRAME, FRAME]
        assert phone.said.pcm[: 6 * 320] == 2 * HEARD + bytes(320) + 3 * HEARD

    run_with_relay(scenario)


def test_what_the_relay_plays_is_heard_and_its_mark_comes_back_after_it(run_with_relay: RunWithRelay) -> None:
    async def scenario(relay: StandInRelay) -> None:
        async with SimulatedPhone(relay.url) as phone:
            await relay.until(lambda r: "start" in r.events)
            await relay.play(5 * FRAME)
            await relay.mark("m1")
            await phone.until_heard(1)
            assert phone.marks == []
            await phone.until_mark("m1")
            await relay.until(lambda r: r.of("mark") != [])
            (arrival,) = phone.arrivals
            assert phone.marks[0][1] >= arrival.heard_ns + 100_000_000
            first = round((arrival.heard_ns - phone.start_ns) / 125_000)
            assert phone.heard.pcm[2 * first :][: 5 * 320] == 5 * HEARD
            assert phone.heard.pcm[: 2 * first] == bytes(2 * first)
            assert phone.depths_ms[first // 160] == 80
        assert relay.of("mark")[0]["mark"] == {"name": "m1"}
        assert phone.gaps == []

    run_with_relay(scenario)


def test_clear_returns_all_marks_and_drops_what_waits(run_with_relay: RunWithRelay) -> None:
    async def scenario(relay: StandInRelay) -> None:
        async with SimulatedPhone(relay.url) as phone:
            await relay.until(lambda r: "start" in r.events)
            await relay.play(500 * FRAME)
            await relay.mark("m1")
            await relay.mark("m2")
            await relay.send("clear")
            await relay.until(lambda r: len(r.of("mark")) == 2)
            assert [name for name, _ in phone.marks] == ["m1", "m2"]
            assert len(phone.clears_ns) == 1
            await phone.until(lambda p: p.depths_ms[-1:] == [0.0])
        assert [m["mark"]["name"] for m in relay.of("mark")] == ["m1", "m2"]

    run_with_relay(scenario)


def test_violations_are_listed_and_disturb_nothing(run_with_relay: RunWithRelay) -> None:
    async def scenario(relay: StandInRelay) -> None:
        async with SimulatedPhone(relay.url) as phone:
            await relay.until(lambda r: "start" in r.events)
            await relay.connection.send(b"\x00")
            await relay.connection.send(json.dumps({"event": "clear", "streamSid": "MZ-other"}))
            await relay.connection.send(json.dumps({"event": "mark", "mark": {"name": "m"}}))
            await relay.connection.send("?")
            await relay.play()
            await phone.until_heard(1)
            assert [text.split(",")[0] for text in phone.violations] == [
                "expected text",
                f"expected streamSid {phone.call.stream_sid}",
                f"expected streamSid {phone.call.stream_sid}",
                "expected JSON",
            ]
            assert phone.clears_ns == []

    run_with_relay(scenario)


def test_a_fragmented_message_is_one_message(run_with_relay: RunWithRelay) -> None:
    async def scenario(relay: StandInRelay) -> None:
        async with SimulatedPhone(relay.url) as phone:
            await relay.until(lambda r: "start" in r.events)
            text = json.dumps({"event": "mark", "streamSid": phone.call.stream_sid, "mark": {"name": "m1"}})
            await relay.connection.send([text[:10], text[10:30], text[30:]])
            await phone.until_mark("m1")
            assert phone.violations == []

    run_with_relay(scenario)
