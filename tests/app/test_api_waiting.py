"""The HTTP API: looking at transfers, waiting for them and ending them."""

import asyncio
from dataclasses import replace

import pytest

from relay.app.api import has_reached
from relay.transfers.ports import PhoneAnswered, PhoneEnded, PhoneRang
from relay.transfers.reasons import Reason
from relay.transfers.states import State
from tests.app.conftest import RunServed
from tests.app.served import NOBODY, READ_KEY, ROOM, Served, assert_problem, settings_with
from tests.app.test_transfer_json import TRANSFER


def path(transfer_id: str, more: str = "") -> str:
    return f"/v1/transfers/{transfer_id}{more}"


def test_the_newest_transfers_come_first(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        made = [await served.make(room_url=f"{ROOM}-{number}") for number in range(3)]
        listed = (await served.ask("GET", "/v1/transfers?limit=2")).json["transfers"]
        assert [each["id"] for each in listed] == [made[2], made[1]]

    run_served(scenario)


def test_destinations_are_listed_with_masked_numbers(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        reply = await served.ask("GET", "/v1/destinations", key=READ_KEY)
        assert reply.json == {
            "destinations": [
                {"name": "billing", "provider": "twilio", "to": "+*********23", "accept": "none"},
                {"name": "sales", "provider": "twilio", "to": "+**********50", "accept": "press_1"},
            ]
        }

    run_served(scenario)


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", path(NOBODY)),
        ("GET", path(NOBODY, "?wait_s=60")),
        ("GET", path(NOBODY, "/events")),
        ("DELETE", path(NOBODY)),
        ("GET", path("tr_1")),
        ("DELETE", path("tr_" + "A" * 32)),
        ("GET", path("%00")),
        ("GET", "/v1/elsewhere"),
    ],
)
def test_what_does_not_exist_is_not_found(run_served: RunServed, method: str, target: str) -> None:
    async def scenario(served: Served) -> None:
        assert_problem(await served.ask(method, target), 404, "not-found")

    run_served(scenario)


@pytest.mark.parametrize("query", ["wait_s=61", "wait_s=-1", "wait_s=nan", "wait_s=x", "until=over", "wait_s=1&until="])
def test_a_wait_that_means_nothing_is_refused(run_served: RunServed, query: str) -> None:
    async def scenario(served: Served) -> None:
        assert_problem(await served.ask("GET", path(NOBODY, f"?{query}")), 422, "invalid-request")

    run_served(scenario)


def test_a_wait_ends_when_the_state_is_reached(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await served.make()
        waiting = asyncio.create_task(served.ask("GET", path(transfer_id, "?wait_s=60&until=joined")))
        await served.store.until_waiting(transfer_id, 1)
        await served.report(transfer_id, PhoneRang())
        await served.report(transfer_id, PhoneAnswered())
        assert not waiting.done()
        served.bridges.last.connect("CA1")
        reply = await waiting
        assert reply.json["state"] == "joined"
        assert list(reply.json["times"]) == ["requested", "dialing", "ringing", "answered", "joined"]

    run_served(scenario)


def test_a_wait_ends_when_the_transfer_does(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await served.make()
        waiting = asyncio.create_task(served.ask("GET", path(transfer_id, "?wait_s=60")))
        await served.store.until_waiting(transfer_id, 1)
        await served.report(transfer_id, PhoneEnded(Reason.BUSY, "486"))
        reply = await waiting
        assert (reply.json["state"], reply.json["reason"], reply.json["provider_code"]) == ("failed", "busy", "486")
        assert (reply.json["retryable"], reply.json["sentence"]) == (True, Reason.BUSY.sentence)

    run_served(scenario)


@pytest.mark.parametrize("until", ["requested", "dialing"])
def test_what_has_been_reached_is_not_waited_for(run_served: RunServed, until: str) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await served.make()
        reply = await served.ask("GET", path(transfer_id, f"?wait_s=60&until={until}"))
        assert reply.json["state"] == "dialing"

    run_served(scenario)


def test_a_wait_that_is_over_answers_with_the_transfer_as_it_is(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await served.make()
        reply = await served.ask("GET", path(transfer_id, "?wait_s=0.05"))
        assert (reply.status, reply.json["state"]) == (200, "dialing")

    run_served(scenario)


def test_nobody_waits_for_a_client_that_is_gone(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await served.make()
        waiting = asyncio.create_task(served.ask("GET", path(transfer_id, "?wait_s=60")))
        await served.store.until_waiting(transfer_id, 1)
        waiting.cancel()
        await served.store.until_waiting(transfer_id, 0)

    run_served(scenario)


def test_states_are_reached_in_their_order() -> None:
    way = [State.REQUESTED, State.DIALING, State.RINGING, State.ANSWERED, State.JOINED]
    over = [State.DISCONNECTED, State.FAILED, State.CANCELED]
    for state in State:
        transfer = replace(TRANSFER, state=state)
        for until in State:
            expected = state in over or (until in way and way.index(state) >= way.index(until))
            assert has_reached(transfer, until) is expected


# Ending


def test_a_ringing_phone_is_cancelled(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await served.make()
        await served.report(transfer_id, PhoneRang())
        reply = await served.ask("DELETE", path(transfer_id))
        assert (reply.status, reply.json["state"], reply.json["reason"]) == (200, "canceled", "canceled_by_api")
        await served.carrier.until(lambda carrier: not carrier.alive)

    run_served(scenario)


def test_a_joined_call_is_hung_up_and_once_more_changes_nothing(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await served.make()
        await served.report(transfer_id, PhoneAnswered())
        served.bridges.last.connect("CA1")
        await served.ask("GET", path(transfer_id, "?wait_s=60"))
        reply = await served.ask("DELETE", path(transfer_id))
        assert (reply.json["state"], reply.json["reason"]) == ("disconnected", "canceled_by_api")
        again = await served.ask("DELETE", path(transfer_id))
        assert (again.status, again.json) == (200, reply.json)

    run_served(scenario, settings_with(api_keys=[]))
