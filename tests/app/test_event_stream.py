"""A transfer's events as server-sent events: from any of them on, to the last, and what happens in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

import aiohttp
import pytest

from relay.app.event_stream import EventStream, is_over, server_sent_event
from relay.client.event_stream import EventStreamParser, ServerSentEvent
from relay.transfers.ports import MediaBack, MediaLost, PhoneAnswered, PhoneEnded, PhoneRang
from relay.transfers.reasons import Reason
from relay.transfers.record import LoggedEvent
from relay.transfers.states import TRANSITIONS, Event, State
from tests.app.conftest import RunServed
from tests.app.served import ADMIN_KEY, NOBODY, Served

ID = "tr_" + "a" * 32


@dataclass(frozen=True, slots=True)
class Followed:
    """An open event stream."""

    answer: aiohttp.ClientResponse
    events: AsyncIterator[ServerSentEvent]

    async def until(self, name: str) -> list[ServerSentEvent]:
        seen = []
        async with asyncio.timeout(10):
            async for event in self.events:
                seen.append(event)
                if event.name == name:
                    return seen
        raise AssertionError(f"expected {name}, got {[event.name for event in seen]} and the end")

    async def rest(self) -> list[str]:
        async with asyncio.timeout(10):
            return [event.name async for event in self.events]


@asynccontextmanager
async def follow(served: Served, transfer_id: str, *, after: str | None = None) -> AsyncIterator[Followed]:
    headers = {"Authorization": f"Bearer {ADMIN_KEY}", **({"Last-Event-ID": after} if after is not None else {})}
    url = f"{served.base_url}/v1/transfers/{transfer_id}/events"
    async with served.http.get(url, headers=headers) as answer, aclosing(parsed(answer)) as events:
        yield Followed(answer, events)


async def parsed(answer: aiohttp.ClientResponse) -> AsyncGenerator[ServerSentEvent]:
    parser = EventStreamParser()
    async for chunk in answer.content.iter_any():
        for event in parser.push(chunk):
            yield event


async def talk(served: Served, transfer_id: str) -> None:
    await served.report(transfer_id, PhoneRang())
    await served.report(transfer_id, PhoneAnswered())
    served.bridges.last.connect("CA1")


def test_everything_that_happens_is_told_and_the_end_ends_it(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await served.make()
        async with follow(served, transfer_id) as followed:
            assert followed.answer.headers["Content-Type"].startswith("text/event-stream")
            assert followed.answer.headers["Cache-Control"] == "no-cache"
            assert followed.answer.headers["X-Accel-Buffering"] == "no"
            await followed.until("placed")
            await talk(served, transfer_id)
            assert [event.name for event in await followed.until("joined")] == ["ringing", "answered", "joined"]
            served.bridges.last.emit(MediaLost("gone"))
            served.bridges.last.emit(MediaBack())
            await followed.until("media_back")
            await served.report(transfer_id, PhoneEnded(Reason.AGENT_HUNG_UP))
            (last,) = await followed.until("disconnected")
            assert (
                f'"reason":"agent_hung_up","retryable":false,"sentence":"{Reason.AGENT_HUNG_UP.sentence}"' in last.data
            )
            assert await followed.rest() == []

    run_served(scenario)


def test_a_client_that_comes_back_goes_on_where_it_was(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await served.make()
        async with follow(served, transfer_id) as followed:
            seen = await followed.until("placed")
        await talk(served, transfer_id)
        await served.ask("GET", f"/v1/transfers/{transfer_id}?wait_s=10")
        async with follow(served, transfer_id, after=seen[-1].event_id) as followed:
            assert [event.name for event in await followed.until("joined")] == ["ringing", "answered", "joined"]

    run_served(scenario)


def test_every_event_can_be_gone_on_from(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await served.make()
        await served.report(transfer_id, PhoneEnded(Reason.BUSY))
        async with follow(served, transfer_id) as followed:
            seen = await followed.until("failed")
        for position, event in enumerate(seen[:-1]):
            async with follow(served, transfer_id, after=event.event_id) as followed:
                assert await followed.rest() == [each.name for each in seen[position + 1 :]]
        async with follow(served, transfer_id, after=seen[-1].event_id) as followed:
            assert followed.answer.status == 204  # this is what keeps an EventSource from asking for ever

    run_served(scenario)


def test_the_store_is_let_go_when_the_client_is_gone(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await served.make()
        async with follow(served, transfer_id) as followed:
            await followed.until("placed")
            await served.store.until_waiting(transfer_id, 1)
        await served.store.until_waiting(transfer_id, 0)

    run_served(scenario)


@pytest.mark.parametrize("after", ["1", "1-", "a-b", "1-1 ", "1" * 19 + "-1", "\u0661-1"])
def test_a_last_event_that_is_none_is_refused(run_served: RunServed, after: str) -> None:
    async def scenario(served: Served) -> None:
        reply = await served.ask("GET", f"/v1/transfers/{NOBODY}/events", Last_Event_ID=after)
        assert reply.status in (404, 422)
        assert (reply.status == 404) is (after == "1-1 ")  # HTTP itself takes spaces off a header's end

    run_served(scenario)


def test_silence_is_broken_by_comments_until_the_transfer_is_over(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await served.make()
        chunks = EventStream(served.store, transfer_id, heartbeat_s=0.01).body_iterator
        seen = ""
        async with asyncio.timeout(10):
            async for chunk in chunks:
                assert isinstance(chunk, bytes)
                seen += chunk.decode()
                if seen.count(": nothing new\n\n") == 2:
                    break
            await served.report(transfer_id, PhoneEnded(Reason.BUSY))
            rest = [bytes(chunk).decode() async for chunk in chunks if not isinstance(chunk, str)]
        assert seen.startswith("retry: 1000\n\n")
        assert "event: failed" in rest[-1]

    run_served(scenario)


def test_a_stream_of_a_transfer_that_is_forgotten_ends(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        chunks = EventStream(served.store, NOBODY, heartbeat_s=0.01).body_iterator
        async with asyncio.timeout(10):
            assert [chunk async for chunk in chunks] == [b"retry: 1000\n\n"]

    run_served(scenario)


def test_a_store_that_goes_away_ends_the_stream_and_the_client_comes_back(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await served.make()
        async with follow(served, transfer_id) as followed:
            await followed.until("placed")
            await served.coordinator.shut_down(drain_timeout_s=0)
            await served.store.close()
            await followed.rest()
            assert followed.answer.status == 200

    run_served(scenario)


def test_nothing_follows_the_last_event_only(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await served.make()
        assert not await is_over(served.store, transfer_id, "")
        await served.ask("DELETE", f"/v1/transfers/{transfer_id}")
        *_, before, last = await served.store.events(transfer_id)
        assert not await is_over(served.store, transfer_id, before.entry_id)
        assert await is_over(served.store, transfer_id, last.entry_id)
        assert await is_over(served.store, NOBODY, "")

    run_served(scenario)


@pytest.mark.parametrize(("before", "event"), TRANSITIONS)
def test_an_event_is_named_after_the_state_it_leads_to(before: State, event: Event) -> None:
    state = TRANSITIONS[before, event]
    entry = LoggedEvent(entry_id="1-0", version=2, event=event, state=state, at_ms=0)
    name = state if state is not before else event
    assert server_sent_event(ID, entry).startswith(f"id: 1-0\nevent: {name}\ndata: {{".encode())


def test_the_first_event_is_called_requested() -> None:
    entry = LoggedEvent(entry_id="1-0", version=1, event=None, state=State.REQUESTED, at_ms=0)
    assert server_sent_event(ID, entry) == (
        b'id: 1-0\nevent: requested\ndata: {"id":"' + ID.encode() + b'","version":1,"event":null,"state":"requested",'
        b'"reason":null,"retryable":null,"sentence":null,"changes":{},"at":"1970-01-01T00:00:00.000Z"}\n\n'
    )
