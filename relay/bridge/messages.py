"""
What a front and one of its workers say to each other, and in what order.

    front                                worker
      Seat ----------------------------->          for each bridge that it may have besides the one of this pair
      Configure ------------------------>          once
               <------------------------ Ready     once: a spare from here on
      Assign --------------------------->          once: the transfer whose bridge this is
      Join, HandOver, Ring, Admit ------>          as often as they come
      SendDigits, End ------------------>          as often as they come
               <------------------------ Told, Statistics
               <------------------------ Over      the last: the worker is gone after it, or has other bridges

On the pair that came with a ``Seat`` they begin with ``Assign``. A worker is gone when each of its pairs is over.

A message is ``[PROTOCOL_VERSION, {"is": ITS CLASS, ...ITS FIELDS}]`` as JSON. One that cannot be read, is too large, of
another version or out of order is nobody's but a defect's: whoever gets it ends the pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import orjson

from relay.bridge.events import Ended
from relay.bridge.plain import plain, reader
from relay.bridge.settings import BridgeSettings
from relay.bridge.stats import BridgeStats
from relay.transfers.ports import BridgeEvent
from relay.transfers.reasons import Reason

PROTOCOL_VERSION: Final = 2
MESSAGE_MAX_BYTES: Final = 128 * 1024
"""An upgrade request with what was read behind it, 64 KiB, takes a third more as base64."""

RoomKind: TypeAlias = Literal["daily", "local"]
RoomBackend: TypeAlias = Literal["virtual", "tracks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomSpec:
    """
    A place in a room.

    Args:
        kind: whose room it is.
        url: the room.
        token: lets relay in; None: the one that comes with ``Join``, or none is needed.
        name: what relay is called there.
        backend: how audio goes in and out; Daily's rooms only.
    """

    kind: RoomKind
    url: str
    token: str | None = field(default=None, repr=False)
    name: str = "relay"
    backend: RoomBackend = "virtual"


# What the front says


@dataclass(frozen=True, slots=True)
class Seat:
    """A place for one more bridge. With it comes a descriptor: the worker's end of the pair that it is driven over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configure:
    """
    How a worker logs, and what it must be ready for.

    Args:
        log_level, log_format: as the front's own.
        secrets: never to be in a log line.
        rooms: the kinds of rooms whose code is loaded before it is ``Ready``.
        carriers: those whose adapters' code is, too.
    """

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console", "auto"] = "auto"
    secrets: tuple[str, ...] = field(default=(), repr=False)
    rooms: tuple[RoomKind, ...] = ()
    carriers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Assign:
    """
    Whose bridge is driven over this pair from now on.

    Args:
        transfer_id: for logs.
        room: where the bridge goes at ``Join``.
        settings: the bridge's bounds, the longest duration among them.
        customer_id, bot_id: who is who in the room.
        held: agent and customer do not hear each other before ``Admit``.
    """

    transfer_id: str
    room: RoomSpec
    settings: BridgeSettings = field(default_factory=BridgeSettings)
    customer_id: str | None = None
    bot_id: str | None = None
    held: bool = False


@dataclass(frozen=True, slots=True)
class Join:
    """As ``ports.Bridge.join``; ``token``: made for this one join, if the room was given none."""

    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class HandOver:
    """
    As ``ports.Bridge.hand_over``. With it comes a descriptor: the carrier's connection.

    ``request`` has the token in it that has just been used up.
    """

    request: bytes = field(repr=False)
    provider: str


@dataclass(frozen=True, slots=True)
class Ring:
    """As ``ports.Bridge.ring``."""


@dataclass(frozen=True, slots=True)
class Admit:
    """As ``ports.Bridge.admit``."""


@dataclass(frozen=True, slots=True)
class SendDigits:
    """As ``ports.Bridge.send_digits``: of a length and kind that the carrier takes."""

    digits: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class End:
    """As ``ports.Bridge.release``: ``Over`` follows."""

    reason: Reason
    detail: str = ""


# What the worker says


@dataclass(frozen=True, slots=True)
class Ready:
    """It is up, and takes an ``Assign``."""

    pid: int


