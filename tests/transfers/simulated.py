"""A simulated carrier and simulated bridges at the coordinator's own borders: what they do is what a test says."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Sequence

from relay.dev.until import Changes
from relay.errors import RelayError
from relay.transfers.ports import (
    BothHeard,
    BridgeEnded,
    BridgeEvent,
    DialAnswer,
    DialOrder,
    DigitsWay,
    MediaSocket,
    MediaStarted,
    Placed,
    RoomJoined,
)
from relay.transfers.reasons import Reason
from relay.transfers.record import TransferOrder

TIMEOUT_S = 10.0


class SimulatedCarrier:
    """
    One account of a carrier (``ports.Carrier``): it places every call unless ``script`` says otherwise.

    ``may_dial`` and ``may_hang_up`` are open; a test that clears one keeps the carrier from answering until it sets it.
    """

    def __init__(self) -> None:
        self.opens_stream_at_dial = False
        self.reopens_stream = True
        self.tells_ringing = True
        self.stops_ringing = True
        """A test may set them before it asks for a transfer."""
        self.sends_digits: DigitsWay = "stream"
        self.keys = "0123456789*#"
        self.takes_digits = True
        self.may_send_digits = _open_gate()
        self.goes_on: Callable[[], bool] = lambda: False
        """Whether the keys that are being sent, or were sent last, still should be."""
        self.digits: list[tuple[str, str]] = []
        """Keys that calls were sent by REST."""
        self.dials: list[DialOrder] = []
        self.hang_ups: list[str] = []
        self.sought: list[float | None] = []
        """For which dial calls were asked for: when it was sent."""
        self.made: list[tuple[str, DialOrder]] = []
        """Every call there ever was, and the dial that each comes from."""
        self.alive: dict[str, DialOrder] = {}
        """Phones that ring or talk, and the dial that each comes from."""
        self.failing_hang_ups = 0
        """So many next hang-ups are not done."""
        self.has_list = True
        self.lists_calls = True
        self.may_dial = _open_gate()
        self.may_hang_up = _open_gate()
        self._script: deque[tuple[DialAnswer, str | None]] = deque()
        self._changes = Changes()

    def script(self, answer: DialAnswer, *, makes: str | None = None) -> None:
        """Answer a coming dial so; ``makes``: the id of a call that is made and not told."""
        self._script.append((answer, makes))

    def end(self, call_id: str) -> None:
        """The phone is put down, or never answered: the call is over at the carrier."""
        del self.alive[call_id]
        self._changes.changed()

    async def until(self, met: Callable[[SimulatedCarrier], bool], *, timeout_s: float = TIMEOUT_S) -> None:
        await self._changes.until(lambda: met(self), "simulated carrier", timeout_s=timeout_s)

    async def dial(self, order: DialOrder) -> DialAnswer:
        self.dials.append(order)
        answer, makes = self._script.popleft() if self._script else (Placed(f"CA{len(self.dials)}"), None)
        call_id = answer.call_id if isinstance(answer, Placed) else makes
        if call_id is not None:  # it rings before the answer is there
            self.alive[call_id] = order
            self.made.append((call_id, order))
        self._changes.changed()
        await self.may_dial.wait()
        return answer

    async def hang_up(self, call_id: str) -> bool | None:
        self.hang_ups.append(call_id)
        self._changes.changed()
        await self.may_hang_up.wait()
        if self.failing_hang_ups > 0:
            self.failing_hang_ups -= 1
            return False
        self.alive.pop(call_id, None)
        self._changes.changed()
        return True

    def refuses_digits(self, digits: str) -> str | None:
        return None if {*digits} <= {*self.keys} else f"some of {self.keys}"

    async def send_digits(self, call_id: str, digits: str, *, goes_on: Callable[[], bool]) -> bool:
        self.digits.append((call_id, digits))
        self.goes_on = goes_on
        self._changes.changed()
        await self.may_send_digits.wait()
        return goes_on() and self.takes_digits

    def can_list(self, order: DialOrder) -> bool:  # noqa: ARG002 - of no order, or of all
        return self.has_list

    async def find_calls(self, order: DialOrder, *, sent_s: float | None) -> Sequence[str] | None:
        self.sought.append(sent_s)
        if not self.lists_calls:
            return None
        return [call_id for call_id, its_order in self.alive.items() if its_order.to == order.to]


class SimulatedBridge:
    """
    One bridge (``ports.Bridge``): a test makes it tell what happens with ``emit``.

    ``may_release`` is open; a test that clears it keeps the bridge from being given back until it sets it.
    """

    def __init__(
        self,
        transfer_id: str,
        order: TransferOrder,
        *,
        held: bool,
        on_event: Callable[[BridgeEvent], None],
        changes: Changes,
    ) -> None:
        self.transfer_id = transfer_id
        self.order = order
        self.held = held
        self.joins = 0
        self.rings = 0
        self.is_admitted = not held
        self.digits: list[str] = []
        self.has_stream = True
        self.handed: list[MediaSocket] = []
        self.released: Reason | None = None
        self.is_given_back = False
        self.may_release = _open_gate()
        self._has_ended = False
        self._on_event = on_event
        self._changes = changes

    def emit(self, event: BridgeEvent) -> None:
        """Tell the coordinator of something, now."""
        self._has_ended = self._has_ended or isinstance(event, BridgeEnded)
        self._on_event(event)

    def connect(self, call_id: str) -> None:
        """Tell that the carrier's stream of ``call_id`` began, and that both were heard."""
        self.emit(MediaStarted(call_id))
        self.emit(BothHeard())

    async def until(self, met: Callable[[SimulatedBridge], bool], *, timeout_s: float = TIMEOUT_S) -> None:
        await self._changes.until(lambda: met(self), "simulated bridge", timeout_s=timeout_s)

    async def join(self) -> None:
        self.joins += 1
        self.emit(RoomJoined())
        self._changes.changed()

    def hand_over(self, socket: MediaSocket) -> None:
        self.handed.append(socket)
        self._changes.changed()

    def ring(self) -> None:
        self.rings += 1
        self._changes.changed()

    def admit(self) -> None:
        self.is_admitted = True
        self._changes.changed()

    def send_digits(self, digits: str) -> bool:
        if self.has_stream:
            self.digits.append(digits)
            self._changes.changed()
        return self.has_stream

    async def release(self, reason: Reason) -> None:
        self.released = self.released or reason
        self._changes.changed()
        await self.may_release.wait()
        while self.handed:
            os.close(self.handed.pop().descriptor)
        if not self._has_ended:
            self.emit(BridgeEnded(reason, "released"))
        self.is_given_back = True
        self._changes.changed()


