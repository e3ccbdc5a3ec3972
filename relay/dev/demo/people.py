"""The stand-in bot: a participant of the room that asks relay for a transfer as any bot does, through relay.client."""

from __future__ import annotations

import uuid
from typing import Final

from relay.client import RelayClient, State, TransferView
from relay.client.client import Accept
from relay.dev.demo.timeline import Timeline, Who
from relay.dev.person import Person

BOT: Final = "bot"
CUSTOMER: Final = "customer"
DESTINATION: Final = "billing"
WAIT_S: Final = 20.0


class Bot:
    """
    Asks for one transfer.

    Args:
        relay: where to ask.
        room_url: of the room that it and the customer are in.
        timeline: its acts are noted there.
    """

    def __init__(self, relay: RelayClient, room_url: str, timeline: Timeline) -> None:
        self.transfer_id: str | None = None
        self.place: Person | None = None
        self._relay = relay
        self._room_url = room_url
        self._timeline = timeline
        self._key = uuid.uuid4().hex

    async def enter(self, *, why: str = "is in the room") -> None:
        """Enter the room."""
        self._timeline.note(Who.BOT, why)
        self.place = await Person.enter(self._room_url, BOT)

    async def leave(self) -> None:
        """Leave the room, if it is there."""
        place, self.place = self.place, None
        if place is not None:
            await place.leave()

    async def ask(
        self, *, accept: Accept = "none", ring_timeout_s: float | None = None, key: str | None = None
    ) -> TransferView:
        """
        Ask for a person; asked again it is the same request, unless it has another ``key``.

        Raises:
            ClientError: relay would not.
        """
        view = await self._relay.transfer(
            room_url=self._room_url,
            destination=DESTINATION,
            customer_id=CUSTOMER,
            bot_id=BOT,
            accept=accept,
            ring_timeout_s=ring_timeout_s,
            idempotency_key=key or self._key,
        )
        self.transfer_id = self.transfer_id or view.transfer_id
        return view

    async def wait(self, until: State) -> TransferView:
        """
        The transfer when it is there, or past it, or over.

        Raises:
            ClientError: that took too long, or relay cannot tell.
        """
        return await self._relay.wait(self._own_id, until=until, timeout_s=WAIT_S)

    async def cancel(self) -> TransferView:
        """
        Want nobody any longer.

        Raises:
            ClientError: relay would not.
        """
        return await self._relay.cancel(self._own_id)

    @property
    def _own_id(self) -> str:
        if self.transfer_id is None:
            raise RuntimeError("bot: expected to have asked for a transfer, got none")
        return self.transfer_id