@dataclass(frozen=True, slots=True)
class Told:
    """What the transfer is told. ``BridgeEnded`` comes when the phone can be hung up, once, and ``Over`` after it."""

    event: BridgeEvent


@dataclass(frozen=True, slots=True)
class Statistics:
    """Once a second."""

    stats: BridgeStats


@dataclass(frozen=True, slots=True)
class Over:
    """The bridge holds nothing any longer. The pair is closed; a worker without another bridge or seat exits."""

    ended: Ended


FromFront: TypeAlias = Configure | Seat | Assign | Join | HandOver | Ring | Admit | SendDigits | End
FromWorker: TypeAlias = Ready | Told | Statistics | Over
Message: TypeAlias = FromFront | FromWorker

Order: TypeAlias = Mapping[type[Any], tuple[int, int]]
"""Of one side's messages: at which stage each may come, and which stage it leads to."""

_DRIVING: Final[tuple[type[Any], ...]] = (Join, HandOver, Ring, Admit, SendDigits, End)
FROM_FRONT: Final[Order] = {
    Configure: (0, 1),
    Seat: (0, 0),
    Assign: (1, 2),
    **dict.fromkeys(_DRIVING, (2, 2)),
}
FROM_WORKER: Final[Order] = {Ready: (0, 1), **dict.fromkeys((Told, Statistics), (1, 1)), Over: (1, 2)}
SEAT_FROM_FRONT: Final[Order] = {Assign: (0, 1), **dict.fromkeys(_DRIVING, (1, 1))}
SEAT_FROM_WORKER: Final[Order] = {**dict.fromkeys((Told, Statistics), (0, 0)), Over: (0, 1)}
WITH_DESCRIPTOR: Final = (Seat, HandOver)


def encode(message: Message) -> bytes:
    """
    The bytes of a message.

    Raises:
        ValueError: it has more than ``MESSAGE_MAX_BYTES``, or a text or number that JSON has no form for.
    """
    try:
        encoded = orjson.dumps([PROTOCOL_VERSION, plain(message)])
    except TypeError as error:  # orjson's own, too: its messages have no values
        raise ValueError(f"{type(message).__name__}: {error}") from None
    if len(encoded) > MESSAGE_MAX_BYTES:
        raise ValueError(
            f"{type(message).__name__}: expected {MESSAGE_MAX_BYTES} bytes at most, got {len(encoded)}: nothing is sent"
        )
    return encoded


class Incoming:
    """
    Reads one side's messages.

    Args:
        order: ``FROM_FRONT``, ``FROM_WORKER``, or that of a seat.
    """

    def __init__(self, order: Order) -> None:
        self._order = order
        self._kinds = {kind.__name__: kind for kind in order}
        self._stage = 0

    def read(self, encoded: bytes) -> Any:
        """
        The next message, one of the order's.

        Raises:
            ValueError: it cannot be read, is of another version, or out of order. The message has no values.
        """
        if len(encoded) > MESSAGE_MAX_BYTES:
            raise ValueError(f"message: expected {MESSAGE_MAX_BYTES} bytes at most, got {len(encoded)}")
        kind, content = self._open(encoded)
        at, leads_to = self._order[kind]
        if self._stage != at:
            raise ValueError(f"message: expected no {kind.__name__} at stage {self._stage}, but at {at}")
        message = reader(kind)(content)
        self._stage = leads_to
        return message

    def _open(self, encoded: bytes) -> tuple[Any, object]:
        try:
            content = orjson.loads(encoded)
        except orjson.JSONDecodeError:
            raise ValueError("message: expected JSON, got something else") from None
        match content:
            case [version, *_] if type(version) is int and version != PROTOCOL_VERSION:
                raise ValueError(f"message: expected version {PROTOCOL_VERSION}, got {version}")
            case [int(), {"is": str(kind)} as fields] if kind in self._kinds and type(content[0]) is int:
                return self._kinds[kind], fields
        raise ValueError(f"message: expected one of {', '.join(self._kinds)}, got something else")
