"""For bots: asks relay for warm transfers over HTTP, and follows them."""

from relay.client.client import RelayClient
from relay.client.errors import (
    CarrierFailed,
    ClientError,
    Conflict,
    NotFound,
    Overloaded,
    Problem,
    RefusedRequest,
    RelayApiError,
    RelayUnreachable,
    RequestInProgress,
    Unauthorized,
    UnexpectedAnswer,
    WaitTimedOut,
)
from relay.client.views import Destination, TransferEvent, TransferView
from relay.transfers.reasons import Reason
from relay.transfers.states import Event, State

__all__ = [
    "CarrierFailed",
    "ClientError",
    "Conflict",
    "Destination",
    "Event",
    "NotFound",
    "Overloaded",
    "Problem",
    "Reason",
    "RefusedRequest",
    "RelayApiError",
    "RelayClient",
    "RelayUnreachable",
    "RequestInProgress",
    "State",
    "TransferEvent",
    "TransferView",
    "Unauthorized",
    "UnexpectedAnswer",
    "WaitTimedOut",
]
