"""T7, T9: over the API nobody makes relay call a number, or connect to a host, that the operator has not allowed."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from relay.dev.carrier_outcomes import INVALID_NUMBER
from tests.app.served import BILLING_NUMBER, TRIGGER_KEY
from tests.app.test_numbers import REFUSED
from tests.app.test_room_urls import TRICKY
from tests.threats.conftest import OnStage
from tests.threats.stage import RINGS, Stage

pytestmark = pytest.mark.usefixtures("in_process")

WHOLE_WORLD = ",".join(f"+{digit}" for digit in range(1, 10))
NOT_TEXTS: list[Any] = [14155550123, 1.5e10, True, {"number": "+14155550123"}, ["+14155550123"]]


# --- T7 ---


def test_t7_no_number_of_the_table_reaches_the_carrier(on_stage: OnStage) -> None:
    """Even where every prefix is allowed."""

    async def scenario(stage: Stage) -> None:
        table: list[Any] = [*REFUSED, *NOT_TEXTS]
        assert len(table) >= 40
        replies = {repr(number): await stage.request(to=number) for number in table}
        assert {number: reply.status for number, reply in replies.items() if reply.status != 422} == {}
        shown = [number for number in REFUSED if len(number) > 5 and number in "".join(stage.answers)]
        assert shown == []
        for name in ("destination", "from", "provider", "customer_id"):
            assert (await stage.request(**{name: "+19005550123\n"})).status == 422
        assert (await stage.request(to="+14155550123", destination="billing")).status == 422
        assert (await stage.request(destination="+14155550123")).status == 422
        assert stage.carrier.dial_requests == []
        assert stage.rest_requests() == 0
        assert (await stage.request(to="+14155550123")).status == 201
        await stage.carrier.until(lambda carrier: carrier.dial_requests == ["+14155550123"])

    on_stage(scenario, RINGS, ALLOWED_NUMBERS=WHOLE_WORLD)


def test_t7_without_an_allowed_prefix_only_destinations_are_dialled(on_stage: OnStage) -> None:
    async def scenario(stage: Stage) -> None:
        assert (await stage.request(to="+14155550123")).status == 422
        assert (await stage.request(to=BILLING_NUMBER)).status == 422
        assert (await stage.request()).status == 201
        await stage.carrier.until(lambda carrier: carrier.dial_requests == [BILLING_NUMBER])

    on_stage(scenario, RINGS)


def test_t7_a_denied_prefix_is_not_dialled_where_a_longer_one_is_allowed(on_stage: OnStage) -> None:
    async def scenario(stage: Stage) -> None:
        assert (await stage.request(to="+14155550123")).status == 422
        assert (await stage.request(to="+14155560123")).status == 201
        await stage.carrier.until(lambda carrier: carrier.dial_requests == ["+14155560123"])

    on_stage(scenario, RINGS, ALLOWED_NUMBERS="+1415", DENIED_NUMBERS="+1415555")


@pytest.mark.parametrize("bound", ["TRANSFERS_PER_MINUTE", "TRANSFERS_PER_DAY"])
@pytest.mark.long
def test_t7_the_transfer_after_the_last_of_a_keys_allowance_is_refused(on_stage: OnStage, bound: str) -> None:
    """Other keys have theirs; what is refused for another reason takes nothing of it, and neither does a repetition."""

    async def scenario(stage: Stage) -> None:
        again = {"Idempotency_Key": "once"}
        body = {"room_url": stage.room_url(), "destination": "billing"}
        first = await stage.ask("POST", "/v1/transfers", body, **again)
        replay = await stage.ask("POST", "/v1/transfers", body, **again)
        assert (first.json["id"], replay.status) == (replay.json["id"], 201)
        assert (await stage.request(room_url=body["room_url"])).status == 409
        assert (await stage.request(to="911")).status == 422
        assert [(await stage.request()).status for _ in range(2)] == [201, 201]
        refused = await stage.request()
        assert (refused.status, refused.json["type"]) == (429, "urn:relay:problem:allowance-used-up")
        most_s = 60 if bound == "TRANSFERS_PER_MINUTE" else 24 * 3600
        assert 0 < int(refused.headers["Retry-After"]) <= most_s
        anothers = {"room_url": stage.room_url(), "destination": "billing"}
        assert (await stage.ask("POST", "/v1/transfers", anothers, key=TRIGGER_KEY)).status == 201
        await stage.carrier.until(lambda carrier: len(carrier.dial_requests) == 4)

    on_stage(scenario, RINGS, dialect=None, **{bound: "3"})


@pytest.mark.long
def test_t7_the_transfer_after_the_last_that_may_go_on_at_once_is_refused(on_stage: OnStage) -> None:
    async def scenario(stage: Stage) -> None:
        one, _ = await stage.transfer()
        await stage.transfer()
        refused = await stage.request()
        assert (refused.status, refused.json["type"]) == (503, "urn:relay:problem:overloaded")
        assert int(refused.headers["Retry-After"]) > 0
        assert len(stage.carrier.dial_requests) == 2
        await stage.end(one)
        while (await stage.request()).status == 503:
            """Its place is given back a moment after its record says that it is over."""

    on_stage(scenario, RINGS, MAX_TRANSFERS="2")


@pytest.mark.long
def test_t7_twenty_requests_at_once_take_no_more_than_the_allowance(on_stage: OnStage) -> None:
    async def scenario(stage: Stage) -> None:
        statuses = [reply.status for reply in await asyncio.gather(*(stage.request() for _ in range(20)))]
        made = statuses.count(201)
        assert 0 < made <= 5
        assert set(statuses) <= {201, 429, 503}  # 503: the store took too long, on a busy machine
        await stage.carrier.until(lambda carrier: len(carrier.dial_requests) == made)

    on_stage(scenario, RINGS, TRANSFERS_PER_MINUTE="5")


@pytest.mark.long
def test_t7_a_call_ends_when_it_has_been_long_enough(on_stage: OnStage) -> None:
    """The carrier is told so as well: it hangs up by itself, should relay be gone by then."""

    async def scenario(stage: Stage) -> None:
        for asked_s, limit_s in [(None, 900), (14_400, 900), (60, 60)]:
            _, call = await stage.transfer(**({} if asked_s is None else {"max_duration_s": asked_s}))
            assert limit_s <= call.order.time_limit_s <= limit_s + 60

    on_stage(scenario, RINGS, MAX_DURATION_S="900")


def test_t7_the_number_of_a_destination_is_in_no_answer(on_stage: OnStage) -> None:
    async def scenario(stage: Stage) -> None:
        made = await stage.request()
        transfer_id = made.json["id"]
        await stage.until_over(transfer_id)
        path = f"/v1/transfers/{transfer_id}"
        for asked in (path, f"{path}/events", "/v1/transfers", "/v1/destinations", "/metrics", "/openapi.json"):
            assert (await stage.ask("GET", asked)).status == 200
        assert made.json["to"] == "+*********23"
        assert BILLING_NUMBER.removeprefix("+") not in "".join(stage.answers)

    on_stage(scenario, INVALID_NUMBER)


# --- T9 ---


@dataclass
class Listener:
    """Somebody whom relay should never connect to."""

    port: int
    connections: int = 0


@asynccontextmanager
async def listener(bound: socket.socket | None = None, answer: bytes = b"") -> AsyncIterator[Listener]:
    bound = bound or socket.create_server(("127.0.0.1", 0))
    found = Listener(bound.getsockname()[1])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
        writer.close()

    async with await asyncio.start_server(serve, sock=bound):
        yield found


def aimed_at(port: int, rooms_port: int) -> list[str]:
    """URLs that lead to a port, for who reads them carelessly."""
    hosts = ["127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433", "0", "[::1]", "[::ffff:127.0.0.1]"]
    ours = f"127.0.0.1:{rooms_port}"
    return [
        *(f"http://{host}:{port}/rooms/blue" for host in hosts),
        f"http://{ours}@127.0.0.1:{port}/rooms/blue",
        f"http://{ours}#@127.0.0.1:{port}/rooms/blue",
        f"http://{ours}\\@127.0.0.1:{port}/rooms/blue",
        f"http://127.0.0.1:{port}#{ours}/rooms/blue",
        f"http://127.0.0.1:{port}?{ours}/rooms/blue",
        f"http://127.0.0.1:{port}/http://{ours}/rooms/blue",
        f"http://{ours}/rooms/@127.0.0.1:{port}/rooms/blue",
        f"ws://127.0.0.1:{port}/rooms/blue",
        f"https://mycompany.daily.co@127.0.0.1:{port}/blue",
        f"https://127.0.0.1:{port}/mycompany.daily.co/blue",
    ]


def test_t9_a_tricky_room_url_is_refused_and_nobody_is_connected_to(on_stage: OnStage) -> None:
    async def scenario(stage: Stage) -> None:
        async with listener() as stranger:
            tricky = [*TRICKY, *aimed_at(stranger.port, stage.rooms.port)]
            refused = {url: (await stage.request(room_url=url)).status for url in tricky}
            assert {url: status for url, status in refused.items() if status != 422} == {}
            assert (await stage.request(room_url=["http://127.0.0.1"])).status == 422
            await stage.joined()
        assert stranger.connections == 0
        assert len(stage.rooms.rooms) == 1
        assert len(stage.carrier.dial_requests) == 1

    on_stage(scenario, DAILY_DOMAINS="mycompany")


def test_t9_a_room_server_cannot_send_relay_elsewhere(on_stage: OnStage) -> None:
    """A redirect is followed by nobody who was told where to go."""
    bound = socket.create_server(("127.0.0.1", 0))
    origin = f"http://127.0.0.1:{bound.getsockname()[1]}"

    async def scenario(stage: Stage) -> None:
        async with listener() as stranger:
            there = f"Location: http://127.0.0.1:{stranger.port}/rooms/blue"
            redirect = f"HTTP/1.1 302 Found\r\n{there}\r\nContent-Length: 0\r\n\r\n".encode()
            async with listener(bound, redirect) as door:
                made = await stage.request(room_url=f"{origin}/rooms/blue")
                await stage.until_over(made.json["id"])
                assert (door.connections, stranger.connections) == (1, 0)

    on_stage(scenario, RINGS, LOCAL_ROOMS=origin)
