"""T11 to T13: no secret, no token and no phone number comes out of the service, whatever happens in it."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import structlog
import uvloop
from redis.asyncio import Redis

from relay.app.logs import TALKATIVE, configure_logging
from relay.app.settings import LogFormat, LogLevel, Settings
from relay.dev.carrier_outcomes import ANSWERED, BUSY, LosesReply, Loss, Outcome, Refuses, Rings
from relay.transfers.record import digest
from relay.transfers.states import State
from tests.app.valkey import running_valkey
from tests.threats.canaries import (
    ADMIN,
    AGENT,
    ENV,
    FROM,
    NUMBERS,
    READ,
    REDIS_PASSWORD,
    ROOM_TOKEN,
    SECRETS,
    SUMMARY,
    TO,
    TWILIO_TOKEN,
    WRONG_KEY,
    leaks,
    redis_url,
    stored,
)
from tests.threats.raw import request, signed_upgrade, status_of, upgrade
from tests.threats.stage import Stage, stage

BODY: dict[str, Any] = {"to": TO, "from": FROM, "room_token": ROOM_TOKEN, "metadata": {"summary": SUMMARY}}
MESSAGE = f"The phone number {TO} with {TWILIO_TOKEN} is not valid"  # Twilio's quote numbers


@dataclass
class Output:
    """What a service has put out."""

    logs: str = ""
    answers: str = ""
    stored: str = ""
    media_tokens: tuple[str, ...] = ()

    def leaks(self) -> dict[str, set[str]]:
        found = {
            "logs": leaks(self.logs, more=self.media_tokens),
            "answers": leaks(self.answers, more=self.media_tokens, is_callers=True),
            "Redis": leaks(self.stored, more=self.media_tokens, is_callers=True),
        }
        return {where: names for where, names in found.items() if names}


@pytest.fixture(autouse=True)
def logged() -> Iterator[None]:
    """Here all is logged; afterwards the process logs again as it did."""
    names = [None, "uvicorn.access", *TALKATIVE]
    before = [(logger, logger.level, logger.handlers, logger.disabled) for logger in map(logging.getLogger, names)]
    yield
    structlog.reset_defaults()
    for logger, level, handlers, disabled in before:
        logger.setLevel(level)
        logger.handlers, logger.disabled = handlers, disabled


# --- Stories ---


async def calls_that_succeed(stage: Stage) -> None:
    """One to a number of the request, one to a destination; followed, read and listed."""
    for body in (BODY, {**BODY, "to": None, "destination": "billing"}):
        room_url = stage.room_url()
        await stage.enter(room_url)
        made = await stage.request(room_url=room_url, **body)
        path = f"/v1/transfers/{made.json['id']}"
        reply = await stage.ask("GET", f"{path}?wait_s=10&until=joined")
        assert reply.json["state"] == "joined"
        call = stage.carrier.calls[-1]
        assert call.phone is not None
        for message in (MESSAGE, json.dumps({"event": MESSAGE}), json.dumps({"event": "media", "media": MESSAGE})):
            call.phone.send_text(message)
        await call.phone.until_heard(call.phone.frames_heard + 5)
        call.hang_up()
        await stage.ask("GET", f"{path}?wait_s=10&until=disconnected")
        for asked in (f"{path}/events", "/v1/transfers", "/v1/destinations", "/metrics", "/openapi.json", "/readyz"):
            assert (await stage.ask("GET", asked)).status in {200, 204}
    assert set(stage.carrier.dial_requests) == {TO, AGENT}


async def calls_that_fail(stage: Stage) -> None:
    """As the carrier has it: busy, refused with a message that quotes the number, no answer, and no reply at all."""
    scripts = [
        BUSY,
        Outcome(reply=Refuses(message=MESSAGE)),
        Outcome(reply=Refuses(status=401, code=20003, message=MESSAGE)),
        Outcome(reply=LosesReply(how=Loss.RESET)),
        Outcome(reply=LosesReply(how=Loss.ERROR_500, places_call=False)),
    ]
    for script in scripts:
        stage.carrier.script = script
        made = await stage.request(**BODY)
        path = f"/v1/transfers/{made.json['id']}"
        if isinstance(script.reply, LosesReply):
            await stage.carrier.until(lambda carrier: bool(carrier.dial_requests))
            await stage.ask("DELETE", path)
        await stage.ask("GET", f"{path}?wait_s=10&until=failed")
        await stage.ask("GET", f"{path}/events")
    stage.carrier.script = ANSWERED


async def requests_that_are_refused(stage: Stage) -> None:
    """Canaries where they belong, and where they do not."""
    url = stage.room_url()
    bodies = [
        {**BODY, "to": "+19005550123"},
        {**BODY, "room_url": f"{url}?t={ROOM_TOKEN}"},
        {**BODY, "from": f"{FROM}x", "room_token": f"{ROOM_TOKEN} "},
        {**BODY, TO: ROOM_TOKEN, ROOM_TOKEN: TO},
        {**BODY, "metadata": {TO: {TO: TO}}},
        {**BODY, "customer_id": f"{TO}\n{ROOM_TOKEN}"},
        {**BODY, "destination": TO},
        {**BODY, "provider": ROOM_TOKEN},
        [TO, ROOM_TOKEN],
        TO,
    ]
    for body in bodies:
        whole = {"room_url": url, **body} if isinstance(body, dict) else body
        assert 400 <= (await stage.ask("POST", "/v1/transfers", whole)).status < 500
    broken = f'{{"to": "{TO}", "room_token": {ROOM_TOKEN}'.encode()
    await stage.ask("POST", "/v1/transfers", broken, Content_Type="application/json")
    for key in (WRONG_KEY, f"{ADMIN}x", READ):
        await stage.ask("POST", "/v1/transfers", BODY, key=key)
    path = f"/v1/transfers/{TO}"
    await stage.ask("GET", f"{path}?wait_s={TO}&until={ROOM_TOKEN}&limit={TO}", Last_Event_ID=TO, Cookie=ADMIN)
    await stage.ask("GET", f"/{TO}/{ROOM_TOKEN}?key={ADMIN}", Referer=f"https://evil.example/{ADMIN}")
    await stage.ask("BREW", f"/{TO}")
    await stage.ask("POST", "/v1/transfers", BODY, Idempotency_Key=f"{TO}\x80")
    for data in (request(f"/{TO}", [("Host", ADMIN), (f"bad header {TO}", ADMIN)]), f"{TO} {ADMIN}\r\n\r\n".encode()):
        await status_of(stage.port, data)


async def attacks_of_strangers(stage: Stage) -> None:
    """Forged webhooks and upgrades, with a good token among them."""
    stage.carrier.script = Outcome(callee=Rings())
    transfer_id, call = await stage.transfer(**{**BODY, "room_url": stage.room_url()})
    urls = stage.service.services.urls
    for url in (urls.answer("twilio", transfer_id, 0), urls.status("twilio", transfer_id)):
        form = call.form("completed") | {"CallSid": TO, "Body": ROOM_TOKEN}
        await stage.post(url, form, signature="A" * 28)
        await stage.post(url, form)
        await stage.post(f"{url}?token={ADMIN}", form, signature=TWILIO_TOKEN)
    answers = list(stage.answers)
    token = await stage.token(transfer_id, call)
    stage.answers[:] = answers  # that one has the token, and was the carrier's
    assert token is not None
    url = stage.media_url(transfer_id, token)
    path = f"/carriers/twilio/{transfer_id}/media/{token}"
    for data in (upgrade(path), upgrade(f"{path}?a={ADMIN}"), upgrade(path, method="POST")):
        assert 400 <= await status_of(stage.port, data) < 500
    assert await status_of(stage.port, signed_upgrade(url, TWILIO_TOKEN)) == 101
    assert await status_of(stage.port, signed_upgrade(url, TWILIO_TOKEN)) == 403
    await stage.end(transfer_id)
    stage.carrier.script = ANSWERED


async def defects(stage: Stage) -> None:
    """Exceptions that quote what they were given, in the adapter and in the store; and rooms that are not there."""
    account: Any = stage.service.services.coordinator._carriers["twilio"]
    control = account._control
    broken = account._control = Broken(control)
    transfer_id = (await stage.request(**BODY)).json["id"]
    await broken.asked.wait()
    await stage.ask("DELETE", f"/v1/transfers/{transfer_id}")
    account._control = control
    transfer_id, _ = await stage.transfer(**BODY)
    key = f"{stage.prefix}:{{{transfer_id}}}"
    await stage.redis.delete(key)
    await stage.redis.set(key, "no transfer")
    await stage.ask("GET", f"/v1/transfers/{transfer_id}")
    await stage.ask("DELETE", f"/v1/transfers/{transfer_id}")
    await stage.redis.delete(key)
    await stage.rooms.__aexit__(None, None, None)
    transfer_id = (await stage.request(**BODY)).json["id"]
    await stage.ask("GET", f"/v1/transfers/{transfer_id}?wait_s=10&until=failed")


class Broken:
    """A control side with a defect, whose message has all that it knows; in all else, another."""

    def __init__(self, control: Any) -> None:
        self._control = control
        self.asked = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._control, name)

    def dial(self, order: Any) -> Any:
        self.asked.set()
        raise RuntimeError(f"{order.to} {TWILIO_TOKEN} {ADMIN}")

    def find_calls(self, order: Any) -> Any:
        raise KeyError((order.to, TWILIO_TOKEN))


async def a_store_that_goes(stage: Stage) -> None:
    """Its password changes; nothing can be written any more."""
    transfer_id, _ = await stage.joined(**BODY)
    await stage.redis.config_set("requirepass", REDIS_PASSWORD[::-1])
    await stage.redis.client_kill_filter(_type="normal", skipme=True)
    assert (await stage.request(**BODY)).status == 503
    assert (await stage.ask("GET", f"/v1/transfers/{transfer_id}")).status == 503
    assert (await stage.ask("GET", "/readyz")).status == 503
    await stage.redis.config_set("requirepass", REDIS_PASSWORD)
    await stage.redis.client_kill_filter(_type="normal", skipme=True)
    while (await stage.ask("GET", f"/v1/transfers/{transfer_id}")).status == 503:
        """It is found again by itself."""
    await stage.until(transfer_id, lambda transfer: transfer.state is State.JOINED)
    await stage.end(transfer_id)


STORIES = (
    calls_that_succeed,
    calls_that_fail,
    requests_that_are_refused,
    attacks_of_strangers,
    a_store_that_goes,
    defects,
)


# --- The search ---


async def put_out(log_format: LogFormat, *stories: Any) -> Output:
    stream, output = io.StringIO(), Output()

    def prepare(settings: Settings) -> None:
        configure_logging(LogLevel.DEBUG, log_format, secrets=settings.secrets(), stream=stream)

    with running_valkey() as url:
        async with Redis.from_url(url) as redis:
            await redis.config_set("requirepass", REDIS_PASSWORD)
            async with stage(redis_url(url), env=ENV, prepare=prepare) as on_it:
                on_it.key = ADMIN
                for story in stories:
                    await story(on_it)
                documents = [each for call in on_it.carrier.calls for each in call.answer_documents]
                output.media_tokens = tuple(each.split("/media/")[1][:43] for each in documents if "/media/" in each)
                output.stored = await stored(on_it.redis)
                output.answers = "\n".join(on_it.answers)
    output.logs = stream.getvalue()
    return output


@pytest.mark.parametrize("log_format", [LogFormat.JSON, LogFormat.CONSOLE])
@pytest.mark.long
def test_t12_t13_no_canary_comes_out(log_format: LogFormat, capfd: pytest.CaptureFixture[str]) -> None:
    output = uvloop.run(put_out(log_format, *STORIES))
    assert output.leaks() == {}
    printed = capfd.readouterr()
    assert leaks(printed.out + printed.err, more=output.media_tokens) == set()
    for happened in ("dial_broke", "webhook_refused", "upgrade_refused", "store_unavailable", "dial_refused"):
        assert happened in output.logs
    assert "Traceback" in output.logs
    assert len(output.media_tokens) >= 2
    assert SUMMARY in output.answers
    assert SUMMARY in output.stored


def test_t12_t13_a_canary_that_does_come_out_is_found() -> None:
    """The search above is worth something only if it finds each of them, in each place."""

    async def leak(stage: Stage) -> None:
        log = structlog.get_logger()
        for number, text in enumerate([*SECRETS.values(), *NUMBERS.values(), SUMMARY]):
            log.info("leak", part=text[:4], rest=text[4:], whole=text.replace("canary", "canary\u200b"))
            await stage.redis.set(f"leak-{number}", text)
            stage.answers.append(text)
        log.info("leak", to=TO.removeprefix("+"), summary=SUMMARY)

    output = uvloop.run(put_out(LogFormat.JSON, leak))
    assert output.leaks()["answers"] == {*SECRETS, *(f"number: {name}" for name in NUMBERS)}
    assert output.leaks()["Redis"] == output.leaks()["answers"]
    assert {"summary", "number: to"} <= output.leaks()["logs"]


@pytest.mark.long
def test_t12_a_redactor_that_is_off_would_be_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stories do put canaries into log lines: without the last look at each they would come out."""
    monkeypatch.setattr("relay.app.redaction.Redactor.text", lambda _, text: text)
    output = uvloop.run(put_out(LogFormat.JSON, defects))
    assert {"API key", "Twilio token", "number: to"} <= output.leaks()["logs"]


