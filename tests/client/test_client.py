"""RelayClient against a stand-in of the API: what it asks, what it makes of answers, and what it tries again."""

import asyncio
import socket
import subprocess
import sys

import aiohttp
import pytest

from relay.client import (
    CarrierFailed,
    Conflict,
    NotFound,
    Overloaded,
    Reason,
    RefusedRequest,
    RelayApiError,
    RelayClient,
    RelayUnreachable,
    RequestInProgress,
    State,
    Unauthorized,
    UnexpectedAnswer,
)
from tests.client.conftest import KEY, MakeCase
from tests.client.stand_in import TRANSFER_ID, Answer, breaks, is_silent, refuses, run, says, stand_in, transfer_json

TRANSFERS = "/v1/transfers"
THIS = f"{TRANSFERS}/{TRANSFER_ID}"
ROOM = "https://acme.daily.co/room"


def test_a_transfer_is_asked_for_with_what_was_given_and_nothing_else(case: MakeCase) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"POST {TRANSFERS}", says(transfer_json(), 201))
            view = await c.client.transfer(
                room_url=ROOM,
                destination="billing",
                from_number="+15005550006",
                ring_timeout_s=20,
                metadata={"ticket": "7"},
                idempotency_key="call_1",
            )
            assert view.state is State.REQUESTED
            assert view.transfer_id == TRANSFER_ID
            (asked,) = c.relay.asked
            assert asked.body == {
                "room_url": ROOM,
                "destination": "billing",
                "from": "+15005550006",
                "ring_timeout_s": 20,
                "metadata": {"ticket": "7"},
            }
            assert asked.headers["Idempotency-Key"] == "call_1"
            assert asked.headers["Authorization"] == f"Bearer {KEY}"

    run(scenario())


def test_each_transfer_without_a_key_gets_its_own(case: MakeCase) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"POST {TRANSFERS}", says(transfer_json(), 201))
            for _ in range(2):
                await c.client.transfer(room_url=ROOM, to="+15005550001")
            assert len(set(c.relay.keys())) == 2

    run(scenario())


@pytest.mark.parametrize(
    "failure",
    [breaks, refuses(502, "x"), refuses(503, "overloaded"), says(b"<html>", 504), refuses(409, "request-in-progress")],
)
def test_what_may_pass_is_tried_again_with_the_same_key(case: MakeCase, failure: Answer) -> None:
    """F34: were the key another, a second phone would ring."""

    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"POST {TRANSFERS}", failure, failure, says(transfer_json(), 201))
            await c.client.transfer(room_url=ROOM, destination="billing")
            assert len(c.relay.keys()) == 3
            assert len(set(c.relay.keys())) == 1
            assert len({str(asked.body) for asked in c.relay.asked}) == 1
            assert len(c.paused_s) == 2

    run(scenario())


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (breaks, RelayUnreachable),
        (refuses(503, "overloaded"), Overloaded),
        (refuses(502, "x"), RelayApiError),
        (refuses(409, "request-in-progress"), RequestInProgress),
    ],
)
def test_tries_come_to_an_end(case: MakeCase, failure: Answer, error: type[Exception]) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"POST {TRANSFERS}", failure)
            with pytest.raises(error):
                await c.client.transfer(room_url=ROOM, destination="billing")
            assert len(c.relay.asked) == 3

    run(scenario())


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (refuses(401, "unauthorized"), Unauthorized),
        (refuses(403, "forbidden"), Unauthorized),
        (refuses(409, "transfer-conflict", transfer_id="tr_live"), Conflict),
        (refuses(422, "invalid-request"), RefusedRequest),
        (refuses(422, "idempotency-mismatch"), RefusedRequest),
        (refuses(429, "allowance-used-up", retry_after="60"), Overloaded),
        (refuses(500, "internal"), RelayApiError),
        (says(b"not JSON", 201), UnexpectedAnswer),
        (says({"id": "tr_1"}, 201), UnexpectedAnswer),
    ],
)
def test_what_would_not_pass_is_not_tried_again(case: MakeCase, failure: Answer, error: type[Exception]) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"POST {TRANSFERS}", failure)
            with pytest.raises(error):
                await c.client.transfer(room_url=ROOM, destination="billing")
            assert len(c.relay.asked) == 1

    run(scenario())


