"""
Everything relay raises on purpose.

RelayError
├── ProtocolError
│   ├── RemoteProtocolError     the carrier broke its protocol
│   └── LocalProtocolError      relay asked for what the protocol, or this carrier, does not have
└── RoomError
    ├── RoomUnreachable         the room could not be joined: no network, no such room, no answer in time
    ├── RoomDenied              the room refused: token, permission, full
    ├── RoomEnded               the room, or our place in it, was ended on purpose
    └── RoomLost                the connection to the room broke
"""

from __future__ import annotations


class RelayError(Exception):
    """Base of all of relay's own errors."""


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
