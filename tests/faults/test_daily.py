"""A Daily room that is private: with a token of relay's own, of the bot's, with a wrong one, and without any."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytest
from pydantic import SecretStr

from relay.dev.carrier_outcomes import Answers, Outcome, Rings
from relay.rooms.daily_token import meeting_token
from relay.transfers.reasons import Reason
from relay.transfers.states import State
from tests.faults import guarded_worker
from tests.faults.conftest import SetStage
from tests.faults.stage import AGENT_SAYS

SPEAKS = Outcome(callee=Answers(says=AGENT_SAYS))
RINGS = Outcome(callee=Rings())
GUARDED = (sys.executable, guarded_worker.__file__)
DOMAIN_ID = "30f866c3-9123-452a-8723-ff58322d09c5"
ROOM_URL = "https://example.daily.co/support-42"


def settings_with(key: str | None = None) -> dict[str, Any]:
    keys = {"daily_api_key": SecretStr(key), "daily_domain_id": DOMAIN_ID} if key is not None else {}
    return {"daily_domains": ("example",), **keys}


def bots_token(room_name: str = "support-42") -> str:
    return meeting_token(
        api_key=guarded_worker.KEY,
        domain_id=None,
        room_name=room_name,
        now_s=time.time(),
        lifetime_s=600,
        user_name="relay",
    )


@pytest.mark.parametrize("is_given", [False, True], ids=["made for it", "given by the bot"])
@pytest.mark.long
async def test_call_in_a_private_room_is_joined_with_a_token(set_stage: SetStage, is_given: bool) -> None:  # noqa: FBT001 - pytest's
    settings = settings_with(None if is_given else guarded_worker.KEY)
    async with set_stage(SPEAKS, worker=GUARDED, **settings) as stage:
        tokens: dict[str, Any] = {"room_token": bots_token()} if is_given else {}
        on = await stage.on_call(room_url=ROOM_URL, **tokens)
        on.phone.stop()
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)


@pytest.mark.parametrize("given", ["nothing", "another room's", "another key's"])
@pytest.mark.long
async def test_phone_stops_ringing_when_a_private_room_does_not_let_us_in(set_stage: SetStage, given: str) -> None:
    settings = settings_with("another-api-key-of-another-domain" if given == "another key's" else None)
    async with set_stage(RINGS, worker=GUARDED, **settings) as stage:
        tokens = {"room_token": bots_token("support-43")} if given == "another room's" else {}
        transfer_id = await stage.ask(room_url=ROOM_URL, **tokens)
        await stage.ended(transfer_id, State.FAILED, Reason.ROOM_DENIED)
        for token in tokens.values():
            assert token not in str([*stage.logs, *stage.worker_logs()])