def test_t13_a_number_cannot_be_found_by_trying_all_against_what_is_stored() -> None:
    """What is kept to know a request again is no digest of what can be guessed: a key of the caller's is in it."""

    async def ask_again(stage: Stage) -> None:
        stage.carrier.script = Outcome(callee=Rings())
        body = {"room_url": stage.room_url(), **BODY}
        for key in ("f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "53fb0f1c-9b3f-4f9c-8e0a-2f8a5a4f0b7d"):
            first, second = [await stage.ask("POST", "/v1/transfers", body, Idempotency_Key=key) for _ in range(2)]
            assert (first.json["id"], second.status) == (second.json["id"], 201)
            assert key not in await stored(stage.redis)
            await stage.end(first.json["id"])
            await stage.until_settled()
        claims = [each async for each in stage.redis.scan_iter(match=f"{stage.prefix}:request:*")]
        kept = {await stage.redis.hget(claim, "fingerprint") for claim in claims}
        assert (len(claims), len(kept)) == (2, 2)
        digests = set(re.findall("[0-9a-f]{64}", await stored(stage.redis)))
        assert {digest(text) for text in (TO, TO[1:], FROM, ROOM_TOKEN)} & digests == set()

    uvloop.run(put_out(LogFormat.JSON, ask_again))
