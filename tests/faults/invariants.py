"""What holds after every transfer, whatever went wrong with it; see docs/failures.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay.dev.carrier import SimulatedCarrier
from relay.dev.person import Person
from relay.rooms.base import Participant
from relay.transfers.states import TRANSITIONS, State

if TYPE_CHECKING:
    from tests.faults.stage import Stage

HUNG_UP_S = 1.0
"""How long a phone may outlive its transfer."""
LEFT_S = 3.0
"""How long we may stay in a room after that: its closing handshake is bounded by 2 s."""
DEFECTS = {
    "dial_broke",
    "dial_unknown",
    "events_lost",
    "find_calls_broke",
    "hang_up_broke",
    "internal_error",
    "leave_timeout",
    "listener_error",
    "no_line",
    "pair_broken",
    "phone_may_be_alive",
    "request_broke",
    "second_call",
    "spare_lost",
    "teardown_failed",
    "transfer_broke",
    "transfer_not_ours",
    "worker_broke",
    "worker_killed",
    "worker_lost",
    "worker_not_killed",
    "worker_not_started",
    "workers_left",
}
"""What the service and its workers log of themselves when something in them is not as it should be."""


async def check_record(stage: Stage, transfer_id: str) -> None:
    """The transfer is over, its log leads to its record by the table of states, and whoever asks is told the same."""
    transfer = await stage.store.get(transfer_id)
    assert transfer is not None
    assert transfer.is_terminal, transfer
    first, *entries = await stage.store.events(transfer_id)
    assert (first.event, first.state) == (None, State.REQUESTED)
    state = State.REQUESTED
    for version, entry in enumerate(entries, start=2):
        assert entry.event is not None
        state = TRANSITIONS[state, entry.event]
        assert (entry.state, entry.version) == (state, version), entries
    assert [entry.state for entry in entries if entry.state.is_terminal] == [state], "it ends once"
    last = entries[-1]
    assert (last.state, last.reason, last.version) == (transfer.state, transfer.reason, transfer.version)
    if not stage.is_serving:
        return
    view = await stage.relay.get(transfer_id)
    told = [event async for event in stage.relay.events(transfer_id)]
    assert (view.state, view.reason) == (told[-1].state, told[-1].reason) == (transfer.state, transfer.reason)
    assert [event.entry_id for event in told] == [first.entry_id, *(entry.entry_id for entry in entries)]


async def check_phones(stage: Stage) -> None:
    """No phone rings or talks, and nothing is left of what was made for it."""

    def is_quiet(carrier: SimulatedCarrier) -> bool:
        return carrier.live_calls == [] and not carrier.left_over

    await stage.carrier.until(is_quiet, "no phone alive", timeout_s=HUNG_UP_S)
    await stage.carrier.until_idle(timeout_s=LEFT_S)


async def check_rooms(stage: Stage) -> None:
    """Nobody of ours is in a room."""
    for room in list(stage.rooms.rooms):
        await _Usher.until_left(stage.room_url(room), "relay")


def check_complaints(stage: Stage) -> None:
    """The carrier was not given anything it does not take, and the service found nothing wrong with itself."""
    complaints = [*stage.carrier.violations, *(each for call in stage.carrier.calls for each in call.violations)]
    complaints += [str(entry) for entry in [*stage.logs, *stage.worker_logs()] if entry["event"] in DEFECTS]
    unexpected = [each for each in complaints if not any(part in each for part in stage.expected)]
    assert unexpected == [], unexpected


class _Usher(Person):
    """Comes into a room last, and sees whether everybody of a name leaves."""

    def __init__(self, room_url: str, name: str, said: bytes = b"") -> None:
        super().__init__(room_url, name, said)
        self._left: set[str] = set()

    @classmethod
    async def until_left(cls, room_url: str, name: str) -> None:
        usher = cls(room_url, "usher")
        found = {each.participant_id for each in await usher.room.join(usher) if each.name == name}
        try:
            await usher.changes.until(lambda: found <= usher._left, f"{name} gone", timeout_s=LEFT_S)
        finally:
            await usher.leave()

    def participant_left(self, participant: Participant, reason: str) -> None:
        self._left.add(participant.participant_id)
        super().participant_left(participant, reason)
