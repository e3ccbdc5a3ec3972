"""How long, and how often, is asked of a simulated Asterisk what it does not do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

import pytest
import uvloop
from structlog.testing import capture_logs

from relay.app import ari_calls
from relay.app.ari_calls import AriCalls
from relay.app.carrier_urls import CarrierUrls
from relay.providers.asterisk_events import PhoneGone
from relay.providers.control import HttpReply, HttpRequest
from relay.transfers.coordinator import Coordinator
from relay.transfers.ports import PhoneReport
from tests.app.ari_case import STRANGER, Case, run_case
from tests.providers import asterisk_requests


@pytest.mark.parametrize("refused", ["join_media", "end_media"])
def test_media_that_are_refused_for_ever_are_tried_less_and_less_often_and_then_not_any_longer(
    store_url: str, refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused: list[float] = []

    async def pause(calls: AriCalls, call_id: str, pause_s: float, do: Callable[[], Awaitable[None]]) -> None:
        paused.append(pause_s)
        calls._in_turn(call_id, do)

    async def scenario(case: Case) -> None:
        monkeypatch.setattr(AriCalls, "_pause", pause)
        call_id = await case.dialled()
        join, media = f"bridges/{call_id}-bridge/addChannel", f"channels/{call_id}-media"
        case.ari.statuses |= {join: 500} if refused == "join_media" else {"channels/externalMedia": 500, media: 500}
        await case.ari.answer(call_id)
        tried, count = (("POST", join), 20) if refused == "join_media" else (("DELETE", media), 19)
        await case.ari.until_asked(*tried, count=count)
        await case.coordinator.cancel(call_id)
        await case.until_nothing_left()  # which comes after whatever was begun for the call before
        assert len(case.ari.asked(*tried)) == (count if refused == "join_media" else count + 1)
        assert paused == sorted(paused)
        assert (len(paused), paused[0], paused[-1]) == (19, 0.5, 15.0)
        first = "join_media" if refused == "join_media" else "open_media"
        lines = [(each["operation"], each["failures"]) for each in case.logged("ari_refused")]
        assert lines == [(first, 1), (refused, 20)]

    run_case(scenario, store_url)


class Deaf:
    """A coordinator that takes what it is told, and an Asterisk that takes requests and does not answer."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.is_asked = asyncio.Event()

    async def report(self, transfer_id: str, provider: str, report: PhoneReport) -> None:
        pass

    async def ask(self, operation: str, request: HttpRequest) -> HttpReply | None:  # noqa: ARG002
        self.asked.append(operation)
        self.is_asked.set()
        await asyncio.Event().wait()
        return None


def test_an_asterisk_that_does_not_answer_is_not_waited_for_when_relay_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(ari_calls, "CLOSE_TIMEOUT_S", 0.05)
        deaf = Deaf()
        calls = AriCalls(
            asterisk_requests.control(), deaf.ask, CarrierUrls("https://relay.example.com"), cast("Coordinator", deaf)
        )
        calls.take(PhoneGone(STRANGER, "Up", 16))
        await deaf.is_asked.wait()
        with capture_logs() as logs:
            async with asyncio.timeout(10):
                await calls.close()
        assert deaf.asked == ["end_media"] * 2
        assert [(each["event"], each["transfer_ids"]) for each in logs] == [("ari_media_left", [STRANGER])]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    uvloop.run(scenario())
