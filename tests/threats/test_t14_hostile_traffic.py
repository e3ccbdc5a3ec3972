"""T14 to T16: messages that are too large, too deep, packed or never finished cost their own connection at most."""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from contextlib import AsyncExitStack
from typing import Any, Final

import pytest
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from relay.dev.carrier_call import SimulatedCall
from relay.dev.carrier_signature import SIGNATURE_HEADER, signature_of
from relay.transfers.states import State
from tests.threats.conftest import OnStage
from tests.threats.raw import Connection, connected, request, status_of, upgrade
from tests.threats.stage import RINGS, Stage

LARGE: Final = 1 << 20
DEEP: Final = {
    "objects": '{"a":' * 5_000 + "1" + "}" * 5_000,
    "lists": "[" * 30_000 + "]" * 30_000,
    "lists without end": "[" * 60_000,
}


async def goes_on(stage: Stage, transfer_id: str, call: SimulatedCall) -> bool:
    """Whether the agent of a call still hears the customer."""
    assert call.phone is not None
    await call.phone.until_heard(call.phone.frames_heard + 25)
    return (await stage.until(transfer_id, lambda _: True)).state is State.JOINED


# --- T14 ---


@pytest.mark.long
def test_t14_a_frame_that_is_too_large_ends_its_own_call_only(on_stage: OnStage) -> None:
    async def scenario(stage: Stage) -> None:
        (attacked_id, attacked), bystander = await stage.joined(), await stage.joined()
        assert attacked.phone is not None
        assert bystander[1].phone is not None
        gaps = len(bystander[1].phone.violations)
        attacked.phone.send_text(b"x" * LARGE)
        assert (await attacked.phone.until_closed()).code == 1009
        assert await goes_on(stage, *bystander)
        assert len(bystander[1].phone.violations) == gaps
        await stage.until_over(attacked_id)

    on_stage(scenario)


@pytest.mark.long
def test_t14_a_message_that_is_too_deep_costs_itself_only(on_stage: OnStage) -> None:
    async def scenario(stage: Stage) -> None:
        attacked = await stage.joined()
        assert attacked[1].phone is not None
        for deep in DEEP.values():
            attacked[1].phone.send_text(deep)
            assert await goes_on(stage, *attacked)

    on_stage(scenario)


def test_t14_a_request_that_is_too_deep_or_too_large_is_refused(on_stage: OnStage) -> None:
    async def scenario(stage: Stage) -> None:
        room = json.dumps(stage.room_url())
        bodies = [f'{{"room_url": {room}, "destination": "billing", "metadata": {deep}}}' for deep in DEEP.values()]
        bodies += [*DEEP.values(), json.dumps({"metadata": {str(key): "" for key in range(4000)}}), "1" * 60_000]
        for body in bodies:
            reply = await stage.ask("POST", "/v1/transfers", body.encode(), Content_Type="application/json")
            assert (reply.status, reply.headers["Content-Type"]) in {
                (status, "application/problem+json") for status in (400, 422)
            }
        huge = await stage.ask("POST", "/v1/transfers", b"[" * LARGE, Content_Type="application/json")
        assert huge.status == 413
        assert stage.carrier.dial_requests == []

    on_stage(scenario)


# --- T15 ---


def deflate() -> PerMessageDeflate:
    return PerMessageDeflate(
        remote_no_context_takeover=False,
        local_no_context_takeover=False,
        remote_max_window_bits=15,
        local_max_window_bits=15,
    )


async def opened(stage: Stage, connection: Connection, *more: tuple[str, str]) -> bytes:
    """A media stream; the head of the answer to its upgrade."""
    transfer_id, call = await stage.transfer()
    token = await stage.token(transfer_id, call)
    assert token is not None
    url = stage.media_url(transfer_id, token)
    signature = signature_of(url, auth_token=stage.carrier.auth_token)
    connection.send(upgrade(url.removeprefix("wss://relay.example.com"), (SIGNATURE_HEADER, signature), *more))
    return await connection.head()


def test_t15_compression_is_not_agreed_to_and_a_bomb_is_not_unpacked(on_stage: OnStage) -> None:
    async def scenario(stage: Stage) -> None:
        async with connected(stage.port) as attacker:
            offer = ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")
            head = await opened(stage, attacker, offer, ("Sec-WebSocket-Protocol", "chat"))
            assert head.startswith(b"HTTP/1.1 101 ")
            assert b"extensions" not in head.lower()
            assert b"sec-websocket-protocol" not in head.lower()
            attacker.send(Frame(Opcode.TEXT, b"\0" * 10_000_000).serialize(mask=True, extensions=[deflate()]))
            assert (await attacker.rest())[-64:].count(b"\x03\xea") == 1  # 1002, protocol error

    on_stage(scenario, RINGS)


# --- T16 ---


@pytest.mark.long
def test_t16_requests_that_are_never_finished_keep_nobody_else_waiting(on_stage: OnStage) -> None:
    """How long they may stay is bounded, see ``test_http_protocol``; how many there may be is left to the proxy."""

    async def scenario(stage: Stage) -> None:
        path = f"/carriers/twilio/tr_{'0' * 32}/media/{'a' * 43}"
        unfinished = [
            b"",
            b"G",
            upgrade(path)[:-2],
            request("/v1/transfers", [("Content-Length", "100")], method="POST"),
            request(path, [("Host", "r"), ("Content-Length", "100")], method="POST", body=b"a=b"),
        ]
        async with AsyncExitStack() as stack:
            for number in range(300):
                attacker = await stack.enter_async_context(connected(stage.port))
                attacker.send(unfinished[number % len(unfinished)])
            assert (await stage.ask("GET", "/healthz", key=None)).status == 200
            assert await goes_on(stage, *await stage.joined())

    on_stage(scenario)


@pytest.mark.parametrize("path", ["/v1/transfers", f"/carriers/twilio/tr_{'0' * 32}/status"])
def test_t16_who_leaves_before_its_request_is_whole_is_no_defect(
    on_stage: OnStage, logged: list[MutableMapping[str, Any]], path: str
) -> None:
    """Else everybody could fill the log with tracebacks."""

    async def scenario(stage: Stage) -> None:
        async with connected(stage.port) as attacker:
            key = ("Authorization", f"Bearer {'a' * 32}")
            attacker.send(request(path, [("Host", "r"), key, ("Content-Length", "100")], method="POST", body=b"a=b"))
            assert await status_of(stage.port, request("/healthz", [("Host", "r")])) == 200
        while not [line for line in logged if line.get("method") == "POST"]:
            await stage.ask("GET", "/healthz", key=None)
        assert "request_broke" not in {line["event"] for line in logged}

    on_stage(scenario)
