"""Redis is warned of where it would forget a live transfer, once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import structlog.testing

from relay.errors import StoreUnavailable
from relay.transfers.eviction import EvictionCheck
from relay.transfers.lines import Command


class Refused(Exception):
    """An answer, but not the one that was asked for."""


def check_of(*answers: bytes | Exception) -> EvictionCheck:
    """A check of a Redis that answers so, one after the other."""
    coming = iter(answers)

    async def ask(commands: Sequence[Command]) -> list[Any]:
        answer = next(coming)
        if isinstance(answer, Exception):
            raise StoreUnavailable("Redis: ...") from answer
        return [answer for _ in commands]

    return EvictionCheck(ask, refusal=Refused)


async def policies_warned_of(check: EvictionCheck, *, times: int) -> list[str]:
    with structlog.testing.capture_logs() as logs:
        for _ in range(times):
            await check.look()
    return [entry["maxmemory_policy"] for entry in logs if entry["event"] == "store_may_evict"]


async def test_each_policy_that_may_forget_is_warned_of_once() -> None:
    policies = (b"noeviction", b"allkeys-lru", b"allkeys-lru", b"volatile-ttl", b"noeviction", b"allkeys-lru")
    check = check_of(*(b"# Memory\r\nmaxmemory_policy:" + policy + b"\r\n" for policy in policies))
    assert await policies_warned_of(check, times=6) == ["allkeys-lru", "volatile-ttl", "allkeys-lru"]


async def test_who_may_not_ask_or_is_not_told_says_nothing() -> None:
    assert await policies_warned_of(check_of(Refused(), b"# Memory\r\n"), times=2) == []


async def test_a_question_that_had_no_answer_is_no_answer() -> None:
    with pytest.raises(StoreUnavailable):
        await check_of(TimeoutError()).look()
