"""T22: no route without its key, and no address that others can reach without any key."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from relay.app.settings import load_settings
from relay.errors import ConfigurationError
from tests.app.served import ADMIN_KEY, NOBODY, READ_KEY, TRIGGER_KEY
from tests.threats.conftest import OnStage
from tests.threats.raw import request, status_of
from tests.threats.stage import RINGS, Stage

pytestmark = pytest.mark.usefixtures("in_process")

PUBLIC_ROUTES: Final = {("get", "/healthz"), ("get", "/readyz")}
CARRIER_ROUTES: Final = ("answer/0", "status", "detection")
EXIT_S: Final = 20
WORKING: Final = {
    "RELAY_TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "RELAY_TWILIO_AUTH_TOKEN": "t" * 32,
    "RELAY_TWILIO_FROM": "+14155550100",
    "RELAY_TWILIO_API_URL": "http://127.0.0.1:9",
    "RELAY_LOCAL_ROOMS": "http://127.0.0.1:9",
    "RELAY_ALLOWED_NUMBERS": "+1415",
}


def test_t22_every_route_asks_for_its_key(on_stage: OnStage) -> None:
    """As the OpenAPI document has them: a new route is in the table by itself."""

    async def scenario(stage: Stage) -> None:
        document = (await stage.ask("GET", "/openapi.json", key=None)).json
        routes = {(method, path) for path, methods in document["paths"].items() for method in methods}
        assert len(routes) >= 9
        transfer_id, call = await stage.ringing()
        record = await stage.record(transfer_id)
        for method, path in sorted(routes - PUBLIC_ROUTES):
            wrong_scope = TRIGGER_KEY if method == "get" else READ_KEY
            tries = {"": 401, "wrong" * 4: 401, ADMIN_KEY[:-1]: 401, f"{ADMIN_KEY} x": 401, wrong_scope: 403}
            for key, status in tries.items():
                target = path.replace("{transfer_id}", transfer_id)
                reply = await stage.ask(method.upper(), target, key=key or None)
                assert (method, path, key, reply.status) == (method, path, key, status)
        for key in (f"?key={ADMIN_KEY}", f"?access_token={ADMIN_KEY}"):
            assert (await stage.ask("GET", f"/v1/transfers{key}", key=None, Cookie=f"key={ADMIN_KEY}")).status == 401
        assert await stage.record(transfer_id) == record
        assert call.is_live
        assert stage.carrier.dials == 1

    on_stage(scenario, RINGS)


def test_t22_a_key_of_the_api_opens_no_route_of_carriers(on_stage: OnStage) -> None:
    async def scenario(stage: Stage) -> None:
        transfer_id, call = await stage.ringing()
        record = await stage.record(transfer_id)
        for key in (None, "wrong" * 4, READ_KEY, ADMIN_KEY):
            for kind in CARRIER_ROUTES:
                for known in (transfer_id, NOBODY):
                    path = f"/carriers/twilio/{known}/{kind}"
                    form = b"CallSid=" + call.sid.encode()
                    assert (await stage.ask("POST", path, form, key=key)).status == 403
        assert await stage.record(transfer_id) == record

    on_stage(scenario, RINGS)


def test_t22_two_keys_in_one_request_are_none(on_stage: OnStage) -> None:
    async def scenario(stage: Stage) -> None:
        right, wrong = ("Authorization", f"Bearer {ADMIN_KEY}"), ("Authorization", "Bearer " + "x" * 32)
        for pair in ([wrong, right], [("Authorization", "Basic eDp4"), right]):
            assert await status_of(stage.port, request("/v1/transfers", [("Host", "r"), *pair])) == 401

    on_stage(scenario)


def test_t22_a_web_page_cannot_ask_a_service_that_has_no_keys(on_stage: OnStage) -> None:
    """What a page of another origin may send without asking first (CORS): none of it begins or ends a transfer."""

    async def scenario(stage: Stage) -> None:
        body = f'{{"room_url": "{stage.room_url()}", "destination": "billing"}}'.encode()
        origin = ("Origin", "https://evil.example")

        async def posted(*more: tuple[str, str]) -> int:
            headers = [("Host", "127.0.0.1"), origin, ("Content-Length", str(len(body))), *more]
            return await status_of(stage.port, request("/v1/transfers", headers, method="POST", body=body))

        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            assert (kind, await posted(("Content-Type", kind))) == (kind, 422)
        assert await posted() == 422
        asked = await stage.ask("OPTIONS", "/v1/transfers", key=None, Origin="https://evil.example")
        assert not any(name.lower().startswith("access-control") for name in asked.headers)
        assert stage.carrier.dials == 0
        assert await posted(("Content-Type", "application/json")) == 201

    on_stage(scenario, RINGS, API_KEYS="", PUBLIC_URL="")


@pytest.fixture
def taken_port() -> Iterator[int]:
    """Whoever tries to listen there fails, and says so: what says something else has not tried."""
    with socket.create_server(("0.0.0.0", 0)) as listener:  # noqa: S104 - nobody is served
        yield listener.getsockname()[1]


def serve(tmp_path: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """The service as its user starts it, until it ends."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RELAY_")}
    return subprocess.run(
        [sys.executable, "-m", "relay", "serve"],
        env=inherited | WORKING | {f"RELAY_{name}": value for name, value in env.items()},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=EXIT_S,
        check=False,
    )


@pytest.mark.long
def test_t22_without_a_key_the_service_does_not_even_try_to_listen_to_others(tmp_path: Path, taken_port: int) -> None:
    ended = serve(tmp_path, LISTEN=f"0.0.0.0:{taken_port}", PUBLIC_URL="https://relay.example.com")
    assert ended.returncode == 2
    assert [line.partition(":")[0] for line in ended.stderr.splitlines()] == ["RELAY_LISTEN", "RELAY_PUBLIC_URL"]
    assert ended.stderr.count("set RELAY_API_KEYS") == 2
    assert "in use" not in ended.stderr


@pytest.mark.long
def test_t22_with_a_key_it_does_try(tmp_path: Path, taken_port: int) -> None:
    """So it is for the key that it does not."""
    ended = serve(tmp_path, LISTEN=f"0.0.0.0:{taken_port}", API_KEYS="k" * 32)
    assert ended.returncode == 2
    assert "RELAY_API_KEYS" not in ended.stderr
    assert "in use" in ended.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "192.0.2.1", "relay.example.com"])  # noqa: S104 - refused
def test_t22_without_a_key_no_address_will_do_that_others_can_reach(tmp_path: Path, host: str) -> None:
    for env in ({"RELAY_LISTEN": f"{host}:8080"}, {"RELAY_PUBLIC_URL": f"https://{host}"}):
        with pytest.raises(ConfigurationError, match="RELAY_API_KEYS"):
            load_settings(WORKING | env, tmp_path)
        load_settings(WORKING | env | {"RELAY_API_KEYS": "k" * 32}, tmp_path)
