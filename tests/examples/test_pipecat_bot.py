"""
The example's tool in a real Pipecat pipeline, with Pipecat's own OpenAI service.

Simulated: the model behind OpenAI's API, and relay's API, both over HTTP on loopback. No speech, no room.
"""

import asyncio
import json
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web

from relay.client import RelayClient
from tests.client.stand_in import TRANSFER_ID, Answer, StandIn, is_silent, refuses, run, says, stand_in, transfer_json
from tests.examples.stand_in_model import StandInModel, stand_in_model

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "'audioop' is deprecated", DeprecationWarning)  # Pipecat's own import
    pytest.importorskip("pipecat", reason="pipecat-ai is not installed (pip install pipecat-ai)")
    from pipecat.frames.frames import Frame, InterruptionFrame, LLMRunFrame, TTSSpeakFrame
    from pipecat.pipeline.pipeline import Pipeline
    from pipecat.pipeline.worker import PipelineWorker
    from pipecat.processors.aggregators.llm_context import LLMContext
    from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
    from pipecat.services.openai.llm import OpenAILLMService
    from pipecat.workers.runner import WorkerRunner

    from examples.pipecat_bot import AFTER_THE_RINGING_S, BOT_NAME, Call, end_with_the_customer, live_agent_tool

ROOM = "https://acme.daily.co/room"
POST, GET, DELETE = "POST /v1/transfers", f"GET /v1/transfers/{TRANSFER_ID}", f"DELETE /v1/transfers/{TRANSFER_ID}"
ACCEPTED = says(transfer_json(), 201)


@dataclass
class Stage:
    """A bot in a pipeline of its own, and what is around it."""

    relay: StandIn
    model: StandInModel
    worker: Any
    context: Any
    passed: list[Any]
    running: asyncio.Task[None]

    def spoken(self) -> list[str]:
        return [frame.text for frame in self.passed if isinstance(frame, TTSSpeakFrame)]

    async def has_left(self) -> None:
        """Wait until the pipeline has ended by itself."""
        await self.running

    async def interrupted(self) -> None:
        """The customer speaks: Pipecat cancels what may be cancelled."""
        await self.worker.queue_frames([InterruptionFrame()])
        await self.model.changes.until(
            lambda: any(isinstance(frame, InterruptionFrame) for frame in self.passed), "interruption", timeout_s=10
        )


@asynccontextmanager
async def bot(*, asked: Answer = ACCEPTED, waited: Answer) -> AsyncIterator[Stage]:
    """A bot whose model asks for `billing` at once."""
    async with (
        stand_in() as relay,
        stand_in_model("connect_to_live_agent", destination="billing") as model,
        RelayClient(relay.url, tries=1) as client,
    ):
        relay.on(POST, asked)
        relay.on(GET, waited)
        llm = OpenAILLMService(api_key="none", base_url=model.url)
        context = LLMContext(tools=[live_agent_tool(llm, ["billing", "support"])])
        aggregators = LLMContextAggregatorPair(context)
        pipeline = Pipeline([aggregators.user(), llm, aggregators.assistant()])
        worker = PipelineWorker(pipeline, app_resources=Call(client, ROOM))
        passed: list[Any] = []

        async def on_frame(_: Any, frame: Any) -> None:
            passed.append(frame)
            model.changes.changed()

        worker.set_reached_downstream_filter((Frame,))
        worker.add_event_handler("on_frame_reached_downstream", on_frame)
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        running = asyncio.create_task(runner.run())
        await worker.queue_frames([LLMRunFrame()])
        try:
            yield Stage(relay, model, worker, context, passed, running)
        finally:
            await worker.cancel()
            await running
            await llm._client.close()  # Pipecat leaves its connections open


def result_of(stage: Stage) -> Any:
    """The tool's result as the model was told it."""
    contents = [message.get("content") or "" for message in stage.context.get_messages()]
    results = [json.loads(content) for content in contents if "connected" in content]
    (result,) = [json.loads(each["result"]) if "result" in each else each for each in results]
    return result


def opened_by(gate: asyncio.Event, answer: Answer) -> Answer:
    """Answers once ``gate`` is open."""

    async def gated(request: web.Request) -> web.StreamResponse:
        await gate.wait()
        return await answer(request)

    return gated


def test_the_bot_says_that_it_calls_and_leaves_when_the_agent_is_there() -> None:
    async def scenario() -> None:
        async with bot(waited=says(transfer_json("joined"))) as stage:
            await stage.has_left()
            assert stage.spoken() == ["One moment please, I am calling a colleague."]
            assert result_of(stage) == {"connected": True}
            assert len(stage.model.requests) == 1, "it speaks no more once the agent is there"

    run(scenario())


def test_relay_is_asked_for_this_room_with_the_tool_calls_id() -> None:
    """F34: a call that comes again, whoever repeats it, does not ring twice."""

    async def scenario() -> None:
        async with bot(waited=says(transfer_json("joined"))) as stage:
            await stage.has_left()
            assert stage.relay.keys() == [f"{ROOM}#call_1"]
            assert stage.relay.asked[0].body == {"room_url": ROOM, "destination": "billing", "bot_id": BOT_NAME}

    run(scenario())


def test_the_model_may_ask_for_known_names_only() -> None:
    async def scenario() -> None:
        async with bot(waited=says(transfer_json("joined"))) as stage:
            await stage.has_left()
            (tool,) = stage.model.requests[0]["tools"]
            assert tool["function"]["parameters"]["properties"]["destination"]["enum"] == ["billing", "support"]

    run(scenario())


