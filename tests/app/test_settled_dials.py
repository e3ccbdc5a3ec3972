"""Unclear dials of a carrier that can be asked for the very call."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import uvloop

from relay.app.carrier_urls import CarrierUrls
from relay.app.carriers import CarrierAccount, carrier_session
from relay.app.metrics import Metrics
from relay.transfers.ports import Placed, Refused, Unclear
from relay.transfers.reasons import Reason
from tests.app.accounts import PUBLIC, TRANSFER, order
from tests.app.stand_in_rest import StandInRest, reply
from tests.providers.asterisk_requests import control


@pytest.mark.parametrize(
    ("dialled", "found", "expected", "asked"),
    [
        ((500, {"error": "Allocation failed"}), (404, {"message": "Channel not found"}), "refused", 2),
        ((500, {"message": "Allocation failed"}), (404, {"message": "Channel not found"}), "refused", 2),
        ((500, {"message": "Allocation failed"}), (200, {"id": TRANSFER, "state": "Down"}), "placed", 2),
        ((500, {"message": "Allocation failed"}), (503, {}), "unclear", 2),
        ((500, {"message": "Allocation failed"}), (404, {}), "unclear", 2),  # a proxy's
        ((500, {}), (404, {"message": "Channel not found"}), "unclear", 1),
        ((503, {"message": "Later"}), (404, {"message": "Channel not found"}), "unclear", 1),
        ((200, {"id": TRANSFER}), (404, {"message": "Channel not found"}), "placed", 1),
    ],
)
def test_f7_a_carrier_that_knows_its_calls_by_our_ids_settles_an_unclear_dial_at_once(
    dialled: tuple[int, Any], found: tuple[int, Any], expected: str, asked: int
) -> None:
    meaning = {
        "refused": Refused(Reason.PROVIDER_ERROR, "500", "HTTP 500"),
        "placed": Placed(TRANSFER),
        "unclear": Unclear(f"HTTP {dialled[0]}"),
    }

    async def scenario() -> None:
        answers = iter([dialled, found])

        async def answer(writer: asyncio.StreamWriter) -> None:
            await reply(*next(answers))(writer)

        async with StandInRest() as rest, carrier_session() as session:
            rest.answer = answer
            carrier = CarrierAccount(
                control(ari_url=f"{rest.url}/ari"), session, CarrierUrls(PUBLIC), metrics=Metrics(), timeout_s=5.0
            )
            assert await carrier.dial(order(detect_machine=False)) == meaning[expected]
            assert [each.target.partition("?")[0] for each in rest.requests] == [
                "/ari/channels",
                f"/ari/channels/{TRANSFER}",
            ][:asked]

    uvloop.run(scenario())
