"""Following a transfer: long polls to a state, and every event once, over connections that break."""

import asyncio
from contextlib import aclosing

import pytest

from relay.client import (
    NotFound,
    Overloaded,
    RefusedRequest,
    RelayUnreachable,
    State,
    TransferEvent,
    UnexpectedAnswer,
    WaitTimedOut,
)
from tests.client.conftest import Case, MakeCase
from tests.client.stand_in import (
    TRANSFER_ID,
    Answer,
    breaks,
    breaks_midway,
    event_text,
    is_silent,
    refuses,
    run,
    says,
    streams,
    transfer_json,
)

THIS = f"/v1/transfers/{TRANSFER_ID}"
EVENTS = f"{THIS}/events"
TO_THE_END = [
    event_text(1, "requested"),
    event_text(2, "dialing", event="dialed"),
    event_text(3, "failed", event="ended", reason="busy"),
]


async def states(case: Case, *, after: str | None = None) -> list[State]:
    return [event.state async for event in case.client.events(TRANSFER_ID, after=after)]


def resumed_after(case: Case) -> list[str | None]:
    """What each connection said it had seen."""
    return [asked.headers.get("Last-Event-ID") for asked in case.relay.asked if asked.path == EVENTS]


# wait


def test_a_wait_goes_round_until_the_state_is_reached(case: MakeCase) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"GET {THIS}", *(says(transfer_json(state)) for state in ("dialing", "ringing", "joined")))
            view = await c.client.wait(TRANSFER_ID, until=State.JOINED, timeout_s=60)
            assert view.state is State.JOINED
            assert [asked.query for asked in c.relay.asked] == [{"wait_s": "30", "until": "joined"}] * 3

    run(scenario())


@pytest.mark.parametrize(("until", "state"), [(State.RINGING, "joined"), (State.JOINED, "failed")])
def test_a_wait_ends_when_the_state_is_passed_or_out_of_reach(case: MakeCase, until: State, state: str) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"GET {THIS}", says(transfer_json(state)))
            assert (await c.client.wait(TRANSFER_ID, until=until)).state == state
            assert len(c.relay.asked) == 1

    run(scenario())


def test_no_round_is_longer_than_the_wait(case: MakeCase) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"GET {THIS}", says(transfer_json("joined")))
            for timeout_s in (600, 30, 7.2, 0.5):
                await c.client.wait(TRANSFER_ID, timeout_s=timeout_s)
            assert [asked.query["wait_s"] for asked in c.relay.asked] == ["30", "30", "8", "1"]

    run(scenario())


def test_a_wait_outlives_every_failure_that_passes(case: MakeCase) -> None:
    """F23: relay may be away, or without its store, for longer than any one request is tried."""

    async def scenario() -> None:
        async with case() as c:
            failures = [breaks_midway, refuses(503, "store-unavailable", retry_after="7"), says(b"<html>", 502)]
            c.relay.on(f"GET {THIS}", *failures, refuses(429, "allowance-used-up"), says(transfer_json("joined")))
            assert (await c.client.wait(TRANSFER_ID)).state is State.JOINED
            assert len(c.paused_s) == 4
            assert c.paused_s[1] == 7.0

    run(scenario())


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refuses(404, "not-found"), NotFound),
        (refuses(422, "invalid-request"), RefusedRequest),
        (says({}), UnexpectedAnswer),
    ],
)
def test_a_wait_ends_with_what_does_not_pass(case: MakeCase, answer: Answer, error: type[Exception]) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"GET {THIS}", says(transfer_json("ringing")), answer)
            with pytest.raises(error):
                await c.client.wait(TRANSFER_ID)

    run(scenario())


def test_a_wait_that_times_out_says_how_far_it_came(case: MakeCase) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"GET {THIS}", says(transfer_json("ringing")), is_silent)
            with pytest.raises(WaitTimedOut, match=r"expected to be joined within 0\.3 s, got ringing") as raised:
                await c.client.wait(TRANSFER_ID, timeout_s=0.3)
            assert raised.value.last_state is State.RINGING
            assert raised.value.__cause__ is None

    run(scenario())


def test_a_wait_that_times_out_says_why_it_came_nowhere(case: MakeCase) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"GET {THIS}", refuses(503, "overloaded"), is_silent)
            with pytest.raises(WaitTimedOut, match="got no answer") as raised:
                await c.client.wait(TRANSFER_ID, timeout_s=0.3)
            assert isinstance(raised.value.__cause__, Overloaded)

    run(scenario())


