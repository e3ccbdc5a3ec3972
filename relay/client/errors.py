"""
Everything relay's client raises on purpose.

RelayError                      the root of relay.errors
└── ClientError                 has a sentence that a bot can say
    ├── RelayUnreachable        no connection, a broken one, or no answer in time
    ├── UnexpectedAnswer        what answered is not relay, or says what this client cannot read
    ├── WaitTimedOut            the transfer did not get there in time; a TimeoutError too
    └── RelayApiError           relay answered with a problem, which none of the following names
        ├── CarrierFailed       the carrier did not do what relay asked of it
        ├── Conflict            the room has a live transfer already
        ├── NotFound            no such transfer, or not any longer
        ├── Overloaded          not now: capacity, allowance, no store, or shutting down
        ├── RefusedRequest      the request breaks a rule, and would again
        ├── RequestInProgress   the first request with this idempotency key is not answered yet
        └── Unauthorized        the API key is missing, unknown, or may not do this
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from relay.errors import RelayError
from relay.transfers.reasons import Reason
from relay.transfers.states import State

_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


class ClientError(RelayError):
    """Relay's client cannot do what was asked."""

    @property
    def retryable(self) -> bool:
        """Whether the same, asked again soon, may well succeed; the client's own retries are over."""
        return False

    @property
    def sentence(self) -> str:
        """What a bot can say to the customer."""
        return Reason.INTERNAL_ERROR.sentence


class RelayUnreachable(ClientError):
    """No connection, a broken one, or no answer in time."""

    @property
    def retryable(self) -> bool:
        """A connection may well succeed later."""
        return True


class UnexpectedAnswer(ClientError):
    """
    What answered is not relay, or says what this client cannot read.

    Args:
        where: which part of the answer, ``transfer.state``.
        expected: what this client can read there.
        got: what came, short enough to log.
    """

    def __init__(self, where: str, *, expected: str, got: str) -> None:
        super().__init__(f"{where}: expected {expected}, got {got}")
        self.where = where
        self.expected = expected
        self.got = got


class WaitTimedOut(ClientError, TimeoutError):
    """
    The transfer did not get there in time. It may still: cancel it, or wait on.

    Args:
        transfer_id: of the one waited for.
        until: the state that was not reached.
        timeout_s: within which it was not.
        last_state: the last one that relay told; None: relay gave no answer at all.
    """

    def __init__(self, transfer_id: str, *, until: State, timeout_s: float, last_state: State | None) -> None:
        came = last_state or "no answer"
        super().__init__(f"{transfer_id}: expected to be {until} within {timeout_s:g} s, got {came}")
        self.transfer_id = transfer_id
        self.until = until
        self.timeout_s = timeout_s
        self.last_state = last_state


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """
    An RFC 9457 problem, or what of it could be read: a proxy in front of relay answers in its own words.

    ``members`` are those that are relay's own, such as ``errors``, the list of what is wrong with a request.
    """

    status: int
    type: str = "about:blank"
    title: str = ""
    detail: str = ""
    members: Mapping[str, object] = field(default_factory=lambda: _NOTHING)
    retry_after_s: float | None = None

    @property
    def name(self) -> str:
        """The last part of ``type``: ``transfer-conflict``."""
        return self.type.rpartition(":")[2]


class RelayApiError(ClientError):
    """
    Relay answered with a problem.

    Args:
        problem: all that was said; the most used of it are attributes of the error too.
    """

    def __init__(self, problem: Problem) -> None:
        said = ": ".join(part for part in (problem.title, problem.detail) if part)
        super().__init__(f"{problem.status} {said}".rstrip())
        self.problem = problem
        self.status = problem.status
        self.type = problem.type
        self.title = problem.title
        self.detail = problem.detail

    @property
    def retryable(self) -> bool:
        """Relay's, or a proxy's, own failure may pass."""
        return self.status >= 500


class CarrierFailed(RelayApiError):
    """The carrier did not do what relay asked of it, or not all of it."""


class Conflict(RelayApiError):
    """The room has a live transfer already."""

    @property
    def transfer_id(self) -> str | None:
        """Of the live one."""
        held = self.problem.members.get("transfer_id")
        return held if isinstance(held, str) else None

    @property
    def sentence(self) -> str:
        """No failure for the customer."""
        return "I am already calling someone for you."


class NotFound(RelayApiError):
    """No such transfer, or not any longer."""


class Overloaded(RelayApiError):
    """Not now: capacity, allowance, no store, or shutting down."""

    @property
    def retryable(self) -> bool:
        """After ``retry_after_s``."""
        return True

    @property
    def retry_after_s(self) -> float | None:
        """When it is worth trying again; None: not said."""
        return self.problem.retry_after_s

    @property
    def sentence(self) -> str:
        """As when the carrier has no line free."""
        return Reason.PROVIDER_BUSY.sentence


class RefusedRequest(RelayApiError):
    """The request breaks a rule, and would again; ``problem.members["errors"]`` may say which."""


class RequestInProgress(RelayApiError):
    """The first request with this idempotency key is not answered yet."""

    @property
    def retryable(self) -> bool:
        """It will be answered."""
        return True


class Unauthorized(RelayApiError):
    """The API key is missing, unknown, or may not do this."""


_BY_NAME: Final[Mapping[str, type[RelayApiError]]] = {
    "carrier-failed": CarrierFailed,
    "transfer-conflict": Conflict,
    "request-in-progress": RequestInProgress,
}
_BY_STATUS: Final[Mapping[int, type[RelayApiError]]] = {
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    429: Overloaded,
    503: Overloaded,
}


def error_of(problem: Problem) -> RelayApiError:
    """The error that ``problem`` is, by its name, else by its status."""
    by_status = _BY_STATUS.get(problem.status, RefusedRequest if problem.status < 500 else RelayApiError)
    return _BY_NAME.get(problem.name, by_status)(problem)
