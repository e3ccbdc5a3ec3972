"""Keys for the agent's phone over the HTTP API."""

from __future__ import annotations

import asyncio

import pytest

from relay.transfers.states import State
from tests.app.conftest import RunServed
from tests.app.served import NOBODY, READ_KEY, Served, assert_problem


def path(transfer_id: str) -> str:
    return f"/v1/transfers/{transfer_id}/digits"


async def joined(served: Served) -> str:
    transfer_id = await served.make()
    await served.until_dialled(transfer_id)
    grant = await served.services.coordinator.answer(transfer_id, "twilio", stream=0, call_id="CA1")
    assert grant is not None
    assert await served.services.coordinator.admits(transfer_id, "twilio", grant.token)
    served.bridges.last.connect("CA1")
    transfer = await served.services.store.wait(
        transfer_id, lambda transfer: transfer.state is State.JOINED, timeout_s=5.0
    )
    assert transfer is not None
    return transfer_id


def test_keys_are_sent_to_who_is_joined(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await joined(served)
        reply = await served.ask("POST", path(transfer_id), {"digits": "12#"})
        assert (reply.status, reply.text) == (204, "")
        assert served.bridges.last.digits == ["12#"]

    run_served(scenario)


def test_nobody_joined_is_a_conflict(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await served.make()
        await served.until_dialled(transfer_id)
        reply = await served.ask("POST", path(transfer_id), {"digits": "12#"})
        assert_problem(reply, 409, "not-joined")
        assert served.bridges.last.digits == []

    run_served(scenario)


def test_a_carrier_that_cannot_is_a_conflict(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await joined(served)
        reply = await served.ask("POST", path(transfer_id), {"digits": "1w2"})
        assert_problem(reply, 409, "digits-refused")
        served.carrier.keys = ""
        assert_problem(await served.ask("POST", path(transfer_id), {"digits": "1"}), 409, "digits-refused")
        assert served.bridges.last.digits == []

    run_served(scenario)


def test_a_carrier_that_fails_is_a_bad_gateway(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await joined(served)
        served.carrier.sends_digits, served.carrier.takes_digits = "rest", False
        assert_problem(await served.ask("POST", path(transfer_id), {"digits": "1"}), 502, "carrier-failed")

    run_served(scenario)


def test_others_that_are_being_sent_are_a_conflict(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await joined(served)
        served.carrier.sends_digits = "rest"
        served.carrier.may_send_digits.clear()
        first = asyncio.create_task(served.ask("POST", path(transfer_id), {"digits": "1"}))
        await served.carrier.until(lambda carrier: bool(carrier.digits))
        assert_problem(await served.ask("POST", path(transfer_id), {"digits": "2"}), 409, "digits-in-progress")
        served.carrier.may_send_digits.set()
        assert (await first).status == 204

    run_served(scenario)


@pytest.mark.parametrize(
    "body",
    [{}, {"digits": ""}, {"digits": 1}, {"digits": "9876543210E"}, {"digits": "1" * 33}, {"digits": "1", "to": "2"}],
)
def test_what_are_no_keys_is_refused_and_not_shown(run_served: RunServed, body: dict[str, object]) -> None:
    async def scenario(served: Served) -> None:
        reply = await served.ask("POST", path(NOBODY), body)
        assert_problem(reply, 422, "invalid-request")
        assert "9876543210" not in reply.text

    run_served(scenario)


def test_a_key_for_looking_sends_none_and_nobody_is_not_found(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        assert_problem(await served.ask("POST", path(NOBODY), {"digits": "1"}, key=READ_KEY), 403, "forbidden")
        assert_problem(await served.ask("POST", path(NOBODY), {"digits": "1"}), 404, "not-found")

    run_served(scenario)
