"""WebSocket upgrades of carriers on real sockets: what is refused, and that an admitted connection is passed on."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import resource
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import uvloop
from structlog.testing import capture_logs

from relay.app.carrier_urls import CarrierUrls
from relay.app.media_upgrade import AUTHORISE_TIMEOUT_S, REQUEST_MAX_BYTES, UpgradeRequest, media_upgrade
from relay.dev.carrier_signature import SIGNATURE_HEADER, signature_of
from relay.transfers.ports import MediaLost, MediaSocket, Placed
from relay.transfers.record import new_transfer_id
from relay.transfers.states import State
from tests.app.conftest import RunServed
from tests.app.served import Served, listening, serving
from tests.app.valkey import running_valkey, url_of
from tests.threats.raw import Connection, connected, request, signed_upgrade, status_of, upgrade

AUTH_TOKEN = "c" * 32
CALL = "CA" + "1" * 32
SOME_TOKEN = "t" * 43


def port_of(served: Served) -> int:
    return urlsplit(served.base_url).port or 0


async def ringing(served: Served) -> str:
    """A transfer whose call the carrier has placed."""
    served.carrier.script(Placed(CALL))
    return await served.make()


async def media_url(served: Served, transfer_id: str, stream: int = 0) -> str:
    """Where the carrier is told to open the stream."""
    grant = await served.coordinator.answer(transfer_id, "twilio", stream=stream, call_id=CALL)
    assert grant is not None
    return served.services.urls.media("twilio", transfer_id, grant.token)


async def handed(served: Served) -> MediaSocket:
    """What the transfer's bridge has been given; whoever asks has to close it."""
    await served.bridges.last.until(lambda bridge: bridge.handed != [])
    return served.bridges.last.handed.pop()


def verdicts(served: Served) -> dict[tuple[str, str], float]:
    samples = [each for metric in served.services.metrics.registry.collect() for each in metric.samples]
    named = [each for each in samples if each.name == "relay_media_upgrades_total"]
    return {(each.labels["provider"], each.labels["verdict"]): each.value for each in named}


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@asynccontextmanager
async def undecided(served: Served, url: str = "") -> AsyncIterator[Connection]:
    """A signed upgrade, to ``url`` or of a new transfer: its token is being looked at until ``may_consume`` is set."""
    url = url or await media_url(served, await ringing(served))
    served.store.may_consume.clear()
    async with connected(port_of(served)) as carrier:
        carrier.send(signed_upgrade(url, AUTH_TOKEN))
        await served.store.until_consuming(1)
        yield carrier


async def given_up(served: Served) -> None:
    """Nobody waits for the token any longer, and not because it took too long."""
    async with asyncio.timeout(AUTHORISE_TIMEOUT_S / 2):
        await served.store.until_consuming(0)


# --- The request ---


def test_names_of_headers_are_in_lower_case_and_repeated_ones_are_one() -> None:
    parsed = UpgradeRequest.parse(upgrade("/a?b", ("X-Twilio-Signature", "one"), ("x-twilio-signature", "two")))
    assert parsed.target == "/a?b"
    assert parsed.headers["x-twilio-signature"] == "one,two"
    assert parsed.headers["host"] == "relay.example.com"


def test_what_follows_the_request_is_no_part_of_it() -> None:
    assert UpgradeRequest.parse(upgrade("/a") + b"\x81\x85abcdefgh\r\n\r\n") == UpgradeRequest.parse(upgrade("/a"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        request("/a", [("Host", "relay.example.com")]),
        upgrade("/a", without="Sec-WebSocket-Key"),
        upgrade("/a", without="Sec-WebSocket-Version"),
        upgrade("/a", method="POST"),
        upgrade("/a")[:-2],
        upgrade("/" + "a" * 10_000),
        upgrade("/a", *(("X-Many", "x") for _ in range(200))),
        upgrade("/a").replace(b"\r\n", b"\n"),
    ],
    ids=["nothing", "an end", "no upgrade", "no key", "no version", "POST", "half", "long line", "many headers", "LF"],
)
def test_what_the_library_would_not_answer_with_101_is_no_upgrade(data: bytes) -> None:
    with pytest.raises(ValueError, match="expected a WebSocket upgrade"):
        UpgradeRequest.parse(data)


# --- Admitted ---