def test_answers_that_come_too_early_are_not_asked_for_in_a_spin(case: MakeCase) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"GET {THIS}", *[says(transfer_json("ringing"))] * 4, says(transfer_json("joined")))
            await c.client.wait(TRANSFER_ID)
            assert len(c.paused_s) == 4
            assert c.paused_s[3] > c.paused_s[0]

    run(scenario())


# events


def test_each_event_comes_as_it_happens_to_the_last(case: MakeCase) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"GET {EVENTS}", streams(": hello\n\n", *TO_THE_END, then="stays"))
            events = [event async for event in c.client.events(TRANSFER_ID)]
            assert [event.state for event in events] == [State.REQUESTED, State.DIALING, State.FAILED]
            assert [event.entry_id for event in events] == ["1-0", "2-0", "3-0"]
            assert [event.event for event in events] == [None, "dialed", "ended"]
            assert len(c.relay.asked) == 1

    run(scenario())


@pytest.mark.parametrize("then", ["breaks", "ends"])
def test_a_stream_that_breaks_is_taken_up_where_it_broke(case: MakeCase, then: str) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"GET {THIS}", says(transfer_json("dialing")))
            c.relay.on(
                f"GET {EVENTS}",
                streams(TO_THE_END[0], TO_THE_END[1][:20], then=then),
                refuses(503, "store-unavailable"),
                streams(*TO_THE_END[1:]),
            )
            assert await states(c) == [State.REQUESTED, State.DIALING, State.FAILED]
            assert resumed_after(c) == [None, "1-0", "1-0"]

    run(scenario())


def test_events_can_be_had_from_one_on(case: MakeCase) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"GET {EVENTS}", streams(*TO_THE_END[2:]))
            assert await states(c, after="2-0") == [State.FAILED]
            assert resumed_after(c) == ["2-0"]

    run(scenario())


def test_what_came_between_the_streams_end_and_the_transfers_is_not_missed(case: MakeCase) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"GET {EVENTS}", streams(*TO_THE_END[:2]), streams(TO_THE_END[2]))
            c.relay.on(f"GET {THIS}", says(transfer_json("failed", reason="busy")))
            assert await states(c) == [State.REQUESTED, State.DIALING, State.FAILED]

    run(scenario())


@pytest.mark.parametrize("nothing", [streams(), says(b"", 204)])
def test_after_the_last_event_there_are_none(case: MakeCase, nothing: Answer) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"GET {EVENTS}", nothing)
            c.relay.on(f"GET {THIS}", says(transfer_json("failed", reason="busy")))
            assert await states(c, after="3-0") == []

    run(scenario())


def test_connections_on_which_nothing_comes_are_counted(case: MakeCase) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"GET {EVENTS}", breaks)
            with pytest.raises(RelayUnreachable):
                await states(c)
            assert len(c.paused_s) == 2
            c.relay.on(f"GET {EVENTS}", streams())
            c.relay.on(f"GET {THIS}", says(transfer_json("joined")))
            with pytest.raises(RelayUnreachable, match="expected events to the transfer's end, got no more"):
                await states(c)

    run(scenario())


def test_a_call_longer_than_any_connection_is_followed_to_its_end(case: MakeCase) -> None:
    """A proxy cuts every stream; comments alone show that it lives."""

    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"GET {EVENTS}", *[streams(": still here\n\n", then="breaks")] * 9, streams(*TO_THE_END))
            assert len(await states(c)) == 3

    run(scenario())


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refuses(404, "not-found"), NotFound),
        (streams("id: 1-0\ndata: not JSON\n\n"), UnexpectedAnswer),
        (streams("data: {}\n\n"), UnexpectedAnswer),
        (streams("id: 1-0\ndata: {}\n\n"), UnexpectedAnswer),
    ],
)
def test_events_end_with_what_does_not_pass(case: MakeCase, answer: Answer, error: type[Exception]) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"GET {EVENTS}", answer)
            with pytest.raises(error):
                await states(c)
            assert len(c.relay.asked) == 1

    run(scenario())


def test_who_stops_listening_lets_the_connection_go(case: MakeCase) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"GET {EVENTS}", streams(*TO_THE_END[:1], then="stays"))
            async with aclosing(c.client.events(TRANSFER_ID)) as events:
                first: TransferEvent = await anext(events)
                assert first.state is State.REQUESTED
                waiting = asyncio.create_task(anext(events))
                await asyncio.sleep(0)
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting

    run(scenario())