def test_relay_is_given_the_time_it_asks_for(case: MakeCase) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"POST {TRANSFERS}", refuses(503, "overloaded", retry_after="3"), says(transfer_json(), 201))
            await c.client.transfer(room_url=ROOM, destination="billing")
            assert c.paused_s == [3.0]

    run(scenario())


def test_a_customer_is_not_kept_waiting_for_a_relay_that_asks_for_long(case: MakeCase) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"POST {TRANSFERS}", refuses(503, "shutting-down", retry_after="30"))
            with pytest.raises(Overloaded) as raised:
                await c.client.transfer(room_url=ROOM, destination="billing")
            assert raised.value.retry_after_s == 30
            assert c.paused_s == []

    run(scenario())


def test_a_conflict_has_the_live_transfer(case: MakeCase) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"POST {TRANSFERS}", refuses(409, "transfer-conflict", transfer_id="tr_live"))
            with pytest.raises(Conflict, match="409 Transfer-Conflict: why") as raised:
                await c.client.transfer(room_url=ROOM, destination="billing")
            assert raised.value.transfer_id == "tr_live"

    run(scenario())


def test_a_relay_that_does_not_answer_is_unreachable(case: MakeCase) -> None:
    async def scenario() -> None:
        async with case(timeout_s=0.02) as c:
            c.relay.on(f"GET {THIS}", is_silent)
            with pytest.raises(RelayUnreachable, match=f"GET {THIS} at http://127.0.0.1.*TimeoutError"):
                await c.client.get(TRANSFER_ID)
            assert len(c.paused_s) == 2

    run(scenario())


def test_a_relay_that_is_not_there_is_unreachable(case: MakeCase) -> None:
    async def scenario() -> None:
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))  # bound, and not listening: nobody else gets the port
            async with RelayClient(f"http://127.0.0.1:{sock.getsockname()[1]}", tries=1) as client:
                with pytest.raises(RelayUnreachable, match="Cannot connect"):
                    await client.destinations()

    run(scenario())


def test_a_transfer_is_looked_up_and_ended(case: MakeCase) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"GET {THIS}", says(transfer_json("ringing")))
            c.relay.on(
                f"DELETE {THIS}",
                breaks,
                says(transfer_json("canceled", reason="canceled_by_api", sentence="Canceled.")),
            )
            assert (await c.client.get(TRANSFER_ID)).state is State.RINGING
            ended = await c.client.cancel(TRANSFER_ID)
            assert ended.reason is Reason.CANCELED_BY_API
            assert ended.is_terminal

    run(scenario())


@pytest.mark.parametrize("method", ["get", "cancel", "wait"])
def test_a_transfer_that_is_not_there_is_not_found(case: MakeCase, method: str) -> None:
    async def scenario() -> None:
        async with case() as c:
            with pytest.raises(NotFound):
                await getattr(c.client, method)(TRANSFER_ID)

    run(scenario())


def test_the_latest_transfers_and_the_destinations_are_listed(case: MakeCase) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"GET {TRANSFERS}", says({"transfers": [transfer_json("joined"), transfer_json("failed")]}))
            c.relay.on(
                "GET /v1/destinations",
                says(
                    {
                        "destinations": [
                            {"name": "billing", "provider": "twilio", "to": "+*********23", "accept": "none"}
                        ]
                    }
                ),
            )
            assert [view.state for view in await c.client.list(limit=2)] == [State.JOINED, State.FAILED]
            assert c.relay.asked[-1].query == {"limit": "2"}
            assert [each.name for each in await c.client.destinations()] == ["billing"]

    run(scenario())


