"""How long, and how often, is asked of a simulated Asterisk what it does not do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from relay.app.ari_calls import AriCalls
from tests.app.ari_case import Case, run_case


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
