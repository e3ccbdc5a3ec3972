"""The page about the API: its tables are those of the code, and its exchanges happen as they are shown."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import write_api_tables
from marked_blocks import with_blocks

from relay.app.settings import Settings, load_settings
from relay.transfers.coordinator_settings import CoordinatorSettings
from relay.transfers.ports import PhoneEnded, PhoneRang
from relay.transfers.reasons import Reason
from relay.transfers.record import digest
from tests.app.conftest import RunServed, run_served, store_url
from tests.app.served import ADMIN_KEY, NOBODY, READ_KEY, TRIGGER_KEY, Served
from tests.docs.http_page import Answer, Likeness, Meanwhile, Request, content, items
from tests.docs.shell_pages import ROOT

__all__ = ["run_served", "store_url"]

PAGE = (ROOT / "docs" / "api.md").read_text()
ACCOUNT = {
    "RELAY_TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "RELAY_TWILIO_AUTH_TOKEN": "c" * 32,
    "RELAY_TWILIO_FROM": "+14155550100",
}
KEYS = {"trigger": TRIGGER_KEY, "read": READ_KEY, "admin": ADMIN_KEY, "none": "x" * 32}


def configured(folder: Path) -> Settings:
    """The configuration that the page shows, with an account beside it."""
    shown = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    (folder / "relay.toml").write_text(shown[1])
    return load_settings(ACCOUNT, folder)


class Play:
    """Makes the page's requests of a service, and lets happen what it says happens meanwhile."""

    def __init__(self, served: Served, key: str) -> None:
        self._served = served
        self._key = key
        self._likeness = Likeness()
        self._asking: tuple[Request, asyncio.Task[Answer]] | None = None

    async def go_through(self, item: Request | Answer | Meanwhile) -> None:
        match item:
            case Request():
                assert self._asking is None, f"no answer is shown to {self._asking}"
                self._asking = item, asyncio.create_task(self._ask(item))
            case Answer():
                await self._compare(item)
            case Meanwhile(what):
                await self._let_happen(what, await self._waited_for())

    async def _ask(self, request: Request) -> Answer:
        headers = {"Authorization": f"Bearer {self._key}", **request.headers}
        path = self._likeness.here(request.path)
        headers = {name: self._likeness.here(value) for name, value in headers.items()}
        reply = await self._served.ask(request.method, path, request.body, key=None, **headers)
        return Answer(reply.status, reply.headers, content(reply.text))

    async def _compare(self, shown: Answer) -> None:
        assert self._asking is not None, f"no request is shown to {shown}"
        (request, task), self._asking = self._asking, None
        came = await task
        where = f"{request.method} {request.path} was answered with {came}"
        assert shown.status == came.status, where
        for name, value in shown.headers.items():
            header = came.headers.get(name, "")
            assert self._likeness.holds(value, header) or (name == "Retry-After" and 0 < int(header) <= 60), where
        assert self._likeness.holds(shown.body, came.body), where

    async def _waited_for(self) -> str:
        """The id of the transfer that the request waits for, when it does; empty if there is no request."""
        if self._asking is None:
            return ""
        (transfer_id,) = re.findall(r"tr_\w+", self._likeness.here(self._asking[0].path))
        await self._served.until_dialled(transfer_id)
        await self._served.store.until_waiting(transfer_id, 1)
        return str(transfer_id)

    async def _let_happen(self, what: str, transfer_id: str) -> None:
        served = self._served
        match what:
            case "the phone rings":
                await served.report(transfer_id, PhoneRang())
            case "the agent answers, and both are heard":
                await served.coordinator.answer(transfer_id, "twilio", stream=0, call_id="CA1")
                served.bridges.of(transfer_id).connect("CA1")
            case "the agent hangs up":
                await served.report(transfer_id, PhoneEnded(Reason.AGENT_HUNG_UP))
            case "the key's transfers of the minute are used up":
                settings, key_id = served.services.settings, digest(self._key)[:8]
                per_minute, per_day = settings.transfers_per_minute, settings.transfers_per_day
                while await served.store.take_allowance(key_id, per_minute=per_minute, per_day=per_day) is None:
                    pass
            case _:
                raise ValueError(f"{what}: expected something that can be made to happen")


def test_the_tables_are_those_of_the_code() -> None:
    assert with_blocks(PAGE, write_api_tables.blocks()) == PAGE, "run: python scripts/write_api_tables.py --write"


def test_every_exchange_happens_as_it_is_shown(run_served: RunServed, tmp_path: Path) -> None:
    settings = configured(tmp_path)

    async def scenario(served: Served) -> None:
        play = Play(served, settings.api_keys[0].key.get_secret_value())
        for item in items(PAGE):
            await play.go_through(item)

    run_served(scenario, settings, CoordinatorSettings(transfers_per_minute=settings.transfers_per_minute))


def test_each_request_needs_the_scope_that_the_page_says(run_served: RunServed) -> None:
    rows = re.findall(r"^\| `(GET|POST|DELETE) (/\S+)` \| `?(\w+)`? \|$", PAGE, re.MULTILINE)

    async def scenario(served: Served) -> None:
        for method, path, scope in rows:
            allowed = {"admin", scope} if scope != "none" else set(KEYS)
            for name, key in KEYS.items():
                reply = await served.ask(method, path.replace("{transfer_id}", NOBODY), key=key)
                assert (reply.status not in (401, 403)) == (name in allowed), f"{method} {path} with {name}"
        shown = {(method.lower(), path) for method, path, _ in rows}
        document = (await served.ask("GET", "/openapi.json")).json
        assert shown == {(method, path) for path, methods in document["paths"].items() for method in methods}

    run_served(scenario)