def test_a_customer_who_speaks_while_it_rings_does_not_cancel_the_call() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()
        async with bot(waited=opened_by(gate, says(transfer_json("joined")))) as stage:
            await stage.relay.was_asked(GET)
            await stage.interrupted()
            gate.set()
            await stage.has_left()
            assert result_of(stage) == {"connected": True}

    run(scenario())


@pytest.mark.parametrize(
    ("retryable", "offer"), [(True, "to try again, or to take"), (False, "Offer to take a message")]
)
def test_the_model_gets_the_reasons_sentence_and_what_to_offer(offer: str, *, retryable: bool) -> None:
    failed = transfer_json("failed", reason="busy", retryable=retryable, sentence="I'm sorry, the line is busy.")

    async def scenario() -> None:
        async with bot(waited=says(failed)) as stage:
            await stage.model.was_asked(2)
            result = result_of(stage)
            assert (result["connected"], result["tell_the_customer"]) == (False, "I'm sorry, the line is busy.")
            assert offer in result["then"]
            assert "I'm sorry, the line is busy." in stage.model.heard(1)
            assert not stage.running.done(), "the customer is still there"

    run(scenario())


def test_a_call_that_is_over_at_once_is_no_reason_to_leave() -> None:
    over = transfer_json("disconnected", reason="agent_hung_up", retryable=False, sentence="They have hung up.")

    async def scenario() -> None:
        async with bot(waited=says(over)) as stage:
            await stage.model.was_asked(2)
            assert result_of(stage)["tell_the_customer"] == "They have hung up."

    run(scenario())


@pytest.mark.parametrize("canceled", [says(transfer_json("canceled")), refuses(500, "internal-error")])
@pytest.mark.parametrize("waited", [is_silent, refuses(404, "not-found")], ids=["timed out", "refused"])
def test_who_is_not_waited_for_any_longer_is_not_called_any_longer(waited: Answer, canceled: Answer) -> None:
    """The customer is told that nobody comes, so nobody may come later."""
    timeout_s = 0.3
    accepted = says(transfer_json(ring_timeout_s=timeout_s - AFTER_THE_RINGING_S), 201)

    async def scenario() -> None:
        async with bot(asked=accepted, waited=waited) as stage:
            stage.relay.on(DELETE, canceled)
            await stage.model.was_asked(2)
            assert [asked.line for asked in stage.relay.asked] == [POST, GET, DELETE]
            assert result_of(stage)["tell_the_customer"].startswith("I'm sorry")

    run(scenario())


def test_while_an_agent_is_being_called_nothing_else_is_offered() -> None:
    async def scenario() -> None:
        async with bot(asked=refuses(409, "transfer-conflict", transfer_id="tr_live"), waited=says({})) as stage:
            await stage.model.was_asked(2)
            result = result_of(stage)
            assert result["tell_the_customer"] == "I am already calling someone for you."
            assert "Offer" not in result["then"]
            assert [asked.line for asked in stage.relay.asked] == [POST], "the live transfer is another's"

    run(scenario())


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (refuses(503, "overloaded"), "I'm sorry, all lines are busy right now."),
        (refuses(409, "transfer-conflict", transfer_id="tr_live"), "I am already calling someone for you."),
        (refuses(422, "invalid-request"), "I'm sorry, a technical problem kept me from connecting you."),
    ],
)
def test_a_relay_that_refuses_leaves_the_customer_with_the_bot(asked: Answer, sentence: str) -> None:
    async def scenario() -> None:
        async with bot(asked=asked, waited=says({})) as stage:
            await stage.model.was_asked(2)
            assert result_of(stage)["tell_the_customer"] == sentence
            assert stage.spoken() == [], "nothing rings, so nothing is announced"

    run(scenario())


class Transport:
    """Stands in for the transport's events: a room needs an account."""

    def __init__(self) -> None:
        self.handlers: dict[str, Any] = {}

    def add_event_handler(self, name: str, handler: Any) -> None:
        self.handlers[name] = handler


def test_the_bot_says_which_participant_it_is_once_it_has_an_id() -> None:
    async def scenario() -> None:
        async with RelayClient("http://127.0.0.1:9") as relay:
            call, transport = Call(relay, ROOM), Transport()
            call.learn_bot_id(transport)
            assert call.bot_id == BOT_NAME
            await transport.handlers["on_joined"](transport, {"participants": {"local": {"id": "p-1"}}})
            assert call.bot_id == "p-1"

    run(scenario())


def test_the_bot_ends_with_the_customer_and_not_with_relay() -> None:
    """Relay joins the room to call, and leaves it when nobody answers."""

    async def scenario() -> None:
        gate = asyncio.Event()
        async with bot(waited=opened_by(gate, says(transfer_json("joined")))) as stage:
            transport = Transport()
            end_with_the_customer(transport, stage.worker)
            await transport.handlers["on_first_participant_joined"](transport, {"id": "customer"})
            await transport.handlers["on_participant_left"](transport, {"id": "relay"}, "leftCall")
            assert not stage.worker.has_finished()
            await transport.handlers["on_participant_left"](transport, {"id": "customer"}, "leftCall")
            await stage.has_left()
            gate.set()

    run(scenario())