@pytest.mark.parametrize("piece_bytes", [10_000, 1], ids=["whole", "byte by byte"])
def test_an_admitted_connection_lives_on_in_the_bridges_hands(run_served: RunServed, piece_bytes: int) -> None:
    """Both ways, and not one byte of an answer is sent here: the bridge gets the request, to answer it."""

    async def scenario(served: Served) -> None:
        transfer_id = await ringing(served)
        data = signed_upgrade(await media_url(served, transfer_id), AUTH_TOKEN)
        async with connected(port_of(served)) as carrier:
            for start in range(0, len(data), piece_bytes):
                carrier.send(data[start : start + piece_bytes])
                await asyncio.sleep(0)
            media = await handed(served)
            with socket.socket(fileno=media.descriptor) as ours:
                ours.settimeout(0)
                assert UpgradeRequest.parse(media.request).target == UpgradeRequest.parse(data).target
                assert media.provider == "twilio"
                await asyncio.get_running_loop().sock_sendall(ours, b"from relay")
                assert await carrier.reader.readexactly(10) == b"from relay"
                carrier.send(b"from the carrier")
                assert await asyncio.get_running_loop().sock_recv(ours, 100) == b"from the carrier"
            assert await carrier.rest() == b"", "with that descriptor the connection is over: there is no other"
        assert verdicts(served) == {("twilio", "ok"): 1}

    run_served(scenario)


def test_what_came_in_one_piece_with_the_request_is_dropped(run_served: RunServed) -> None:
    """Nobody may send before the answer (RFC 6455, 4.1); this is uvicorn's doing, and ``MediaSocket`` says so."""

    async def scenario(served: Served) -> None:
        transfer_id = await ringing(served)
        async with connected(port_of(served)) as carrier:
            carrier.send(signed_upgrade(await media_url(served, transfer_id), AUTH_TOKEN) + b"too early")
            media = await handed(served)
            os.close(media.descriptor)
            assert media.request.endswith(b"\r\n\r\n")

    run_served(scenario)


@pytest.mark.parametrize("kept", ["", "/voice/eu"])
def test_the_path_of_the_public_url_may_be_there_or_taken_off(run_served: RunServed, kept: str) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await ringing(served)
        token = urlsplit(await media_url(served, transfer_id)).path.rpartition("/")[2]
        services = dataclasses.replace(served.services, urls=CarrierUrls("https://relay.example.com/voice/eu"))
        url = services.urls.media("twilio", transfer_id, token)
        signature = (SIGNATURE_HEADER, signature_of(url, auth_token=AUTH_TOKEN))
        target = urlsplit(url).path.removeprefix("/voice/eu")
        async with listening(served.app, ws=media_upgrade(services)) as base_url:
            port = urlsplit(base_url).port or 0
            assert await status_of(port, upgrade("/voice" + target, signature)) == 404
            async with connected(port) as carrier:
                carrier.send(upgrade(kept + target, signature))
                os.close((await handed(served)).descriptor)

    run_served(scenario)


