"""What relay tells of transfers, their events and its destinations, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from relay.client.fields import Fields, known_or_none
from relay.transfers.reasons import Reason
from relay.transfers.states import State

_ORDER: Final = tuple(State)  # as a transfer goes through them; the terminal ones are last


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferView:
    """
    A transfer as relay told it.

    Args:
        reason: why it ended; None while it lives, and for a reason that this client does not know.
        reason_text: the reason's name, known or not.
        retryable: whether the same request, made again soon, may well succeed; None while it lives.
        sentence: what a bot can say to the customer about it; None while it lives.
        reconnecting: it is joined, but the phone's audio is away for the moment.
        provider_code: the carrier's own code for what it refused.
        to: masked.
        times: when each state was reached first.
    """

    transfer_id: str
    state: State
    reason: Reason | None
    reason_text: str | None
    retryable: bool | None
    sentence: str | None
    reconnecting: bool
    provider: str
    provider_call_id: str | None
    provider_code: str | None
    destination: str | None
    to: str
    room_url: str
    customer_id: str | None
    bot_id: str | None
    accept: str
    ring_timeout_s: float
    max_duration_s: float
    metadata: Mapping[str, str] = field(repr=False)  # the bot's own; may hold what no log should
    created_at: datetime
    updated_at: datetime
    times: Mapping[State, datetime]

    @property
    def is_terminal(self) -> bool:
        """It is over, and stays as it is."""
        return self.state.is_terminal

    def has_reached(self, state: State) -> bool:
        """It is in ``state``, past it, or over."""
        return self.is_terminal or _ORDER.index(self.state) >= _ORDER.index(state)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferEvent:
    """
    One entry of a transfer's log: what happened, and the state that led to.

    Args:
        entry_id: goes on after this entry when given as ``after``.
        event: its name; None for the entry that made the transfer.
        reason, reason_text, retryable, sentence: as of ``TransferView``.
        changes: what else it changed, such as ``provider_call_id``.
    """

    entry_id: str
    version: int
    event: str | None
    state: State
    reason: Reason | None
    reason_text: str | None
    retryable: bool | None
    sentence: str | None
    changes: Mapping[str, str]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """
    An entry of relay's configuration that can be called by its name.

    Args:
        provider: the carrier that calls it.
        to: masked.
        accept: what shows that a person is on the phone.
    """

    name: str
    provider: str
    to: str
    accept: str


def transfer_view(answer: object) -> TransferView:
    """
    Read a transfer.

    Raises:
        UnexpectedAnswer: it is none, or misses what every transfer has.
    """
    return _transfer(Fields("transfer", answer))


def _transfer(fields: Fields) -> TransferView:
    times = fields.inner("times")
    reason_text = fields.text_or_none("reason")
    return TransferView(
        transfer_id=fields.text("id"),
        state=fields.one_of("state", State),
        reason=known_or_none(Reason, reason_text),
        reason_text=reason_text,
        retryable=fields.flag_or_none("retryable"),
        sentence=fields.text_or_none("sentence"),
        reconnecting=fields.flag("reconnecting"),
        provider=fields.text("provider"),
        provider_call_id=fields.text_or_none("provider_call_id"),
        provider_code=fields.text_or_none("provider_code"),
        destination=fields.text_or_none("destination"),
        to=fields.text("to"),
        room_url=fields.text("room_url"),
        customer_id=fields.text_or_none("customer_id"),
        bot_id=fields.text_or_none("bot_id"),
        accept=fields.text("accept"),
        ring_timeout_s=fields.number("ring_timeout_s"),
        max_duration_s=fields.number("max_duration_s"),
        metadata=fields.inner("metadata").texts(),
        created_at=fields.moment("created_at"),
        updated_at=fields.moment("updated_at"),
        times={state: times.moment(state) for state in State if state in times.names()},
    )


def transfer_views(answer: object) -> tuple[TransferView, ...]:
    """
    Read a list of transfers.

    Raises:
        UnexpectedAnswer: it is none.
    """
    return tuple(_transfer(fields) for fields in Fields("answer", answer).objects("transfers"))


def transfer_event(entry_id: str, data: object) -> TransferEvent:
    """
    Read an entry of the log.

    Raises:
        UnexpectedAnswer: it is none.
    """
    fields = Fields("event", data)
    reason_text = fields.text_or_none("reason")
    return TransferEvent(
        entry_id=entry_id,
        version=fields.whole("version"),
        event=fields.text_or_none("event"),
        state=fields.one_of("state", State),
        reason=known_or_none(Reason, reason_text),
        reason_text=reason_text,
        retryable=fields.flag_or_none("retryable"),
        sentence=fields.text_or_none("sentence"),
        changes=fields.inner("changes").texts(),
        at=fields.moment("at"),
    )


def destinations(answer: object) -> tuple[Destination, ...]:
    """
    Read the destinations.

    Raises:
        UnexpectedAnswer: they are none.
    """
    return tuple(
        Destination(
            name=fields.text("name"),
            provider=fields.text("provider"),
            to=fields.text("to"),
            accept=fields.text("accept"),
        )
        for fields in Fields("answer", answer).objects("destinations")
    )
