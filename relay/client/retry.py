"""Which failures are worth another try, when, and how often."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from relay.client.errors import ClientError, Overloaded, RelayApiError, RelayUnreachable, RequestInProgress

_TRIED_AGAIN: Final = frozenset({502, 503, 504})  # a proxy has lost relay, or relay cannot answer now
_FIRST_S: Final = 0.2
_MOST_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """
    How long, and how often.

    Args:
        timeout_s: of each try.
        tries: in all, of which each but the last may fail.
        pause: waits between two of them.
    """

    timeout_s: float
    tries: int
    pause: Callable[[float], Awaitable[None]]

    def __post_init__(self) -> None:
        if self.timeout_s <= 0 or self.tries < 1:
            raise ValueError(f"expected timeout_s above 0 and tries from 1, got {self.timeout_s} and {self.tries}")


def is_passing(error: ClientError) -> bool:
    """
    Whether the same request, sent again at once, may be answered.

    It must be one that may be sent twice: a GET, a DELETE, or a POST with an idempotency key.
    """
    if isinstance(error, RelayApiError):
        return error.status in _TRIED_AGAIN or isinstance(error, RequestInProgress)
    return isinstance(error, RelayUnreachable)


def pause_s(failures: int, error: ClientError | None = None) -> float:
    """
    How long to wait after the ``failures``-th failure in a row: longer each time, and never shorter than relay asked.

    Half of it is random, so that clients that failed together do not come back together.
    """
    grown_s = min(_FIRST_S * 2.0 ** min(failures - 1, 10), _MOST_S)
    spread_s = grown_s * random.uniform(0.5, 1)  # noqa: S311 - no secret
    return max(spread_s, asked_for_s(error))


def asked_for_s(error: ClientError | None) -> float:
    """How long relay asked to stay away; 0 if it did not."""
    return (error.retry_after_s or 0.0) if isinstance(error, Overloaded) else 0.0
