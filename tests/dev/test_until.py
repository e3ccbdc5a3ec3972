"""Waiting ends when the condition is met, when its time is over, or when it can not be met any more."""

import asyncio

import pytest

from relay.dev.until import Changes


def test_what_is_met_already_is_not_waited_for() -> None:
    asyncio.run(Changes().until(lambda: True, "it", timeout_s=0.001))


def test_a_change_wakes_only_those_whose_condition_it_meets() -> None:
    async def scenario() -> None:
        changes, seen = Changes(), [0]
        one = asyncio.ensure_future(changes.until(lambda: seen[0] >= 1, "one", timeout_s=10))
        two = asyncio.ensure_future(changes.until(lambda: seen[0] >= 2, "two", timeout_s=10))
        await asyncio.sleep(0)
        seen[0] = 1
        changes.changed()
        await one
        assert not two.done()
        seen[0] = 2
        changes.changed()
        await two

    asyncio.run(scenario())


def test_time_over_names_what_was_waited_for() -> None:
    with pytest.raises(TimeoutError, match=r"the mark: not within 0\.001 s"):
        asyncio.run(Changes().until(lambda: False, "the mark", timeout_s=0.001))


def test_the_end_fails_those_that_wait_and_those_that_come_later() -> None:
    async def scenario() -> None:
        changes = Changes()
        waiting = asyncio.ensure_future(changes.until(lambda: False, "the mark", timeout_s=10))
        await asyncio.sleep(0)
        changes.end("closed with 1006")
        with pytest.raises(ConnectionError, match="the mark: closed with 1006"):
            await waiting
        with pytest.raises(ConnectionError, match="other: closed with 1006"):
            await changes.until(lambda: False, "other", timeout_s=10)

    asyncio.run(scenario())