@pytest.mark.parametrize("transfer_id", ["", "..", "tr_1/events", "tr_1?wait_s=60", "tr 1"])
def test_an_id_that_would_lead_elsewhere_is_not_asked_for(case: MakeCase, transfer_id: str) -> None:
    async def scenario() -> None:
        async with case() as c:
            for method in (c.client.get, c.client.cancel, c.client.wait):
                with pytest.raises(ValueError, match="transfer_id: expected letters"):
                    await method(transfer_id)
            with pytest.raises(ValueError, match="transfer_id: expected letters"):
                c.client.events(transfer_id)
            assert c.relay.asked == []

    run(scenario())


def test_the_callers_session_stays_open() -> None:
    async def scenario() -> None:
        async with stand_in() as relay, aiohttp.ClientSession() as session:
            relay.on(f"GET {THIS}", says(transfer_json()))
            async with RelayClient(relay.url, session=session) as client:
                await client.get(TRANSFER_ID)
            assert not session.closed
            await RelayClient(relay.url + "/", session=session).get(TRANSFER_ID)  # and needs no block
            assert "Authorization" not in relay.asked[-1].headers

    run(scenario())


def test_a_client_outside_of_its_block_says_so() -> None:
    async def scenario() -> None:
        client = RelayClient("http://127.0.0.1:1")
        with pytest.raises(RuntimeError, match="async with RelayClient"):
            await client.get(TRANSFER_ID)
        async with client:
            pass
        with pytest.raises(RuntimeError, match="async with RelayClient"):
            await client.get(TRANSFER_ID)

    run(scenario())


def test_keys_are_sent(case: MakeCase) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"POST {THIS}/digits", says(b"", 204))
            await c.client.send_digits(TRANSFER_ID, "12#w")
            assert [asked.body for asked in c.relay.asked] == [{"digits": "12#w"}]

    run(scenario())


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (breaks, RelayUnreachable),
        (refuses(503, "overloaded"), Overloaded),
        (refuses(502, "carrier-failed"), CarrierFailed),
        (refuses(409, "not-joined"), RefusedRequest),
        (refuses(409, "digits-refused"), RefusedRequest),
        (refuses(404, "not-found"), NotFound),
        (says({}), UnexpectedAnswer),
    ],
)
def test_keys_are_never_sent_twice(case: MakeCase, answer: Answer, error: type[Exception]) -> None:
    """Whoever hears them would take them for more of them."""

    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"POST {THIS}/digits", answer)
            with pytest.raises(error):
                await c.client.send_digits(TRANSFER_ID, "1")
            assert len(c.relay.asked) == 1

    run(scenario())


def test_a_cancelled_request_is_not_tried_again(case: MakeCase) -> None:
    async def scenario() -> None:
        async with case() as c:
            c.relay.on(f"POST {TRANSFERS}", is_silent)
            task = asyncio.create_task(c.client.transfer(room_url=ROOM, destination="billing"))
            await c.relay.was_asked(f"POST {TRANSFERS}")
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert len(c.relay.asked) == 1

    run(scenario())


@pytest.mark.parametrize(("timeout_s", "tries"), [(0, 1), (1, 0)])
def test_no_time_and_no_tries_are_refused(timeout_s: float, tries: int) -> None:
    with pytest.raises(ValueError, match=f"expected timeout_s above 0 and tries from 1, got {timeout_s} and {tries}"):
        RelayClient("http://127.0.0.1", timeout_s=timeout_s, tries=tries)


def test_the_key_is_not_shown() -> None:
    client = RelayClient("https://relay.example.com/", api_key=KEY)
    assert repr(client) == "RelayClient('https://relay.example.com')"


def test_a_bot_gets_nothing_of_the_service_with_it() -> None:
    code = "import sys, relay.client; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(done.stdout.split())
    assert "relay.client.client" in modules
    assert (
        modules & {"daily", "fastapi", "redis", "structlog", "uvicorn", "relay._codec", "relay.transfers.store"}
        == set()
    )
