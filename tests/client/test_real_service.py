"""The client against relay's own API: what the stand-in of the other tests says is what the service says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from relay.app.problems import ProblemKind
from relay.app.transfer_json import DestinationJson, TransferEventJson, TransferJson
from relay.client import (
    Conflict,
    NotFound,
    Problem,
    Reason,
    RefusedRequest,
    RelayApiError,
    RelayClient,
    State,
    TransferEvent,
    Unauthorized,
)
from relay.client.errors import error_of
from tests.app.served import ADMIN_KEY, ROOM, Served, serving
from tests.app.valkey import running_valkey
from tests.client.stand_in import TRANSFER_ID, event_json, run, transfer_json


@pytest.fixture(scope="module")
def store_url() -> Iterator[str]:
    with running_valkey() as url:
        yield url


@asynccontextmanager
async def served_client(store_url: str, api_key: str = ADMIN_KEY) -> AsyncIterator[tuple[Served, RelayClient]]:
    async with serving(store_url) as served, RelayClient(served.base_url, api_key=api_key) as client:
        yield served, client


async def joined(served: Served, transfer_id: str) -> None:
    """The phone is answered, and both are heard."""
    await served.carrier.until(lambda carrier: "CA1" in carrier.alive)
    await served.coordinator.answer(transfer_id, "twilio", stream=0, call_id="CA1")
    served.bridges.of(transfer_id).connect("CA1")


async def told(client: RelayClient, transfer_id: str, after: str | None = None) -> list[TransferEvent]:
    return [event async for event in client.events(transfer_id, after=after)]


def test_a_transfer_from_its_request_to_its_end(store_url: str) -> None:
    async def scenario() -> None:
        async with served_client(store_url) as (served, client):
            transfer = await client.transfer(room_url=ROOM, destination="billing", metadata={"ticket": "7"})
            following = asyncio.create_task(told(client, transfer.transfer_id))
            assert (await client.wait(transfer.transfer_id, until=State.DIALING)).has_reached(State.DIALING)
            await joined(served, transfer.transfer_id)
            view = await client.wait(transfer.transfer_id)
            assert (view.state, view.metadata, view.provider_call_id) == (State.JOINED, {"ticket": "7"}, "CA1")
            assert (await client.cancel(transfer.transfer_id)).state is State.DISCONNECTED
            events = await following
            passed = list(dict.fromkeys(event.state for event in events))
            assert passed == [State.REQUESTED, State.DIALING, State.ANSWERED, State.JOINED, State.DISCONNECTED]
            assert events[-1].reason is Reason.CANCELED_BY_API
            assert await told(client, transfer.transfer_id, after=events[-2].entry_id) == events[-1:]
            assert await told(client, transfer.transfer_id, after=events[-1].entry_id) == []

    run(scenario())


def test_a_request_that_comes_again_is_the_same_transfer(store_url: str) -> None:
    """F34."""

    async def scenario() -> None:
        async with served_client(store_url) as (_, client):
            views = [
                await client.transfer(room_url=ROOM, destination="billing", idempotency_key="call_1") for _ in range(2)
            ]
            assert views[0].transfer_id == views[1].transfer_id
            with pytest.raises(RefusedRequest):
                await client.transfer(room_url=ROOM, destination="sales", idempotency_key="call_1")
            with pytest.raises(Conflict) as raised:
                await client.transfer(room_url=ROOM, destination="billing")
            assert raised.value.transfer_id == views[0].transfer_id
            assert [view.transfer_id for view in await client.list()] == [views[0].transfer_id]

    run(scenario())


def test_what_can_be_called_by_name_is_listed(store_url: str) -> None:
    async def scenario() -> None:
        async with served_client(store_url) as (_, client):
            billing, sales = await client.destinations()
            assert (billing.name, billing.provider, sales.name, sales.accept) == (
                "billing",
                "twilio",
                "sales",
                "press_1",
            )

    run(scenario())


async def _get(client: RelayClient) -> object:
    return await client.get(TRANSFER_ID)


async def _events(client: RelayClient) -> object:
    return await told(client, TRANSFER_ID)


async def _raw_number(client: RelayClient) -> object:
    return await client.transfer(room_url=ROOM, to="+15005550001")


@pytest.mark.parametrize(
    ("api_key", "ask", "error"),
    [
        ("w" * 32, _get, Unauthorized),
        (ADMIN_KEY, _get, NotFound),
        (ADMIN_KEY, _events, NotFound),
        (ADMIN_KEY, _raw_number, RefusedRequest),
    ],
)
def test_what_the_service_refuses_is_the_error_of_its_kind(
    store_url: str, api_key: str, ask: Callable[[RelayClient], Awaitable[object]], error: type[RelayApiError]
) -> None:
    async def scenario() -> None:
        async with served_client(store_url, api_key) as (_, client):
            with pytest.raises(error):
                await ask(client)

    run(scenario())


@pytest.mark.parametrize("kind", ProblemKind)
def test_every_problem_of_the_service_is_told_from_a_defect(kind: ProblemKind) -> None:
    error = error_of(Problem(status=kind.status, type=kind.urn))
    assert (type(error) is RelayApiError) == (kind is ProblemKind.INTERNAL_ERROR)


def test_the_stand_in_says_what_the_service_says() -> None:
    assert set(transfer_json()) == set(TransferJson.model_fields)
    assert TransferJson.model_validate(transfer_json()).model_dump(mode="json") == transfer_json()
    assert set(event_json(1, "requested")) == set(TransferEventJson.model_fields)
    assert TransferEventJson.model_validate(event_json(1, "requested")).model_dump(mode="json") == event_json(
        1, "requested"
    )
    assert set(DestinationJson.model_fields) == {"name", "provider", "to", "accept"}
