"""Whether Redis would rather forget a live transfer than refuse a write."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from relay.errors import StoreUnavailable
from relay.transfers.news import Command

_log = structlog.get_logger(__name__)


async def warn_of_eviction(ask: Callable[[Sequence[Command]], Awaitable[list[Any]]]) -> None:
    """Warn if it would; nothing is said where nobody may ask."""
    with contextlib.suppress(StoreUnavailable):
        (memory,) = await ask([("INFO", "memory")])
        policy = re.search(rb"maxmemory_policy:([a-z-]+)", memory)
        if policy is not None and policy[1] != b"noeviction":
            _log.warning("store_may_evict", maxmemory_policy=policy[1].decode(), expected="noeviction")
