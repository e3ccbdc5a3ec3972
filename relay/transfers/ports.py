"""What the coordinator asks of bridges and carriers, and what they tell it; who implements this is no matter of its."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from relay.transfers.reasons import Reason
from relay.transfers.record import TransferOrder

DigitsWay: TypeAlias = Literal["stream", "rest", "no"]

# What a bridge tells


@dataclass(frozen=True, slots=True)
class RoomJoined:
    """We are in the room."""


@dataclass(frozen=True, slots=True)
class MediaStarted:
    """The carrier opened its stream, of the call ``call_id``: its own word, to be compared with the signed one."""

    call_id: str


@dataclass(frozen=True, slots=True)
class BothHeard:
    """Agent and customer are really heard. Comes once."""


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """The agent pressed a key."""

    digit: str


@dataclass(frozen=True, slots=True)
class MediaLost:
    """The carrier's stream broke after both were heard. The bridge waits for another for a while."""

    detail: str


@dataclass(frozen=True, slots=True)
class MediaBack:
    """Both are heard again, over another stream."""


@dataclass(frozen=True, slots=True)
class BridgeEnded:
    """The bridge is over. The last event, once, whoever ended it."""

    reason: Reason
    detail: str


BridgeEvent: TypeAlias = RoomJoined | MediaStarted | BothHeard | KeyPressed | MediaLost | MediaBack | BridgeEnded


@dataclass(frozen=True, slots=True)
class MediaSocket:
    """
    A carrier's TCP connection at its WebSocket upgrade, authorised and not answered yet.

    Whoever holds it must close ``descriptor``.
    """

    descriptor: int
    request: bytes
    """
    The upgrade request as HTTP/1.1, names of headers in lower case.

    A client waits for the answer before it sends anything (RFC 6455, 4.1). What one sends all the same, before the
    connection is handed over, is here, too, but for what the HTTP server read together with the request: it drops that.
    """
    provider: str


class Bridge(Protocol):
    """One bridge, from ``Bridges.acquire`` to ``release``."""

    async def join(self) -> None:
        """Join the room. A failure is told as ``BridgeEnded``, and not raised."""

    def hand_over(self, socket: MediaSocket) -> None:
        """Take the carrier's connection, now this bridge's to close. A later one replaces an earlier one."""

    def ring(self) -> None:
        """The phone rings, or may ring: let the customer hear it, until the agent is heard."""

    def admit(self) -> None:
        """A person is on the phone: let agent and customer hear each other. Only needed if acquired with ``held``."""

    def send_digits(self, digits: str) -> bool:
        """Let the agent's phone hear these keys, over the carrier's stream; False: it is known that there is none."""

    async def release(self, reason: Reason) -> None:
        """End it for ``reason``, bounded, and give it back: it holds no socket and no place in a room any longer."""


class Bridges(Protocol):
    """Where bridges come from."""

    async def acquire(
        self, transfer_id: str, order: TransferOrder, *, held: bool, on_event: Callable[[BridgeEvent], None]
    ) -> Bridge:
        """
        Take a bridge for a transfer; it does nothing yet.

        Args:
            transfer_id: for logs.
            order: which room, and who is who in it.
            held: agent and customer do not hear each other before ``admit``.
            on_event: told everything, on the loop. Must not raise.

        Raises:
            Overloaded: there is none to be had now.
        """


# What a carrier answers


@dataclass(frozen=True, slots=True)
class DialOrder:
    """
    One call to place. The carrier stops ringing a little before ``ring_timeout_s``, and ends a call a little after
    ``max_duration_s``, when everybody else should have. ``detection_timeout_s``: how long finding out whether a machine
    picked up may take. ``media_token`` opens its stream, where the dial says where that goes.
    """

    transfer_id: str
    to: str = field(repr=False)
    from_number: str = field(repr=False)
    ring_timeout_s: float
    max_duration_s: float
    detect_machine: bool
    detection_timeout_s: float | None = None
    media_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Placed:
    """The carrier took the call. ``is_final``: the id is the call's own; else that comes with a report."""

    call_id: str
    is_final: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """There is no call, and there will be none."""

    reason: Reason
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class TryLater:
    """There is no call: the carrier is busy. The same dial may be sent again."""

    after_s: float | None
    detail: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """There may be a call: never dial again. ``sent_s``: when the dial was sent, on the clock of who sent it."""

    detail: str
    sent_s: float | None = field(default=None, compare=False)


