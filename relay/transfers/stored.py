"""
How a transfer and its events are written in Redis, and read back strictly.

A transfer is a hash: a field per attribute, none for what is None, ``at:<state>`` for its times. Redis may be shared,
half-restored or written by another version: whatever relay would not have written is refused, never guessed at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from types import MappingProxyType
from typing import Any, Final

import orjson

from relay.errors import StoreUnavailable
from relay.transfers.reasons import Reason
from relay.transfers.record import Accept, LoggedEvent, Transfer
from relay.transfers.states import LIVE, Event, State, sources

SCHEMA: Final = "1"
"""Of all that is stored. A record of another schema is left alone."""
CHANGEABLE: Final = frozenset({"provider_call_id", "provider_code"})
"""What an event may bring with it."""
LIVE_STATES: Final = f"|{'|'.join(sorted(LIVE))}|"
"""As the scripts MINT and CONSUME read them."""
_STORE_ONLY: Final = frozenset({"token", "token_stream", "token_until_ms", "consumed_by"})
_TIMES: Final = {f"at:{state}": state for state in State}


def transfer_key(prefix: str, transfer_id: str) -> str:
    """Return the key of a transfer. All that belongs to it has the same in braces: Redis Cluster keeps it together."""
    return f"{prefix}:{{{transfer_id}}}"


def flatten_new(transfer: Transfer) -> list[str | int]:
    """Return field, value, field, value, ... of a transfer that is to be stored, without those that creation adds."""
    values: dict[str, str | None] = {
        "schema": SCHEMA,
        "epoch": str(transfer.epoch),
        "owner": transfer.owner,
        "provider": transfer.provider,
        "room_url": transfer.room_url,
        "to_masked": transfer.to_masked,
        "destination": transfer.destination,
        "accept": transfer.accept,
        "customer_id": transfer.customer_id,
        "bot_id": transfer.bot_id,
        "ring_timeout_s": repr(float(transfer.ring_timeout_s)),
        "max_duration_s": repr(float(transfer.max_duration_s)),
        "metadata": orjson.dumps(dict(transfer.metadata)).decode() if transfer.metadata else None,
        "provider_call_id": transfer.provider_call_id,
        "reason": transfer.reason,
        "provider_code": transfer.provider_code,
        "reconnecting": str(int(transfer.reconnecting)),
        "streams": str(transfer.streams),
        **{f"at:{state}": str(at_ms) for state, at_ms in transfer.times_ms.items()},
    }
    return [text for name, value in values.items() if value is not None for text in (name, value)]


def sources_text(event: Event, *, keep_s: int, live_s: int) -> str:
    """Say where an event counts, what follows and how long that is kept, as the script APPLY reads it."""
    items = [f"{before}>{after}>{keep_s if after.is_terminal else live_s}" for before, after in sources(event).items()]
    return "".join(f"|{item}|" for item in items)


def reconnecting_text(event: Event) -> str:
    """Say what an event makes of ``reconnecting``, as the script APPLY reads it; nothing: it stays as it is."""
    if event is Event.MEDIA_LOST:
        return "1"
    ends = all(after.is_terminal for after in sources(event).values())
    return "0" if ends or event is Event.MEDIA_BACK else ""


def read_transfer(transfer_id: str, flat: Sequence[bytes]) -> Transfer | None:
    """
    Read what HGETALL answers; None for an empty hash.

    Raises:
        StoreUnavailable: relay of this schema has not written this.
    """
    if not flat:
        return None
    try:
        fields = dict(_pairs(flat))
        if fields.pop("schema", None) != SCHEMA:
            raise ValueError(f"schema: expected {SCHEMA}, got another")  # noqa: TRY301 - told as the others below
        values: dict[str, Any] = {}
        times_ms: dict[State, int] = {}
        for name, text in fields.items():
            if name in _READERS:
                values[name] = _READERS[name](text)
            elif name not in _STORE_ONLY:
                times_ms[_TIMES[name]] = _whole(text)
        return Transfer(transfer_id=transfer_id, times_ms=MappingProxyType(times_ms), **values)
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(f"transfer {transfer_id}", error) from error


def read_event(transfer_id: str, entry: Sequence[Any]) -> LoggedEvent:
    """
    Read one entry of what XRANGE answers.

    Raises:
        StoreUnavailable: relay of this schema has not written this.
    """
    try:
        entry_id, flat = entry
        fields = dict(_pairs(flat))
        return LoggedEvent(
            entry_id=entry_id.decode(),
            version=_whole(fields["version"]),
            event=Event(fields["event"]) if "event" in fields else None,
            state=State(fields["state"]),
            at_ms=_whole(fields["at_ms"]),
            reason=Reason(fields["reason"]) if "reason" in fields else None,
            changes={name.removeprefix("change:"): text for name, text in fields.items() if name.startswith("change:")},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable(f"an event of transfer {transfer_id}", error) from error


def _pairs(flat: Sequence[bytes]) -> Iterator[tuple[str, str]]:
    texts = [value.decode() for value in flat]
    return zip(texts[::2], texts[1::2], strict=True)


def _unreadable(what: str, error: Exception) -> StoreUnavailable:
    return StoreUnavailable(f"{what} cannot be read as it is stored: {type(error).__name__} {str(error)[:100]}")


def _whole(text: str) -> int:
    if not (text.isdecimal() and text.isascii() and len(text) <= 15):
        raise ValueError(f"expected a whole number, got {text[:20]!r}")
    return int(text)


def _seconds(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"expected finite seconds, got {text}")
    return value


def _metadata(text: str) -> MappingProxyType[str, str]:
    value = orjson.loads(text)
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ValueError("expected metadata of text, got something else")
    return MappingProxyType(value)


_READERS: Final[dict[str, Callable[[str], object]]] = {
    **dict.fromkeys(
        ("owner", "provider", "room_url", "to_masked", "destination", "customer_id", "bot_id", *CHANGEABLE), str
    ),
    **dict.fromkeys(("version", "epoch", "streams", "updated_ms"), _whole),
    **dict.fromkeys(("ring_timeout_s", "max_duration_s"), _seconds),
    # Looking up takes half as long as calling the class, and this is done with every write.
    "state": {state.value: state for state in State}.__getitem__,
    "accept": {accept.value: accept for accept in Accept}.__getitem__,
    "reason": {reason.value: reason for reason in Reason}.__getitem__,
    "reconnecting": {"0": False, "1": True}.__getitem__,
    "metadata": _metadata,
}