def test_an_admitted_connection_whose_transfer_has_ended_meanwhile_is_closed(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await ringing(served)
        before = descriptors()
        ours, theirs = socket.socketpair()
        with theirs:
            await served.ask("DELETE", f"/v1/transfers/{transfer_id}")
            served.coordinator.hand_over(transfer_id, MediaSocket(ours.detach(), b"", "twilio"))
            assert theirs.recv(1) == b""
        assert descriptors() <= before

    run_served(scenario)


# --- Refused ---


def test_each_refusal_has_its_status_and_is_counted(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        transfer_id = await ringing(served)
        url = await media_url(served, transfer_id)
        path, port = urlsplit(url).path, port_of(served)
        guessed = served.services.urls.media("twilio", transfer_id, SOME_TOKEN)
        nobodys = served.services.urls.media("twilio", new_transfer_id(1, b"0123456789"), SOME_TOKEN)
        before = verdicts(served)
        refused = {
            "not_found": (404, [upgrade("/"), upgrade("/healthz"), upgrade(path.replace("twilio", "telco"))]),
            "forged": (403, [upgrade(path), upgrade(path, (SIGNATURE_HEADER, "A" * 28))]),
            "stranger": (403, [signed_upgrade(guessed, AUTH_TOKEN), signed_upgrade(nobodys, AUTH_TOKEN)]),
            "malformed": (400, [upgrade(path, without="Sec-WebSocket-Key"), upgrade(path, method="POST")]),
        }
        with capture_logs() as logged:
            for verdict, (status, requests) in refused.items():
                for data in requests:
                    async with connected(port) as carrier:
                        carrier.send(data)
                        head = await carrier.head()
                        assert head.startswith(b"HTTP/1.1 %d " % status), (verdict, head)
                        assert b"Connection: close\r\nContent-Length: 0\r\n" in head
                        assert await carrier.rest() == b""
        assert before == {}
        assert verdicts(served) == {
            ("", "not_found"): 3,
            ("twilio", "forged"): 2,
            ("twilio", "stranger"): 2,
            ("", "malformed"): 2,
        }
        lines = [line for line in logged if line["event"] == "upgrade_refused"]
        assert len(lines) == 9
        assert path.rpartition("/")[2] not in str(lines)
        assert transfer_id not in str(lines)

    run_served(scenario)


def test_a_carrier_that_sends_too_much_before_it_is_answered_is_sent_away(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        async with undecided(served) as carrier:
            carrier.send(b"x" * (REQUEST_MAX_BYTES + 1))
            assert await carrier.status() == 431
            await given_up(served)
        assert verdicts(served) == {("", "too_long"): 1}

    run_served(scenario)


def test_a_carrier_that_goes_before_it_is_answered_leaves_nothing(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        url = await media_url(served, await ringing(served))
        kept = []
        for _ in range(5):
            async with undecided(served, url):
                pass
            await given_up(served)
            kept.append(descriptors())
        assert kept == [kept[0]] * 5
        assert (verdicts(served), served.bridges.last.handed) == ({}, [])

    run_served(scenario)


def test_a_server_that_stops_waits_for_no_upgrade_and_says_so(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        url = await media_url(served, await ringing(served))
        served.store.may_consume.clear()
        async with listening(served.app, ws=media_upgrade(served.services)) as base_url:
            stack = await contextlib.AsyncExitStack().__aenter__()
            carrier = await stack.enter_async_context(connected(urlsplit(base_url).port or 0))
            carrier.send(signed_upgrade(url, AUTH_TOKEN))
            await served.store.until_consuming(1)
        async with stack:
            assert await carrier.status() == 503
        await given_up(served)
        assert verdicts(served) == {("", "shutting_down"): 1}

    run_served(scenario)


def test_an_upgrade_that_is_admitted_as_the_transfer_ends_is_refused(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        async with undecided(served) as carrier:
            await served.ask("DELETE", f"/v1/transfers/{served.bridges.last.transfer_id}")
            served.store.may_consume.set()
            assert await carrier.status() == 403

    run_served(scenario)


def test_a_store_that_is_away_lets_nobody_in(tmp_path: Path) -> None:
    async def scenario() -> None:
        with contextlib.ExitStack() as running:
            await asyncio.to_thread(running.enter_context, running_valkey(tmp_path / "valkey.sock"))
            async with serving(url_of(tmp_path / "valkey.sock")) as served:
                url = await media_url(served, await ringing(served))
                await asyncio.to_thread(running.close)
                async with asyncio.timeout(4):
                    assert await status_of(port_of(served), signed_upgrade(url, AUTH_TOKEN)) == 503
                assert verdicts(served) == {("twilio", "unavailable"): 1}
                await asyncio.to_thread(running.enter_context, running_valkey(tmp_path / "valkey.sock"))

    uvloop.run(scenario())


def test_a_process_without_a_descriptor_left_refuses(run_served: RunServed) -> None:
    """What is handed over needs one for a moment."""

    async def scenario(served: Served) -> None:
        async with undecided(served) as carrier:
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
            try:
                served.store.may_consume.set()
                assert await carrier.status() == 503
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert verdicts(served) == {("twilio", "unavailable"): 1}

    run_served(scenario)


# --- In a row ---


@pytest.mark.long
def test_two_hundred_upgrades_in_a_row_leave_no_descriptor_behind(run_served: RunServed) -> None:
    """Streams of one call that is lost again and again, and as many refused ones."""

    async def scenario(served: Served) -> None:
        transfer_id = await ringing(served)
        port = port_of(served)
        for stream in range(200):
            url = await media_url(served, transfer_id, stream)
            async with connected(port) as carrier:
                carrier.send(signed_upgrade(url, AUTH_TOKEN))
                os.close((await handed(served)).descriptor)
                assert await carrier.rest() == b""
            assert await status_of(port, signed_upgrade(url, AUTH_TOKEN)) == 403
            if stream == 0:
                served.bridges.last.connect(CALL)
                await served.store.wait(transfer_id, lambda transfer: transfer.state is State.JOINED, timeout_s=10)
                before = descriptors()
            served.bridges.last.emit(MediaLost("reset"))
        assert descriptors() <= before
        assert verdicts(served) == {("twilio", "ok"): 200, ("twilio", "stranger"): 200}

    run_served(scenario)