DialAnswer: TypeAlias = Placed | Refused | TryLater | Unclear


class Carrier(Protocol):
    """One carrier's account. Nothing here raises for what the carrier or the network does."""

    @property
    def opens_stream_at_dial(self) -> bool:
        """
        Whether the dial says where the call's one stream goes, with ``DialOrder.media_token``.

        Such a carrier asks for no stream when the call is answered, and for no other when this one breaks.
        """

    @property
    def reopens_stream(self) -> bool:
        """Whether another stream may follow one that broke; never, where the dial opens it."""

    @property
    def tells_ringing(self) -> bool:
        """Whether ``PhoneRang`` comes for every phone that rings."""

    @property
    def stops_ringing(self) -> bool:
        """Whether ``hang_up`` ends a phone that rings; else that only says whether it rings still."""

    @property
    def sends_digits(self) -> DigitsWay:
        """By what it can let a phone hear keys: its stream (``Bridge.send_digits``), ``send_digits``, or nothing."""

    def refuses_digits(self, digits: str) -> str | None:
        """What was expected in place of these keys; None: it can send them."""

    async def send_digits(self, call_id: str, digits: str, *, goes_on: Callable[[], bool]) -> bool:
        """
        Ask once to let the phone of a call hear keys, by requests of which each is bounded, as long as ``goes_on``.

        False: it did not take them, or not all.
        """

    async def dial(self, order: DialOrder) -> DialAnswer:
        """Send one dial, once, bounded."""

    async def hang_up(self, call_id: str) -> bool | None:
        """
        Ask once, bounded, to end a call; True: it is over, or was before. May be asked again.

        None: nothing is known by this id, which was the dial's: there may be a call, by another, until a report says.
        """

    def can_list(self, order: DialOrder) -> bool:
        """Whether the carrier can be asked for calls that may be this order's, ever."""

    async def find_calls(self, order: DialOrder, *, sent_s: float | None) -> Sequence[str] | None:
        """
        Ids of calls that are alive and may be this order's; None: the carrier could not be asked, or never can be.

        Args:
            order: what was dialled.
            sent_s: of the ``Unclear`` that the dial came to: calls that are clearly older are somebody else's. None:
                every call may be.
        """


# What a carrier's callbacks say


@dataclass(frozen=True, slots=True)
class PhoneRang:
    """It rings."""


@dataclass(frozen=True, slots=True)
class PhoneAlive:
    """The call exists; nothing more is known."""


@dataclass(frozen=True, slots=True)
class PhoneAnswered:
    """Somebody, or something, picked up."""


@dataclass(frozen=True, slots=True)
class MachineDetected:
    """The carrier's detection: whether a machine picked up; None: it has looked, and cannot tell."""

    is_machine: bool | None


@dataclass(frozen=True, slots=True)
class StreamFailed:
    """The carrier could not open its media stream, or has lost it; it says so before anything else tells."""

    detail: str


@dataclass(frozen=True, slots=True)
class PhoneEnded:
    """The call is over."""

    reason: Reason
    code: str = ""


PhoneNews: TypeAlias = PhoneAlive | PhoneRang | PhoneAnswered | MachineDetected | StreamFailed | PhoneEnded


@dataclass(frozen=True, slots=True)
class PhoneReport:
    """
    One verified callback. ``event_id`` is the same when it comes again; ``placed_id`` is what the dial's answer called
    the call, where that is not its own id.
    """

    call_id: str
    news: PhoneNews
    event_id: str
    placed_id: str = ""
