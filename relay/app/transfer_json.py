"""A transfer, its events and the destinations as the HTTP API shows them: numbers are masked, times are ISO 8601."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from relay.transfers.reasons import Reason
from relay.transfers.record import TRANSFER_ID, Accept, LoggedEvent, Transfer
from relay.transfers.states import Event, State

_EXAMPLE: Final[dict[str, JsonValue]] = {
    "id": "tr_019acf0a1b2c4d5e6f708192a3b4c5d6",
    "state": "ringing",
    "reason": None,
    "retryable": None,
    "sentence": None,
    "reconnecting": False,
    "provider": "twilio",
    "provider_call_id": "CA0123456789abcdef0123456789abcdef",
    "provider_code": None,
    "destination": "billing",
    "to": "+*********23",
    "room_url": "https://example.daily.co/support-42",
    "customer_id": None,
    "bot_id": "Bot",
    "accept": "none",
    "ring_timeout_s": 30.0,
    "max_duration_s": 14400.0,
    "metadata": {},
    "created_at": "2026-11-26T12:00:00.123Z",
    "updated_at": "2026-11-26T12:00:01.654Z",
    "times": {
        "requested": "2026-11-26T12:00:00.123Z",
        "dialing": "2026-11-26T12:00:00.125Z",
        "ringing": "2026-11-26T12:00:01.654Z",
    },
}

TransferIdText = Annotated[str, Field(pattern=f"^{TRANSFER_ID.pattern}$")]
Moment = Annotated[
    str, Field(json_schema_extra={"format": "date-time"}, description="ISO 8601 in UTC, with milliseconds.")
]


class TransferJson(BaseModel):
    """A transfer."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    id: TransferIdText
    state: State
    reason: Reason | None = Field(description="Why it ended.")
    retryable: bool | None = Field(description="Whether the same request, made again soon, may well succeed.")
    sentence: str | None = Field(description="What a bot can say to the customer about the reason.")
    reconnecting: bool = Field(description="The carrier's stream broke, and may come back.")
    provider: str = Field(description="The carrier.")
    provider_call_id: str | None = Field(description="The carrier's id of the phone call.")
    provider_code: str | None = Field(description="The carrier's own code for what it refused.")
    destination: str | None
    to: str = Field(description="The number that is dialled, masked.")
    room_url: str
    customer_id: str | None = Field(description="As in the request.")
    bot_id: str | None = Field(description="As in the request.")
    accept: Accept
    ring_timeout_s: float
    max_duration_s: float
    metadata: dict[str, str]
    created_at: Moment
    updated_at: Moment
    times: dict[State, Moment] = Field(description="When each state was reached first.")


class TransferListJson(BaseModel):
    """Transfers, newest first."""

    transfers: list[TransferJson]


class TransferEventJson(BaseModel):
    """One entry of a transfer's log: the ``data`` of a server-sent event."""

    id: TransferIdText
    version: int
    event: Event | None = Field(description="What happened; null for the entry that made the transfer.")
    state: State = Field(description="Where that led.")
    reason: Reason | None
    retryable: bool | None
    sentence: str | None
    changes: dict[str, str] = Field(description="What else it changed, such as `provider_call_id`.")
    at: Moment


class DestinationJson(BaseModel):
    """Who can be reached by name."""

    name: str
    provider: str
    to: str = Field(description="Masked.")
    accept: Accept


class DestinationListJson(BaseModel):
    """All destinations, by name."""

    destinations: list[DestinationJson]


def transfer_json(transfer: Transfer) -> TransferJson:
    """A transfer as it is shown."""
    reason = transfer.reason
    return TransferJson(
        id=transfer.transfer_id,
        state=transfer.state,
        reason=reason,
        retryable=reason.retryable if reason is not None else None,
        sentence=reason.sentence if reason is not None else None,
        reconnecting=transfer.reconnecting,
        provider=transfer.provider,
        provider_call_id=transfer.provider_call_id,
        provider_code=transfer.provider_code,
        destination=transfer.destination,
        to=transfer.to_masked,
        room_url=transfer.room_url,
        customer_id=transfer.customer_id,
        bot_id=transfer.bot_id,
        accept=transfer.accept,
        ring_timeout_s=transfer.ring_timeout_s,
        max_duration_s=transfer.max_duration_s,
        metadata=dict(transfer.metadata),
        created_at=iso_utc(transfer.times_ms.get(State.REQUESTED, transfer.updated_ms)),
        updated_at=iso_utc(transfer.updated_ms),
        times={state: iso_utc(transfer.times_ms[state]) for state in State if state in transfer.times_ms},
    )


def event_json(transfer_id: str, entry: LoggedEvent) -> TransferEventJson:
    """An entry of a transfer's log as it is shown."""
    reason = entry.reason
    return TransferEventJson(
        id=transfer_id,
        version=entry.version,
        event=entry.event,
        state=entry.state,
        reason=reason,
        retryable=reason.retryable if reason is not None else None,
        sentence=reason.sentence if reason is not None else None,
        changes=dict(entry.changes),
        at=iso_utc(entry.at_ms),
    )


def iso_utc(at_ms: int) -> str:
    """Unix milliseconds as ``2026-11-26T12:00:00.123Z``."""
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"
