"""An account at a carrier that a test plays, and what it is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvloop

from relay.app.carrier_urls import CarrierUrls
from relay.app.carriers import CarrierAccount, carrier_session
from relay.app.metrics import Metrics
from relay.providers.twilio_control import TwilioControl
from relay.transfers.ports import (
    DialOrder,
)
from tests.app.stand_in_rest import Answer, StandInRest

CALL, OTHER = "CA" + "1" * 32, "CA" + "2" * 32
ACCOUNT, TOKEN = "AC" + "0" * 32, "c" * 32
TRANSFER = "tr_" + "0" * 32
PUBLIC = "https://relay.example.com"
TIMEOUT_S = 0.3
CALLS = f"/2010-04-01/Accounts/{ACCOUNT}/Calls"
NO_CALL = {"code": 20404}


def order(
    *,
    ring_timeout_s: float = 30.0,
    max_duration_s: float = 3600.0,
    detect_machine: bool = False,
    detection_timeout_s: float | None = None,
) -> DialOrder:
    whom = ("+14155550123", "+14155550100")
    return DialOrder(TRANSFER, *whom, ring_timeout_s, max_duration_s, detect_machine, detection_timeout_s)


def error(code: int) -> dict[str, Any]:
    return {"code": code, "message": "+14155550123 is quoted here", "status": 400}


@asynccontextmanager
async def account(
    api_url: str, *, auth_token: str = TOKEN, account_sid: str = ACCOUNT, timeout_s: float = TIMEOUT_S
) -> AsyncIterator[tuple[CarrierAccount, Metrics]]:
    metrics = Metrics()
    control = TwilioControl(account_sid=account_sid, auth_token=auth_token, api_url=api_url)
    async with carrier_session() as session:
        yield CarrierAccount(control, session, CarrierUrls(PUBLIC), metrics=metrics, timeout_s=timeout_s), metrics


def counted(metrics: Metrics) -> dict[tuple[str, str], float]:
    """Requests by operation and outcome."""
    samples = [each for metric in metrics.registry.collect() for each in metric.samples]
    return {
        (each.labels["operation"], each.labels["outcome"]): each.value
        for each in samples
        if each.name == "relay_carrier_request_seconds_count"
    }


def ask(
    answer: Answer, asking: Callable[[CarrierAccount], Awaitable[Any]], *, timeout_s: float = 5.0
) -> tuple[Any, StandInRest]:
    """What comes of asking a carrier that answers so, and all that the carrier got."""

    async def scenario() -> tuple[Any, StandInRest]:
        async with StandInRest() as rest, account(rest.url, timeout_s=timeout_s) as (carrier, _):
            rest.answer = answer
            return await asking(carrier), rest

    return uvloop.run(scenario())
