"""Audio that does not come in its order, or twice, or late, or not at all: row F17."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest

from relay.dev.carrier_outcomes import Answers, Outcome
from relay.dev.phone import SimulatedPhone
from relay.dev.phone_stream import Send
from relay.transfers.reasons import Reason
from relay.transfers.states import State
from tests.faults.conftest import SetStage
from tests.faults.ears import SPOKEN_DBFS, loudest_dbfs
from tests.faults.stage import AGENT_HZ, AGENT_SAYS, Stage

FAULT = re.compile(r'relay_bridge_faults_total\{kind="(\w+)"\} ([0-9.]+)')


class Shuffler:
    """Sends every two frames in the wrong order, and some of them twice, too late or never."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._pair: list[bytes] = []
        self._late = b""
        self._count = 0

    def __call__(self, message: bytes, *, delay_ns: int = 0, written: Callable[[int], None] | None = None) -> None:
        if b'"event":"media"' not in message:
            self._send(message, delay_ns=delay_ns, written=written)
            return
        if written is not None:
            written(time.monotonic_ns())
        self._count += 1
        match self._count % 40:
            case 5:
                return  # lost
            case 10:
                self._late = message
                return
            case 30:
                self._send(self._late)
                self._send(message)
        self._pair.append(message)
        if len(self._pair) == 2:
            for each in reversed(self._pair):
                self._send(each)
            self._pair.clear()


def shuffle(phone: SimulatedPhone) -> None:
    phone._send_audio = Shuffler(phone._send_audio)


async def faults(stage: Stage) -> dict[str, float]:
    """What the service has counted."""
    async with stage.http.get(f"{stage.service.base_url}/metrics") as response:
        return {kind: float(count) for kind, count in FAULT.findall(await response.text())}


@pytest.mark.long
async def test_f17_audio_is_played_in_its_order_and_what_is_wrong_with_it_counted(set_stage: SetStage) -> None:
    async with set_stage(Outcome(callee=Answers(says=AGENT_SAYS))) as stage:
        on = await stage.on_call()
        shuffle(on.phone)
        await stage.customer.until_heard(25)
        since_ns = time.monotonic_ns()
        await on.phone.until_said(len(on.phone.sent_ns) + 45)
        level = loudest_dbfs(stage.customer.heard_since(since_ns), AGENT_HZ)
        assert level == pytest.approx(SPOKEN_DBFS, abs=3), "the resampler hears frames as they come, which costs 1.3 dB"
        on.phone.stop()
        await stage.ended(on.transfer_id, State.DISCONNECTED, Reason.AGENT_HUNG_UP)
        counted = await faults(stage)
        print(f"F17: {level:.1f} dBFS of {SPOKEN_DBFS:.1f}, {counted}")
        assert {"audio_lost", "audio_twice", "audio_late"} <= counted.keys()