class SimulatedBridges:
    """
    Where simulated bridges come from (``ports.Bridges``): there is always one, unless ``refusal`` is set.

    ``may_acquire`` is open; a test that clears it keeps whoever asks for a bridge waiting until it sets it.
    """

    def __init__(self) -> None:
        self.kind = SimulatedBridge
        """A test may set one that does something else."""
        self.made: list[SimulatedBridge] = []
        self.refusal: RelayError | None = None
        self.may_acquire = _open_gate()
        self._changes = Changes()

    @property
    def last(self) -> SimulatedBridge:
        return self.made[-1]

    @property
    def taken(self) -> list[SimulatedBridge]:
        """Those that have not been given back."""
        return [bridge for bridge in self.made if not bridge.is_given_back]

    def of(self, transfer_id: str) -> SimulatedBridge:
        return next(bridge for bridge in self.made if bridge.transfer_id == transfer_id)

    async def until(self, met: Callable[[SimulatedBridges], bool], *, timeout_s: float = TIMEOUT_S) -> None:
        await self._changes.until(lambda: met(self), "simulated bridges", timeout_s=timeout_s)

    async def acquire(
        self, transfer_id: str, order: TransferOrder, *, held: bool, on_event: Callable[[BridgeEvent], None]
    ) -> SimulatedBridge:
        if self.refusal is not None:
            raise self.refusal
        bridge = self.kind(transfer_id, order, held=held, on_event=on_event, changes=self._changes)
        self.made.append(bridge)
        self._changes.changed()
        await self.may_acquire.wait()
        return bridge


def _open_gate() -> asyncio.Event:
    gate = asyncio.Event()
    gate.set()
    return gate
