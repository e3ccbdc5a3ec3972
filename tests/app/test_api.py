"""The HTTP API: asking for a transfer, once or again, and what is refused."""

import asyncio
import dataclasses
from typing import Any

import pytest

from relay.app.carrier_urls import CarrierUrls
from relay.app.http_app import create_app
from relay.errors import Overloaded, RoomRefused
from relay.transfers.coordinator_settings import CoordinatorSettings
from tests.app.conftest import RunServed
from tests.app.served import BILLING_NUMBER, ROOM, TRIGGER_KEY, Served, assert_problem, listening


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


@pytest.mark.parametrize("passed_on", ["/voice", ""])
def test_below_a_path_so_is_the_transfers_own(run_served: RunServed, passed_on: str) -> None:
    """As the client sees it, whether its proxy passes the path on or takes it off."""

    async def scenario(served: Served) -> None:
        services = dataclasses.replace(served.services, urls=CarrierUrls("https://relay.example.com/voice/"))
        async with listening(create_app(services)) as base_url:
            below = dataclasses.replace(served, base_url=base_url)
            request = {"room_url": ROOM, "destination": "billing"}
            reply = await below.ask("POST", f"{passed_on}/v1/transfers", request)
            assert reply.headers["Location"] == f"/voice{path(reply.json['id'])}"
            assert (await below.ask("GET", reply.headers["Location"])).json["id"] == reply.json["id"]
            document = await below.ask("GET", f"{passed_on}/openapi.json", key=None)
            assert document.json["servers"] == [{"url": "/voice"}]

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
