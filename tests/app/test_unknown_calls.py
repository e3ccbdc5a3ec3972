"""Hanging up by the id of a Plivo request, which may have become a call, and may have been one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import uvloop

from relay.app.carrier_urls import CarrierUrls
from relay.app.carriers import CarrierAccount, carrier_session
from relay.app.metrics import Metrics
from tests.app.accounts import PUBLIC
from tests.app.stand_in_rest import StandInRest, reply
from tests.providers.plivo_requests import AUTH_ID, CALL_ID, REQUEST_ID, control

GONE, PROXY = (404, {"api_id": "1", "error": "not found"}), (404, b"<html>")


@pytest.mark.parametrize(
    ("call_id", "answers", "expected"),
    [
        (f"request:{REQUEST_ID}", [GONE, GONE], None),
        (f"request:{REQUEST_ID}", [GONE, (204, b"")], True),
        (f"request:{REQUEST_ID}", [(204, b"")], True),
        (f"request:{REQUEST_ID}", [GONE, (500, b"")], False),
        (f"request:{REQUEST_ID}", [PROXY, GONE], False),
        (CALL_ID, [GONE], True),
        (CALL_ID, [PROXY], False),
    ],
)
def test_a_request_is_unknown_only_if_plivo_finds_neither_it_nor_a_call_of_its_uuid(
    call_id: str,
    answers: list[tuple[int, Any]],
    expected: bool | None,  # noqa: FBT001 - a parameter of the test
) -> None:
    async def scenario() -> None:
        left = iter(answers)

        async def answer(writer: asyncio.StreamWriter) -> None:
            await reply(*next(left))(writer)

        async with StandInRest() as rest, carrier_session() as session:
            rest.answer = answer
            account = CarrierAccount(
                control(api_url=rest.url), session, CarrierUrls(PUBLIC), metrics=Metrics(), timeout_s=5.0
            )
            assert await account.hang_up(call_id) is expected
            asked = [f"Request/{REQUEST_ID}", f"Call/{REQUEST_ID}"] if call_id != CALL_ID else [f"Call/{CALL_ID}"]
            assert [each.target for each in rest.requests] == [
                f"/v1/Account/{AUTH_ID}/{each}/" for each in asked[: len(answers)]
            ]

    uvloop.run(scenario())
