"""A Daily room that relay is put out of, or whose network is away: rows F20 and F21. The SDK is a stand-in."""

from __future__ import annotations

import os
import signal

import pytest

from relay.dev.carrier_outcomes import Answers, Outcome
from relay.dev.phone import SimulatedPhone
from relay.media.tones import NOTICE_DBFS, PROMPT_DBFS
from relay.transfers.reasons import Reason
from relay.transfers.states import State
from tests.faults.conftest import SetStage
from tests.faults.daily_worker import LOST_MS
from tests.faults.ears import Stopwatch, loudest_dbfs, notice_dbfs
from tests.faults.stage import AGENT_SAYS, DAILY_WORKER, worker_of

SPEAKS = Outcome(callee=Answers(says=AGENT_SAYS))
WELL = (*DAILY_WORKER, "well")
ROOM_URL = "https://example.daily.co/red"
PROMPT_HZ = 600
HUNG_UP_MS = 1000


async def test_f20_phone_is_hung_up_when_daily_puts_us_out(set_stage: SetStage) -> None:
    async with set_stage(SPEAKS, worker=WELL, daily_domains=("example",)) as stage:
        on = await stage.on_call(room_url=ROOM_URL)
        ejecting = Stopwatch()
        os.kill(worker_of(stage, on.transfer_id), signal.SIGHUP)
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.ROOM_ENDED, within_s=2)
        await on.call.until(lambda call: not call.is_live, "hung up", timeout_s=2)
        assert ejecting.hung_up_ms(on.call) < HUNG_UP_MS
        assert notice_dbfs(on.phone.heard.since(ejecting.began_ns)) == pytest.approx(NOTICE_DBFS, abs=3)


async def test_f21_agent_hears_a_prompt_while_the_network_is_away_and_the_call_goes_on(set_stage: SetStage) -> None:
    async with set_stage(SPEAKS, worker=WELL, daily_domains=("example",)) as stage:
        on = await stage.on_call(room_url=ROOM_URL)
        pid = worker_of(stage, on.transfer_id)
        away = Stopwatch()

        def is_prompted(phone: SimulatedPhone) -> bool:
            heard = phone.heard.since(away.began_ns)
            return heard.duration_ms >= 200 and loudest_dbfs(heard, PROMPT_HZ) > PROMPT_DBFS - 6

        os.kill(pid, signal.SIGUSR1)
        await on.phone.until(is_prompted, "the prompt", timeout_s=2)
        os.kill(pid, signal.SIGUSR2)
        await on.phone.until_said(len(on.phone.sent_ns) + LOST_MS // 20 + 50)
        assert (await stage.relay.get(on.transfer_id)).state is State.JOINED, "it would have been lost by now"
        assert [entry["event"] for entry in stage.worker_logs()].count("room_back") == 1
        on.phone.stop()
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)


@pytest.mark.long
async def test_f21_network_that_stays_away_ends_the_call(set_stage: SetStage) -> None:
    async with set_stage(SPEAKS, worker=WELL, daily_domains=("example",)) as stage:
        on = await stage.on_call(room_url=ROOM_URL)
        away = Stopwatch()
        os.kill(worker_of(stage, on.transfer_id), signal.SIGUSR1)
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.ROOM_LOST, within_s=LOST_MS / 1000 + 2)
        assert away.elapsed_ms >= LOST_MS
        await on.call.until(lambda call: not call.is_live, "hung up", timeout_s=2)
        assert away.hung_up_ms(on.call) < LOST_MS + HUNG_UP_MS
        assert notice_dbfs(on.phone.heard.since(away.began_ns)) == pytest.approx(NOTICE_DBFS, abs=3)
