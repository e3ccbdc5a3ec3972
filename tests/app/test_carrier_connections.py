"""A carrier's account over real HTTP: its connections, what is counted, and the simulated carrier behind it."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import cast

import pytest
import uvloop

from relay.app.ari import AriAccount
from relay.app.carrier_urls import CarrierUrls
from relay.app.carriers import carrier_session
from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_outcomes import SILENT, LosesReply, Loss, Outcome
from relay.transfers.coordinator import Coordinator
from relay.transfers.ports import Refused, TryLater, Unclear
from relay.transfers.reasons import Reason
from tests.app.accounts import (
    CALL,
    NO_CALL,
    PUBLIC,
    account,
    counted,
    order,
)
from tests.app.stand_in_rest import StandInRest, nothing, reply, reset
from tests.providers.asterisk_requests import control as asterisk

# --- Connections ---


def test_each_request_has_a_connection_of_its_own_and_brings_no_cookie_along() -> None:
    """By its name: cookies of mere addresses are kept by nobody."""

    async def scenario() -> None:
        async with StandInRest() as rest, account(rest.url.replace("127.0.0.1", "localhost")) as (carrier, _):
            rest.answer = reply(200, {}, Set_Cookie="a=b")
            for _ in range(3):
                assert await carrier.hang_up(CALL)
        assert (len(rest.requests), rest.connections) == (3, 3)
        assert [each.headers.get("cookie") for each in rest.requests] == [None] * 3

    uvloop.run(scenario())


@pytest.mark.long
def test_dials_that_hang_keep_no_phone_from_being_hung_up() -> None:
    async def scenario() -> None:
        async with StandInRest() as rest, account(rest.url, timeout_s=10) as (carrier, _):
            rest.answer = nothing
            dials = [asyncio.create_task(carrier.dial(order())) for _ in range(150)]
            await rest.until(len(dials))
            rest.answer = reply(200, {})
            assert await carrier.hang_up(CALL)
            for dial in dials:
                dial.cancel()
            await asyncio.gather(*dials, return_exceptions=True)

    uvloop.run(scenario())


def test_a_proxy_that_the_environment_names_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with StandInRest() as proxy, StandInRest() as rest, account(rest.url) as (carrier, _):
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
                monkeypatch.setenv(name, proxy.url)
                monkeypatch.setenv(name.lower(), proxy.url)
            rest.answer = reply(200, {})
            assert await carrier.hang_up(CALL)
            assert proxy.connections == 0

    uvloop.run(scenario())


@pytest.fixture
def untrusted(tmp_path: Path) -> ssl.SSLContext:
    """Of a server whose certificate nobody vouches for."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl, which makes the certificate")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", *kind, *name, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    return tls


def test_a_certificate_that_nobody_vouches_for_is_refused_at_once(untrusted: ssl.SSLContext) -> None:
    async def scenario() -> None:
        async with StandInRest(untrusted) as rest, account(rest.url, timeout_s=5) as (carrier, _):
            came = await carrier.dial(order())
            assert isinstance(came, Refused)
            assert (came.reason, came.code) == (Reason.PROVIDER_ERROR, "")
            assert not await carrier.hang_up(CALL)
            assert rest.requests == []

    uvloop.run(scenario())


def test_an_asterisk_with_such_a_certificate_is_not_dialled(untrusted: ssl.SSLContext) -> None:
    async def scenario() -> None:
        async with StandInRest(untrusted) as rest, account(rest.url) as (plain, _), carrier_session() as session:
            control, nobody = asterisk(ari_url=f"{rest.url}/ari"), cast(Coordinator, None)
            carrier = AriAccount(control, plain, session, CarrierUrls(PUBLIC), reconnect_s=(0.01,))
            async with carrier.listening(nobody), asyncio.timeout(5):
                while isinstance(came := await carrier.dial(order()), TryLater):  # noqa: ASYNC110 - a dial says it
                    await asyncio.sleep(0)
            why = "expected a certificate that this system trusts, got another"
            assert came == Refused(Reason.PROVIDER_ERROR, "", f"Asterisk's events are not heard: {why}")
            assert rest.requests == []

    uvloop.run(scenario())


def test_every_request_is_counted_by_what_came_of_it() -> None:
    async def scenario() -> None:
        async with StandInRest() as rest, account(rest.url) as (carrier, metrics):
            for answer in (reply(201, {"sid": CALL}), reply(429), reset, nothing):
                rest.answer = answer
                await carrier.dial(order())
            rest.answer = reply(404, NO_CALL)
            await carrier.hang_up(CALL)
        assert counted(metrics) == {
            ("dial", "2xx"): 1.0,
            ("dial", "4xx"): 1.0,
            ("dial", "failed"): 2.0,
            ("hang_up", "4xx"): 1.0,
        }

    uvloop.run(scenario())


# --- The simulated carrier ---


def test_a_call_whose_answer_was_lost_is_found_at_the_carrier_and_hung_up() -> None:
    async def scenario() -> None:
        script = Outcome(reply=LosesReply(how=Loss.RESET), callee=SILENT.callee, delivery=SILENT.delivery)
        async with SimulatedCarrier(script=script) as simulated:
            its = {"account_sid": simulated.account_sid, "auth_token": simulated.auth_token}
            async with account(simulated.api_url, timeout_s=5, **its) as (carrier, _):
                unclear = await carrier.dial(order())
                assert isinstance(unclear, Unclear)
                call = await simulated.until_call()
                assert await carrier.find_calls(order(), sent_s=unclear.sent_s) == [call.sid]
                assert await carrier.hang_up(call.sid)
                assert await carrier.hang_up(call.sid), "it was over before"
                assert await carrier.find_calls(order(), sent_s=unclear.sent_s) == []
            assert (simulated.dials, simulated.violations, call.violations) == (1, [], [])

    uvloop.run(scenario())
