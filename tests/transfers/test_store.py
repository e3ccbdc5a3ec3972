"""The transfers in Redis, on every kind of server that there is here."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from relay.transfers.reasons import Reason
from relay.transfers.record import Accept
from relay.transfers.states import TRANSITIONS, Event, State, next_state
from relay.transfers.store import Answer
from tests.transfers.stores import OpenStore, consume, key_of, mint, new_transfer, raw, stored_in

PAIRS = list(itertools.product(State, Event))
NEVER_MADE = "tr_" + "0" * 32
NO_IDS = ["", "tr_", "tr_}{" + "0" * 30, "tr_" + "0" * 32 + "\r\n", "*", "tr_" + "A" * 32, "news", "x" * 100_000]


# Creation


async def test_a_new_transfer_is_read_as_it_was_made_at_the_time_of_redis(open_store: OpenStore) -> None:
    transfer = new_transfer(
        destination="billing",
        accept=Accept.PRESS_1,
        customer_id="c",
        bot_id="",
        metadata={"ticket": "17", "näme": "\x00\n🙂"},
        ring_timeout_s=12.5,
    )
    async with open_store() as store:
        before = await store.create(transfer)
        after = await store.get(transfer.transfer_id)
        seconds, microseconds = await raw(store, "TIME")
    assert after == before
    assert after is not None
    now_ms = int(seconds) * 1000 + int(microseconds) // 1000
    assert now_ms - 10_000 < after.updated_ms <= now_ms
    assert after.times_ms == {State.REQUESTED: after.updated_ms}
    assert transfer == new_transfer(
        **{name: getattr(after, name) for name in after.__slots__} | {"times_ms": {}, "updated_ms": 0}
    )


async def test_a_transfer_is_made_once(open_store: OpenStore) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, State.RINGING)
        with pytest.raises(ValueError, match=r"expected a new transfer, got tr_\w+, which is there already"):
            await store.create(transfer)
        assert await store.get(transfer.transfer_id) == transfer


async def test_a_transfer_of_a_node_that_has_lost_its_redis_is_made_as_it_stands(open_store: OpenStore) -> None:
    async with open_store() as store:
        joined = await stored_in(store, State.JOINED)
        await raw(store, "DEL", *(key_of(store, joined.transfer_id, kind) for kind in ("", "events", "seen")))
        again = await store.create(joined)
        assert (again.state, again.version, again.times_ms) == (State.JOINED, joined.version, joined.times_ms)
        assert [entry.version for entry in await store.events(joined.transfer_id)] == [joined.version]


@pytest.mark.parametrize("transfer_id", NO_IDS)
async def test_what_is_no_id_is_never_part_of_a_key(open_store: OpenStore, transfer_id: str) -> None:
    async with open_store() as store:
        assert await store.get(transfer_id) is None
        assert await store.events(transfer_id) == []
        assert (await store.apply(transfer_id, Event.DIALED, epoch=1)).answer is Answer.MISSING
        assert await store.mint(transfer_id, epoch=1, stream=0, token_sha256="", ttl_s=1) is Answer.MISSING
        assert await consume(store, transfer_id, "") is Answer.MISSING
        assert await store.wait(transfer_id, lambda _: False, timeout_s=10) is None
        with pytest.raises(ValueError, match="expected a transfer id"):
            await store.create(new_transfer(transfer_id=transfer_id))
        assert await raw(store, "KEYS", f"{store._prefix}*{{*") == []


async def test_what_was_never_made_is_missing(open_store: OpenStore) -> None:
    async with open_store() as store:
        applied = await store.apply(NEVER_MADE, Event.DIALED, epoch=1)
        assert (applied.answer, applied.transfer) == (Answer.MISSING, None)
        assert await store.mint(NEVER_MADE, epoch=1, stream=0, token_sha256="", ttl_s=1) is Answer.MISSING
        assert await consume(store, NEVER_MADE, "") is Answer.MISSING
        assert await store.get(NEVER_MADE) is None
        assert await store.events(NEVER_MADE) == []


# Events


@pytest.mark.parametrize(("state", "event"), PAIRS, ids=lambda value: value.value)
async def test_every_event_in_every_state_does_what_the_table_says(
    open_store: OpenStore, state: State, event: Event
) -> None:
    async with open_store() as store:
        before = await stored_in(store, state)
        applied = await store.apply(before.transfer_id, event, epoch=1)
        after = await store.get(before.transfer_id)
        assert applied.transfer == after
        assert after is not None
        if (follows := next_state(state, event)) is None:
            assert applied.answer is Answer.IGNORED
            assert after == before
        else:
            assert applied.answer is Answer.OK
            assert (after.state, after.version) == (follows, before.version + 1)
            assert after.times_ms.items() >= before.times_ms.items()
            assert after.times_ms.keys() == {*before.times_ms, follows}
            assert after.updated_ms >= before.updated_ms


async def test_the_same_event_happens_once(open_store: OpenStore) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, State.DIALING)
        answers = [await store.apply(transfer.transfer_id, Event.PLACED, epoch=1, event_id="e") for _ in range(3)]
        assert [applied.answer for applied in answers] == [Answer.OK, Answer.DUPLICATE, Answer.DUPLICATE]
        assert len({applied.transfer.version for applied in answers if applied.transfer}) == 1
        other = await store.apply(transfer.transfer_id, Event.PLACED, epoch=1, event_id="f")
        assert other.answer is Answer.OK


async def test_events_without_an_id_are_each_their_own(open_store: OpenStore) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, State.DIALING)
        for _ in range(2):
            assert (await store.apply(transfer.transfer_id, Event.PLACED, epoch=1)).answer is Answer.OK


async def test_an_event_that_was_ignored_may_come_again_in_its_time(open_store: OpenStore) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, State.REQUESTED)
        early = await store.apply(transfer.transfer_id, Event.RANG, epoch=1, event_id="rang")
        await store.apply(transfer.transfer_id, Event.DIALED, epoch=1)
        in_time = await store.apply(transfer.transfer_id, Event.RANG, epoch=1, event_id="rang")
        assert (early.answer, in_time.answer) == (Answer.IGNORED, Answer.OK)


@pytest.mark.parametrize("epoch", [0, 1, 3])
async def test_who_does_not_own_a_transfer_is_fenced_off(open_store: OpenStore, epoch: int) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, State.DIALING)
        await raw(store, "HSET", key_of(store, transfer.transfer_id), "epoch", 2)
        applied = await store.apply(transfer.transfer_id, Event.RANG, epoch=epoch)
        assert applied.answer is Answer.FENCED
        assert applied.transfer is not None
        assert (applied.transfer.state, applied.transfer.epoch) == (State.DIALING, 2)
        assert await mint(store, transfer.transfer_id, "t", epoch=epoch) is Answer.FENCED
        assert (await store.apply(transfer.transfer_id, Event.RANG, epoch=2)).answer is Answer.OK


async def test_who_takes_a_transfer_over_fences_its_owner_off(open_store: OpenStore) -> None:
    async with open_store() as owner, open_store() as other:
        transfer_id = (await stored_in(owner, State.JOINED)).transfer_id
        first, second = [
            await other.apply(transfer_id, Event.ENDED, epoch=1, reason=Reason.NODE_LOST, takes_over=True)
            for _ in range(2)
        ]
        assert (first.answer, second.answer) == (Answer.OK, Answer.FENCED)
        assert first.transfer is not None
        assert (first.transfer.epoch, first.transfer.owner) == (2, "node-1")
        assert (await owner.apply(transfer_id, Event.MEDIA_LOST, epoch=1)).answer is Answer.FENCED
        assert await owner.get(transfer_id) == first.transfer


async def test_what_an_event_brings_is_kept(open_store: OpenStore) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, State.DIALING)
        await store.apply(transfer.transfer_id, Event.PLACED, epoch=1, changes={"provider_call_id": "CA1"})
        applied = await store.apply(
            transfer.transfer_id, Event.ENDED, epoch=1, reason=Reason.BUSY, changes={"provider_code": "17"}
        )
        assert applied.transfer is not None
        assert (applied.transfer.provider_call_id, applied.transfer.provider_code) == ("CA1", "17")
        assert applied.transfer.reason is Reason.BUSY


@pytest.mark.parametrize("name", ["state", "epoch", "token", "at:joined", "anything"])
async def test_an_event_brings_nothing_else(open_store: OpenStore, name: str) -> None:
    async with open_store() as store:
        with pytest.raises(ValueError, match=r"expected changes of \['provider_call_id', 'provider_code'\], got"):
            await store.apply(NEVER_MADE, Event.PLACED, epoch=1, changes={name: "x"})


@pytest.mark.parametrize("after", [Event.MEDIA_BACK, Event.ENDED, Event.STOPPED])
async def test_lost_media_is_reconnecting_until_it_is_back_or_the_transfer_over(
    open_store: OpenStore, after: Event
) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, State.JOINED)
        seen = []
        for event in (Event.MEDIA_LOST, Event.PLACED, after):
            applied = await store.apply(transfer.transfer_id, event, epoch=1)
            assert applied.transfer is not None
            seen.append(applied.transfer.reconnecting)
        assert seen == [True, True, False]


async def test_the_log_says_what_happened_and_resumes_after_any_entry(open_store: OpenStore) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, State.DIALING)
        await store.apply(transfer.transfer_id, Event.PLACED, epoch=1, changes={"provider_call_id": "CA1"})
        await store.apply(transfer.transfer_id, Event.JOINED, epoch=1)  # is ignored, and no event
        last = await store.apply(transfer.transfer_id, Event.ENDED, epoch=1, reason=Reason.NO_ANSWER)
        log = await store.events(transfer.transfer_id)
        assert [(entry.version, entry.event, entry.state) for entry in log] == [
            (1, None, State.REQUESTED),
            (2, Event.DIALED, State.DIALING),
            (3, Event.PLACED, State.DIALING),
            (4, Event.ENDED, State.FAILED),
        ]
        assert [dict(entry.changes) for entry in log] == [{}, {}, {"provider_call_id": "CA1"}, {}]
        assert log[-1].reason is Reason.NO_ANSWER
        assert last.transfer is not None
        assert {entry.state: entry.at_ms for entry in reversed(log)} == last.transfer.times_ms
        for number, entry in enumerate(log):
            assert await store.events(transfer.transfer_id, after=entry.entry_id) == log[number + 1 :]


@pytest.mark.parametrize("after", ["", "0", "-", "+", "$", "(0-0", "1-2-3", "x", "9" * 30 + "-0", "\r\n"])
async def test_who_makes_up_an_entry_gets_the_whole_log(open_store: OpenStore, after: str) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, State.RINGING)
        assert len(await store.events(transfer.transfer_id, after=after)) == transfer.version


async def test_a_live_transfer_stays_long_and_one_that_is_over_for_an_hour(open_store: OpenStore) -> None:
    kinds = ("", "events", "seen")
    async with open_store(keep_s=3600, live_s=90_000) as store:
        transfer = await stored_in(store, State.RINGING)
        keys = [key_of(store, transfer.transfer_id, kind) for kind in kinds]
        assert [await raw(store, "TTL", key) for key in keys] == pytest.approx([90_000] * 3, abs=30)
        await store.apply(transfer.transfer_id, Event.ENDED, epoch=1)
        assert [await raw(store, "TTL", key) for key in keys] == pytest.approx([3600] * 3, abs=30)
        await raw(store, "EXPIRE", keys[0], 1000)
        await store.apply(transfer.transfer_id, Event.ENDED, epoch=1)
        assert await raw(store, "TTL", keys[0]) <= 1000, "what is ignored keeps nothing longer"


async def test_all_of_a_transfer_is_in_one_slot_of_a_cluster(open_store: OpenStore) -> None:
    async with open_store() as store:
        transfer = await stored_in(store, State.RINGING)
        keys = [key.decode() for key in await raw(store, "KEYS", f"{store._prefix}:*{transfer.transfer_id}*")]
        assert len(keys) == 3
        assert all(f":{{{transfer.transfer_id}}}" in key for key in keys)


# Two nodes


async def test_of_two_writers_exactly_one_wins(open_store: OpenStore) -> None:
    async with open_store() as one, open_store() as other:
        for _ in range(60):
            transfer = await stored_in(one, State.DIALING)
            both = await asyncio.gather(
                one.apply(transfer.transfer_id, Event.RANG, epoch=1, event_id="by-one"),
                other.apply(transfer.transfer_id, Event.RANG, epoch=1, event_id="by-other"),
            )
            assert sorted(applied.answer for applied in both) == [Answer.IGNORED, Answer.OK]
            end = await asyncio.gather(
                one.apply(transfer.transfer_id, Event.STOPPED, epoch=1, reason=Reason.CANCELED_BY_API),
                other.apply(transfer.transfer_id, Event.ENDED, epoch=1, reason=Reason.BUSY),
            )
            assert sorted(applied.answer for applied in end) == [Answer.IGNORED, Answer.OK]
            assert end[0].transfer == end[1].transfer


async def test_an_event_that_reaches_two_nodes_happens_once(open_store: OpenStore) -> None:
    async with open_store() as one, open_store() as other:
        transfer = await stored_in(one, State.DIALING)
        for number in range(60):
            both = await asyncio.gather(
                *(
                    store.apply(transfer.transfer_id, Event.PLACED, epoch=1, event_id=f"{number}")
                    for store in (one, other)
                )
            )
            assert sorted(applied.answer for applied in both) == [Answer.DUPLICATE, Answer.OK]


def test_the_shortest_ways_use_the_table() -> None:
    """Only then do the tests above begin in each state."""
    assert set(TRANSITIONS) >= {(State.REQUESTED, Event.DIALED), (State.ANSWERED, Event.JOINED)}
