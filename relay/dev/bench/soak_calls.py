"""The bots and customers of a soak: they ask for transfers, talk, leave and cancel, and note how each has ended."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import math
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from relay.client import ClientError, RelayClient, State, TransferView
from relay.dev.bench.service import taken
from relay.dev.bench.soak_kinds import BRIDGE, MIX, RING_TIMEOUT_S, Act, Kind
from relay.errors import RoomError
from relay.rooms.base import Participant
from relay.rooms.local import LocalRoom
from relay.rooms.wire import FRAME_BYTES
from relay.transfers.record import Transfer
from relay.transfers.store import KEEP_S

CUSTOMER: Final = "customer"
END_S: Final = 60.0
SEEN_LATE_S: Final = 60.0
"""How much later than in the store a call may be seen to be over."""
SILENCE: Final = bytes(FRAME_BYTES)


class Guest:
    """A customer in a room, who talks all the time."""

    def __init__(self, room_url: str, voice: bytes) -> None:
        self.room_url = room_url
        self.room = LocalRoom(room_url, name=CUSTOMER)
        self.heard_frames = 0
        """That were no silence."""
        self._frames: Iterator[bytes] = itertools.cycle(
            voice[at : at + FRAME_BYTES] for at in range(0, len(voice), FRAME_BYTES)
        )

    def microphone_due(self, now_ns: int) -> bytes:  # noqa: ARG002 - the room keeps the pace
        """As ``RoomListener``."""
        return next(self._frames)

    def speaker_frame(self, pcm: bytes, now_ns: int) -> None:  # noqa: ARG002 - when is not asked here
        """As ``RoomListener``."""
        self.heard_frames += pcm != SILENCE

    def participant_joined(self, participant: Participant) -> None:
        """As ``RoomListener``."""

    def participant_left(self, participant: Participant, reason: str) -> None:
        """As ``RoomListener``."""

    def room_interrupted(self) -> None:
        """As ``RoomListener``."""

    def room_back(self) -> None:
        """As ``RoomListener``."""

    def room_closed(self, error: RoomError) -> None:
        """As ``RoomListener``."""


class Callers:
    """
    Everybody on the rooms' side.

    Args:
        relay: the service.
        rooms_url: the origin of the rooms.
        voice: what each customer says, again and again: whole frames.
    """

    def __init__(self, relay: RelayClient, rooms_url: str, voice: bytes) -> None:
        self.ends: Counter[str] = Counter()
        """How many have ended so, by kind, state and reason."""
        self.unexpected: list[str] = []
        """What went otherwise than its kind has it."""
        self.transfer_ids: list[str] = []
        self.over_s: dict[str, float] = {}
        """When each was seen to be over, of ``time.monotonic()``."""
        self.overloads = 0
        """How often the service took none, for want of machine; it was asked again."""
        self.done = 0
        self.guests: list[Guest] = []
        """Of the bridges."""
        self._bridge_ids: list[str] = []
        self._relay = relay
        self._rooms_url = rooms_url
        self._voice = voice
        self._numbers = itertools.count()

    async def set_up(self, kind: Kind) -> None:
        """One call from its beginning to its end."""
        guest = Guest(f"{self._rooms_url}/rooms/room-{next(self._numbers)}", self._voice)
        transfer_id = None
        try:
            await guest.room.join(guest)
            transfer_id = (await self._ask(kind, guest)).transfer_id
            await self._act(kind, transfer_id, guest)
            self._note(kind, await self._relay.wait(transfer_id, until=State.DISCONNECTED, timeout_s=END_S))
        except (ClientError, RoomError, TimeoutError) as error:
            self.unexpected.append(f"{kind.name}: {error!r}")
            if transfer_id is not None:
                with contextlib.suppress(ClientError):
                    await self._relay.cancel(transfer_id)
        finally:
            self.done += 1
            await guest.room.leave()

    async def run(self, count: int, *, within_s: float, at_once_max: int) -> None:
        """So many calls, each at its time if no more than so many go on then, else as soon as one of these is over."""
        loop = asyncio.get_running_loop()
        begin_s, places = loop.time(), asyncio.Semaphore(at_once_max)

        async def one(kind: Kind) -> None:
            try:
                await self.set_up(kind)
            finally:
                places.release()

        async with asyncio.TaskGroup() as calls:
            for number in range(count):
                await asyncio.sleep(begin_s + number * within_s / count - loop.time())
                await places.acquire()
                calls.create_task(one(MIX[number % len(MIX)]))

    async def open_bridge(self) -> None:
        """
        A call that stays.

        Raises:
            ClientError, TimeoutError: it has not come to be.
        """
        guest = Guest(f"{self._rooms_url}/rooms/room-{next(self._numbers)}", self._voice)
        await guest.room.join(guest)
        self.guests.append(guest)
        view = await self._ask(BRIDGE, guest)
        self._bridge_ids.append(view.transfer_id)
        view = await self._relay.wait(view.transfer_id, until=State.JOINED, timeout_s=END_S)
        if view.state is not State.JOINED:
            self.unexpected.append(f"bridge: {view.state} {view.reason_text}, not joined")

    async def close_bridges(self) -> None:
        """End them all; one that has ended before is none that is expected to."""
        for transfer_id, guest in zip(self._bridge_ids, self.guests, strict=True):
            view = await self._relay.get(transfer_id)
            if view.state is not State.JOINED:
                self.unexpected.append(f"bridge: {view.state} {view.reason_text} before its end")
            await self._relay.cancel(transfer_id)
            self._note(BRIDGE, await self._relay.wait(transfer_id, until=State.DISCONNECTED, timeout_s=END_S))
            await guest.room.leave()

    async def _ask(self, kind: Kind, guest: Guest) -> TransferView:
        def refused() -> None:
            self.overloads += 1

        view = await taken(
            lambda: self._relay.transfer(
                room_url=guest.room_url,
                to=kind.number,
                customer_id=CUSTOMER,
                accept="none",
                ring_timeout_s=RING_TIMEOUT_S,
            ),
            refused,
        )
        self.transfer_ids.append(view.transfer_id)
        return view

    async def _act(self, kind: Kind, transfer_id: str, guest: Guest) -> None:
        if kind.at is not None:
            await self._relay.wait(transfer_id, until=kind.at, timeout_s=END_S)
        match kind.act:
            case Act.CANCELS:
                await self._relay.cancel(transfer_id)
            case Act.LEAVES:
                await guest.room.leave()
            case Act.NOTHING:
                pass

    def left_open(self, found: Iterable[tuple[str, Transfer | None]]) -> list[str]:
        """Which of these are not over, or are lost: the store forgets what has been over for ``KEEP_S``."""
        forgotten_s = time.monotonic() - KEEP_S + SEEN_LATE_S

        def is_open(transfer_id: str, transfer: Transfer | None) -> bool:
            if transfer is None:
                return self.over_s.get(transfer_id, math.inf) > forgotten_s
            return not transfer.is_terminal

        return [transfer_id for transfer_id, transfer in found if is_open(transfer_id, transfer)]

    def _note(self, kind: Kind, view: TransferView) -> None:
        if view.is_terminal:
            self.over_s[view.transfer_id] = time.monotonic()
        end = f"{kind.name}: {view.state} {view.reason_text}"
        self.ends[end] += 1
        if view.reason not in kind.reasons:
            self.unexpected.append(end)
