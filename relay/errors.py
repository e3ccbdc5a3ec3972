"""
Everything relay raises on purpose.

RelayError
├── ConfigurationError          the settings, all of them that are wrong
├── ProtocolError
│   ├── RemoteProtocolError     the carrier broke its protocol
│   └── LocalProtocolError      relay asked for what the protocol, or this carrier, does not have
├── RoomError
│   ├── RoomUnreachable         the room could not be joined: no network, no such room, no answer in time
│   ├── RoomDenied              the room refused: token, permission, full
│   ├── RoomEnded               the room, or our place in it, was ended on purpose
│   └── RoomLost                the connection to the room broke
└── TransferError
    ├── NumberRefused           the number may not be dialled
    ├── RoomRefused             the room may not be joined
    ├── TransferConflict        the room has a live transfer already
    ├── RequestMismatch         an idempotency key came again with another request
    ├── RequestInProgress       an idempotency key came again before the first request was answered
    ├── Overloaded              no more transfers now: capacity, allowance, or shutting down
    └── StoreUnavailable        the store of the transfers does not answer, or cannot be used
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class RelayError(Exception):
    """Base of all of relay's own errors."""


@dataclass(frozen=True, slots=True)
class Problem:
    """
    One thing that is wrong with the settings.

    Args:
        name: the setting as its user wrote it, ``RELAY_LISTEN`` or ``listen in relay.toml``.
        expected: what it may be.
        got: what it is; never a secret.
        fix: what to do.
    """

    name: str
    expected: str
    got: str
    fix: str

    def __str__(self) -> str:
        return f"{self.name}: expected {self.expected}, got {self.got}; {self.fix}"


class ConfigurationError(RelayError):
    """
    The settings are wrong: the message is one line for each problem.

    Args:
        problems: every one there is.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class ProtocolError(RelayError):
    """
    A rule of a carrier's protocol was broken.

    Args:
        carrier: the adapter's name, ``twilio``.
        field: where in the message, ``media.payload``; ``message`` for all of it.
        expected: what the protocol asks for.
        got: what came, short enough to log.
    """

    def __init__(self, carrier: str, field: str, *, expected: str, got: str) -> None:
        super().__init__(f"{carrier} {field}: expected {expected}, got {got}")
        self.carrier = carrier
        self.field = field
        self.expected = expected
        self.got = got


class RemoteProtocolError(ProtocolError):
    """The carrier broke its protocol."""


class LocalProtocolError(ProtocolError):
    """Relay asked for what the protocol, or this carrier, does not have."""


class RoomError(RelayError):
    """The room cannot be used, or not any longer."""


class RoomUnreachable(RoomError):
    """The room could not be joined: no network, no such room, no answer in time."""


class RoomDenied(RoomError):
    """The room refused: token, permission, full."""


class RoomEnded(RoomError):
    """The room, or our place in it, was ended on purpose."""


class RoomLost(RoomError):
    """The connection to the room broke."""


class TransferError(RelayError):
    """A transfer cannot be made, or not be followed."""


class NumberRefused(TransferError):
    """The number may not be dialled. The message does not contain it."""


class RoomRefused(TransferError):
    """The room may not be joined. The message does not contain its URL."""


class TransferConflict(TransferError):
    """
    The room has a live transfer already.

    Args:
        transfer_id: of the live one.
    """

    def __init__(self, transfer_id: str) -> None:
        super().__init__(f"expected a room without a live transfer, got one with {transfer_id}")
        self.transfer_id = transfer_id


class RequestMismatch(TransferError):
    """An idempotency key came again with another request."""


class RequestInProgress(TransferError):
    """An idempotency key came again before the first request was answered."""


class Overloaded(TransferError):
    """
    No more transfers now: capacity, allowance, or shutting down.

    Args:
        message: what there is no more of.
        retry_after_s: when it is worth trying again.
        is_allowance: the caller's own allowance is used up, not the service's capacity.
    """

    def __init__(self, message: str, *, retry_after_s: float, is_allowance: bool = False) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.is_allowance = is_allowance


class NotJoined(TransferError):
    """Nobody is on the phone, or not here, for what was asked of the call."""


class DigitsRefused(TransferError):
    """The transfer's carrier cannot send these keys. The message does not contain them."""


class DigitsInProgress(TransferError):
    """Other keys are being sent to the transfer's phone."""


class CarrierFailed(TransferError):
    """The carrier did not do what it was asked, or did not say so."""


class StoreUnavailable(TransferError):
    """The store of the transfers does not answer, or cannot be used."""
