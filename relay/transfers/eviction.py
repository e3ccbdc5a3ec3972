"""Whether Redis would rather forget a live transfer than refuse a write."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from relay.errors import StoreUnavailable
from relay.transfers.lines import Command

_log = structlog.get_logger(__name__)


class EvictionCheck:
    """
    Warns if it would, once for each policy that it is found with.

    Args:
        ask: sends commands; raises ``StoreUnavailable``.
        refusal: causes that when Redis has answered, but not with what was asked for.
    """

    def __init__(self, ask: Callable[[Sequence[Command]], Awaitable[list[Any]]], *, refusal: type[Exception]) -> None:
        self._ask = ask
        self._refusal = refusal
        self._policy = b"noeviction"

    async def look(self) -> None:
        """
        Ask for the policy. Nothing is said where nobody may ask.

        Raises:
            StoreUnavailable: there was no answer, and it is to be asked again.
        """
        try:
            (memory,) = await self._ask([("INFO", "memory")])
        except StoreUnavailable as error:
            if isinstance(error.__cause__, self._refusal):
                return
            raise
        policy = re.search(rb"maxmemory_policy:([a-z-]+)", memory)
        if policy is None or policy[1] == self._policy:
            return
        self._policy = policy[1]
        if self._policy != b"noeviction":
            _log.warning("store_may_evict", maxmemory_policy=self._policy.decode(), expected="noeviction")
