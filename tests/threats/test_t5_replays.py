"""T5: a recorded webhook that comes again, whenever it does, is as if it had come once."""

from __future__ import annotations

import random
from typing import Any, Final

import pytest

from relay.dev.carrier_call import EndedBy, SimulatedCall
from relay.dev.carrier_outcomes import ANSWERED, BUSY, Answers, Declines, Delivery, Detection, Outcome, Press
from relay.dev.carrier_webhooks import Kind, Webhook
from relay.transfers.states import State
from tests.threats.conftest import OnStage
from tests.threats.stage import Stage

pytestmark = pytest.mark.usefixtures("in_process")

COPIES: Final = 3
DETECTED: Final = Outcome(callee=Answers(detected=Detection("human")))
PRESSED: Final = Outcome(callee=Answers(presses=(Press("1", 0.1),)))
TWICE: Final = Outcome(delivery=Delivery(copies=2))
OUT_OF_ORDER: Final = Outcome(delivery=Delivery(order=(2, 1, 0)))
JOINED: Final = {
    "joined": (ANSWERED, {}),
    "a machine was looked for": (DETECTED, {"accept": "detection"}),
    "a key was pressed": (PRESSED, {"accept": "press_1"}),
    "webhooks come twice": (TWICE, {}),
    "webhooks come late": (OUT_OF_ORDER, {}),
}
UNJOINED: Final = {"busy": BUSY, "declined": Outcome(callee=Declines(status="failed", sip_code=603))}


class Replayer:
    """
    Somebody who has recorded all webhooks of a call, and sends them again.

    Args:
        stage: where.
        call: whose.
        seed: of which comes when.
    """

    def __init__(self, stage: Stage, call: SimulatedCall, *, seed: int) -> None:
        self._stage = stage
        self._call = call
        self._choose = random.Random(seed)
        self.answers: list[Webhook] = []

    async def replay_all(self) -> None:
        """Each webhook that there has been so far, in any order."""
        for webhook in self._choose.sample(self._call.webhooks, len(self._call.webhooks)):
            self.answers.append(await self._stage.carrier.replay(webhook))

    async def replay_until(self, state: State, transfer_id: str) -> None:
        """Any of the webhooks that there have been so far, again and again, until the transfer is there."""
        while (await self._stage.until(transfer_id, lambda _: True)).state is not state:
            await self._stage.carrier.until(lambda _: self._call.webhooks != [], "a webhook")
            self.answers.append(await self._stage.carrier.replay(self._choose.choice(self._call.webhooks)))


async def history(stage: Stage, transfer_id: str) -> list[Any]:
    events = await stage.service.services.store.events(transfer_id)
    return [(each.event, each.state, each.reason, dict(each.changes).keys()) for each in events]


@pytest.mark.parametrize("story", JOINED)
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 5))])
@pytest.mark.long
def test_t5_replayed_webhooks_change_nothing_of_a_call_that_was_joined(
    on_stage: OnStage, story: str, seed: int
) -> None:
    script, asked = JOINED[story]

    async def scenario(stage: Stage) -> None:
        plain_id, plain = await stage.joined(**asked)
        plain.hang_up()
        await stage.until_over(plain_id)
        expected = await history(stage, plain_id)
        await stage.until_settled()
        requests = stage.rest_requests()

        room_url = stage.room_url()
        await stage.enter(room_url)
        transfer_id, call = await stage.transfer(room_url=room_url, **asked)
        attacker = Replayer(stage, call, seed=seed)
        await attacker.replay_until(State.JOINED, transfer_id)
        assert call.phone is not None
        for _ in range(COPIES):
            await attacker.replay_all()
            await call.phone.until_heard(call.phone.frames_heard + 3)
        assert call.is_live
        assert [len(call.phones), len(stage.carrier.calls)] == [1, 2]
        assert stage.rest_requests() == requests + 1  # the dial
        assert (await stage.until(transfer_id, lambda _: True)).streams == 1
        call.hang_up()
        await stage.until_over(transfer_id)
        await stage.until_settled()
        record = await stage.record(transfer_id)
        for _ in range(COPIES):
            await attacker.replay_all()
        assert await stage.record(transfer_id) == record
        assert await history(stage, transfer_id) == expected
        assert call.hung_up_by is EndedBy.AGENT
        assert len(call.phones) == 1
        assert {each.reply_status for each in attacker.answers} <= {200, 204}
        late = [each.reply_body for each in attacker.answers[-len(call.webhooks) :] if each.kind is Kind.ANSWER]
        assert late
        assert all("<Hangup" in document and "<Stream" not in document for document in late)

    on_stage(scenario, script)


@pytest.mark.parametrize("story", UNJOINED)
@pytest.mark.long
def test_t5_replayed_webhooks_change_nothing_of_a_call_that_was_not(on_stage: OnStage, story: str) -> None:
    async def scenario(stage: Stage) -> None:
        plain_id, _ = await stage.transfer()
        await stage.until_over(plain_id)
        expected = await history(stage, plain_id)
        transfer_id, call = await stage.transfer()
        attacker = Replayer(stage, call, seed=1)
        await attacker.replay_until(State.FAILED, transfer_id)
        await stage.until_settled()
        record = await stage.record(transfer_id)
        for _ in range(COPIES):
            await attacker.replay_all()
        assert await stage.record(transfer_id) == record
        assert await history(stage, transfer_id) == expected
        assert stage.carrier.dials == 2

    on_stage(scenario, UNJOINED[story])


@pytest.mark.long
def test_t5_a_webhook_of_a_call_that_is_over_ends_no_other_call(on_stage: OnStage) -> None:
    """The same room and the same phone, a moment later."""

    async def scenario(stage: Stage) -> None:
        room_url = stage.room_url()
        await stage.enter(room_url)
        first_id, first = await stage.transfer(room_url=room_url)
        await stage.until(first_id, lambda transfer: transfer.state is State.JOINED)
        first.hang_up()
        await stage.until_over(first_id)
        await stage.until_settled()
        second_id, second = await stage.transfer(room_url=room_url)
        await stage.until(second_id, lambda transfer: transfer.state is State.JOINED)
        record = await stage.record(second_id)
        attacker = Replayer(stage, first, seed=1)
        for _ in range(COPIES):
            await attacker.replay_all()
        assert second.phone is not None
        await second.phone.until_heard(second.phone.frames_heard + 5)
        assert second.is_live
        assert await stage.record(second_id) == record

    on_stage(scenario)
