"""A token that is made when a room is joined: it is asked for once, and without it the bridge ends as the room's."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from relay.bridge.pool import WorkerPool
from relay.errors import RoomDenied, RoomError, RoomUnreachable
from relay.transfers import ports
from relay.transfers.reasons import Reason
from relay.transfers.record import TransferOrder
from tests.bridge.pooled import QUICK, order, place, stand_in
from tests.bridge.process import Told

Run = Callable[[Coroutine[Any, Any, None]], None]


class Tokens:
    """Made for each join, or refused."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[TransferOrder] = []

    async def __call__(self, asked_for: TransferOrder) -> str | None:
        self.asked.append(asked_for)
        if self.error is not None:
            raise self.error
        return "made-for-this-join"


def pool_with(tokens: Tokens) -> WorkerPool:
    return WorkerPool(stand_in(), rooms=place, tokens=tokens, settings=QUICK, workers_max=1, spares=0)


def test_a_token_is_made_when_the_room_is_joined_and_not_before(run: Run) -> None:
    async def test() -> None:
        tokens, told, asked_for = Tokens(), Told(), order()
        pool = pool_with(tokens)
        await pool.open()
        bridge = await pool.acquire("t-1", asked_for, held=False, on_event=told)
        assert tokens.asked == []
        await bridge.join()
        assert tokens.asked == [asked_for]
        assert told.kinds() == [ports.RoomJoined]
        await pool.close()

    run(test())


@pytest.mark.parametrize(
    ("error", "reason"),
    [(RoomDenied("no"), Reason.ROOM_DENIED), (RoomUnreachable("nobody"), Reason.ROOM_UNREACHABLE)],
)
def test_a_token_that_is_not_to_be_had_ends_the_bridge_as_a_room_would(
    run: Run, error: RoomError, reason: Reason
) -> None:
    async def test() -> None:
        told = Told()
        pool = pool_with(Tokens(error))
        await pool.open()
        bridge = await pool.acquire("t-1", order(), held=False, on_event=told)
        await bridge.join()
        (ended,) = told.events
        assert isinstance(ended, ports.BridgeEnded)
        assert ended.reason is reason
        assert pool.lost_count == 0
        await pool.close()

    run(test())


def test_a_defect_while_a_token_is_made_is_no_rooms(run: Run) -> None:
    async def test() -> None:
        pool = pool_with(Tokens(ValueError("a defect")))
        await pool.open()
        bridge = await pool.acquire("t-1", order(), held=False, on_event=Told())
        with pytest.raises(ValueError, match="a defect"):
            await bridge.join()
        await pool.close()

    run(test())
