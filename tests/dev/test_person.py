"""A person records what was said and heard, each frame in its place."""

from collections.abc import Awaitable, Callable

from relay.dev.person import Person
from relay.dev.room_server import RoomServer
from relay.rooms.wire import FRAME_BYTES

Run = Callable[[Callable[[], Awaitable[None]]], None]


def test_what_one_says_the_other_hears_and_both_have_it_recorded(run: Run) -> None:
    async def scenario() -> None:
        async with RoomServer(port=0) as server:
            one = await Person.enter(server.room_url("a"), "one", b"\x01\x10" * 16000)
            other = await Person.enter(server.room_url("a"), "other")
            await other.until_heard(20)
            await one.leave()
            await other.until_gone("one")
            assert server.names("a") == ["other"]
            await other.leave()
        assert b"\x01\x10" * 160 in other.heard.pcm
        assert one.said.pcm[:FRAME_BYTES] == b"\x01\x10" * (FRAME_BYTES // 2)
        assert one.said.start_ns < other.heard.start_ns + 1e9 * len(other.heard.pcm) / 32000

    run(scenario)


def test_the_server_tells_of_each_who_comes_and_goes(run: Run) -> None:
    async def scenario() -> None:
        async with RoomServer(port=0) as server:
            one = await Person.enter(server.room_url("a"), "one")
            await server.changes.until(lambda: server.names("a") == ["one"], "one", timeout_s=5)
            await one.leave()
            await server.changes.until(lambda: server.names("a") == [], "nobody", timeout_s=5)

    run(scenario)


def test_a_new_thing_to_say_takes_the_place_of_the_old() -> None:
    person = Person("http://127.0.0.1:1/rooms/a", "one", b"\x01\0" * FRAME_BYTES)
    assert person.microphone_due(5)[:2] == b"\x01\0"
    person.say(b"\x02\0" * 10)
    assert person.microphone_due(20_000_005) == b"\x02\0" * 10 + bytes(FRAME_BYTES - 20)
    assert person.said_start_ns == 20_000_005
    assert person.microphone_due(40_000_005) == bytes(FRAME_BYTES)
    assert [at_ns for at_ns, _ in person.said_frames] == [5, 20_000_005, 40_000_005]
