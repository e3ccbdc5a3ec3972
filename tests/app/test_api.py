"""The HTTP API: asking for a transfer, once or again, waiting for it and ending it."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from relay.app.api import has_reached
from relay.errors import Overloaded, RoomRefused
from relay.transfers.coordinator import CoordinatorSettings
from relay.transfers.ports import PhoneAnswered, PhoneEnded, PhoneRang
from relay.transfers.reasons import Reason
from relay.transfers.states import State
from tests.app.conftest import RunServed
from tests.app.served import BILLING_NUMBER, NOBODY, READ_KEY, ROOM, TRIGGER_KEY, Reply, Served, settings_with
from tests.app.test_transfer_json import TRANSFER


def path(transfer_id: str, more: str = "") -> str:
    return f"/v1/transfers/{transfer_id}{more}"


def test_a_request_is_answered_with_the_transfer_and_the_phone_is_called(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        reply = await served.post(customer_id="c-1", bot_id="b-1", metadata={"topic": "invoice"}, ring_timeout_s=20)
        assert reply.status == 201
        shown = reply.json
        assert reply.headers["Location"] == path(shown["id"])
        assert (shown["state"], shown["destination"], shown["to"]) == ("requested", "billing", "+*********23")
        assert (shown["customer_id"], shown["bot_id"], shown["metadata"]) == ("c-1", "b-1", {"topic": "invoice"})
        await served.carrier.until(lambda carrier: len(carrier.dials) == 1)
        (dial,) = served.carrier.dials
        assert (dial.transfer_id, dial.to, dial.ring_timeout_s) == (shown["id"], BILLING_NUMBER, 20)
        assert (await served.ask("GET", reply.headers["Location"])).json["id"] == shown["id"]

    run_served(scenario)


def test_the_rooms_token_reaches_the_bridge_and_nothing_else(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        reply = await served.post(room_token="room-t0ken")  # noqa: S106 - opens nothing
        assert served.bridges.last.order.room_token == "room-t0ken"  # noqa: S105
        assert "room-t0ken" not in reply.text

    run_served(scenario)


# The same request again (F34)


def test_the_same_request_again_gets_the_first_answer_again(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        key = {"Idempotency-Key": "call_1"}
        first = await served.post(headers=key)
        await served.carrier.until(lambda carrier: bool(carrier.alive))
        again = await served.post(headers=key)
        assert (again.status, again.text) == (201, first.text)
        assert again.headers["Location"] == first.headers["Location"]
        assert again.headers["Idempotent-Replayed"] == "true"
        assert "Idempotent-Replayed" not in first.headers
        assert len(served.carrier.dials) == 1

    run_served(scenario)


def test_eight_at_once_with_one_key_are_one_call(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        for attempt in range(10):
            room_url = f"https://example.daily.co/race-{attempt}"
            key = {"Idempotency-Key": f"call_{attempt}"}
            replies = await asyncio.gather(*(served.post(room_url=room_url, headers=key) for _ in range(8)))
            assert {reply.status for reply in replies} == {201}
            assert len({reply.text for reply in replies}) == 1
            assert [reply.headers.get("Idempotent-Replayed") for reply in replies].count(None) == 1
            (transfer_id,) = {reply.json["id"] for reply in replies}
            await served.until_dialled(transfer_id)
            assert len(served.carrier.dials) == attempt + 1

    run_served(scenario)


def test_a_key_with_another_request_is_refused(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        key = {"Idempotency-Key": "call_1"}
        await served.post(headers=key)
        other = await served.post(headers=key, destination="sales")
        assert_problem(other, 422, "idempotency-mismatch")
        assert len(served.bridges.made) == 1

    run_served(scenario)


def test_two_callers_may_use_the_same_idempotency_key(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        body = {"room_url": ROOM, "destination": "billing"}
        first = await served.ask("POST", "/v1/transfers", body, Idempotency_Key="1")
        other = {**body, "room_url": ROOM + "-2"}
        second = await served.ask("POST", "/v1/transfers", other, key=TRIGGER_KEY, Idempotency_Key="1")
        assert (first.status, second.status) == (201, 201)
        assert first.json["id"] != second.json["id"]

    run_served(scenario)


def test_an_answer_that_was_no_transfer_is_not_repeated(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        key = {"Idempotency-Key": "call_1"}
        served.bridges.refusal = Overloaded("none left", retry_after_s=2)
        assert (await served.post(headers=key)).status == 503
        served.bridges.refusal = None
        reply = await served.post(headers=key)
        assert reply.status == 201
        assert "Idempotent-Replayed" not in reply.headers

    run_served(scenario)


@pytest.mark.parametrize("key", ["", "x" * 256, "t\tb", "\xe9"])
def test_an_idempotency_key_is_printable_and_short(run_served: RunServed, key: str) -> None:
    async def scenario(served: Served) -> None:
        assert_problem(await served.post(headers={"Idempotency-Key": key}), 422, "invalid-request")

    run_served(scenario)


# What is refused


def test_a_room_with_a_live_transfer_is_refused_with_its_id(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        live = await served.make()
        second = await served.post(destination="sales")
        assert_problem(second, 409, "transfer-conflict")
        assert second.json["transfer_id"] == live
        await served.ask("DELETE", path(live))
        await served.bridges.until(lambda bridges: not bridges.taken)
        assert (await served.post(destination="sales")).status == 201

    run_served(scenario)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"to": "+14155550188"}, "number-refused"),
        ({"room_url": "https://evil.example.com/r"}, "room-refused"),
        ({"destination": "nobody"}, "invalid-request"),
        ({"unknown": 1}, "invalid-request"),
    ],
)
def test_what_may_not_be_is_refused_before_anything_begins(
    run_served: RunServed, body: dict[str, Any], kind: str
) -> None:
    async def scenario(served: Served) -> None:
        reply = await served.post(**body)
        assert_problem(reply, 422, kind)
        assert "4155550188" not in reply.text
        assert served.bridges.made == []
        assert served.carrier.dials == []

    run_served(scenario)


def test_a_room_that_no_bridge_can_join_is_refused(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        served.bridges.refusal = RoomRefused("expected a local room")
        assert_problem(await served.post(), 422, "room-refused")

    run_served(scenario)


def test_a_full_service_says_when_to_come_back(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        await served.make()
        reply = await served.post(room_url=ROOM + "-2")
        assert_problem(reply, 503, "overloaded")
        assert int(reply.headers["Retry-After"]) >= 1

    run_served(scenario, coordinating=CoordinatorSettings(max_transfers=1))


def test_a_key_whose_allowance_is_used_up_is_told_so_and_others_are_not(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        await served.make()
        refused = await served.post(room_url=ROOM + "-2")
        assert_problem(refused, 429, "allowance-used-up")
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        body = {"room_url": ROOM + "-2", "destination": "billing"}
        assert (await served.ask("POST", "/v1/transfers", body, key=TRIGGER_KEY)).status == 201

    run_served(scenario, coordinating=CoordinatorSettings(transfers_per_minute=1))


def test_a_service_that_shuts_down_takes_nothing(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        await served.coordinator.shut_down(drain_timeout_s=0)
        reply = await served.post()
        assert_problem(reply, 503, "shutting-down")
        assert int(reply.headers["Retry-After"]) >= 1

    run_served(scenario)


# Looking, and waiting


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


def assert_problem(reply: Reply, status: int, kind: str) -> None:
    assert (reply.status, reply.headers["Content-Type"]) == (status, "application/problem+json")
    assert reply.json["type"] == f"urn:relay:problem:{kind}"
    assert reply.json["status"] == status
    assert reply.json["title"]
    assert reply.json["detail"]
