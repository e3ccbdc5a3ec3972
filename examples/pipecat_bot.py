"""
A Pipecat bot that hands its customer over to a person on the phone.

Copy `connect_to_live_agent`, `live_agent_tool` and `Call` into your bot; `run_bot` shows where they go. Written for
Pipecat 1.14.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.frames.frames import EndWorkerFrame, FunctionCallResultProperties, LLMRunFrame, TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.services.llm_service import FunctionCallParams, LLMService
from pipecat.workers.runner import WorkerRunner

from relay.client import ClientError, RelayClient, State

INSTRUCTIONS = """You are a friendly assistant on a phone call. Answer in one or two short sentences.
When the customer asks for a person, call connect_to_live_agent."""


@dataclass(frozen=True)
class Call:
    """What the tool must know of the call it is in: given to the worker as `app_resources`."""

    relay: RelayClient
    room_url: str


def live_agent_tool(llm: LLMService[Any], destinations: Sequence[str]) -> FunctionSchema:
    """Give the model the tool, and the names that it may call: relay knows them, and their phone numbers."""
    tool = FunctionSchema(
        name="connect_to_live_agent",
        description="Call a person and bring them into this conversation.",
        properties={"destination": {"type": "string", "enum": list(destinations)}},
        required=["destination"],
    )
    # Customers talk while the phone rings: that must not cancel the call.
    llm.register_function(tool.name, connect_to_live_agent, cancel_on_interruption=False)
    return tool


async def connect_to_live_agent(params: FunctionCallParams) -> None:
    """Ask relay for a person; leave when they can be heard, or say why nobody came."""
    call: Call = params.app_resources
    try:
        transfer = await call.relay.transfer(
            room_url=call.room_url,
            destination=params.arguments.get("destination"),
            # The same tool call never rings twice. With the room, as some models number their calls in each of them.
            idempotency_key=f"{call.room_url}#{params.tool_call_id}",
        )
        await params.llm.push_frame(TTSSpeakFrame("One moment please, I am calling a colleague."))
        # Relay gives up by itself before this wait does.
        timeout_s = transfer.ring_timeout_s + 60
        transfer = await call.relay.wait(transfer.transfer_id, until=State.JOINED, timeout_s=timeout_s)
    except ClientError as error:
        await say_why_not(params, error.sentence, retryable=error.retryable)
        return
    if transfer.state is not State.JOINED:
        await say_why_not(params, transfer.sentence, retryable=transfer.retryable)
        return
    # They are talking to each other now: the bot says nothing more, and leaves.
    await params.result_callback({"connected": True}, properties=FunctionCallResultProperties(run_llm=False))
    await params.llm.push_frame(EndWorkerFrame(reason="a live agent has joined"))


async def say_why_not(params: FunctionCallParams, sentence: str | None, *, retryable: bool | None) -> None:
    """Let the model tell the customer, who is still on the line, and go on."""
    offer = "to try again, or to take a message" if retryable else "to take a message"
    await params.result_callback(
        {"connected": False, "tell_the_customer": sentence, "then": f"Offer {offer}. Call nobody unasked."}
    )


async def run_bot(room_url: str, token: str | None = None) -> None:
    """Run one call, to its end or to the agent's arrival."""
    # Here, and not above: these need extras of Pipecat (daily, deepgram, openai, cartesia). Use what your bot uses.
    from pipecat.audio.vad.silero import SileroVADAnalyzer
    from pipecat.services.cartesia.tts import CartesiaTTSService
    from pipecat.services.deepgram.stt import DeepgramSTTService
    from pipecat.services.openai.llm import OpenAILLMService
    from pipecat.transports.daily.transport import DailyParams, DailyTransport

    async with RelayClient(os.environ["BOT_RELAY_URL"], api_key=os.environ.get("BOT_RELAY_KEY")) as relay:
        transport = DailyTransport(room_url, token, "Bot", DailyParams(audio_in_enabled=True, audio_out_enabled=True))
        llm = OpenAILLMService(
            api_key=os.environ["OPENAI_API_KEY"],
            settings=OpenAILLMService.Settings(system_instruction=INSTRUCTIONS),
        )
        tool = live_agent_tool(llm, [destination.name for destination in await relay.destinations()])
        aggregators = LLMContextAggregatorPair(
            LLMContext(tools=[tool]), user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer())
        )
        pipeline = Pipeline(
            [
                transport.input(),
                DeepgramSTTService(api_key=os.environ["DEEPGRAM_API_KEY"]),
                aggregators.user(),
                llm,
                CartesiaTTSService(
                    api_key=os.environ["CARTESIA_API_KEY"],
                    settings=CartesiaTTSService.Settings(voice=os.environ["CARTESIA_VOICE"]),
                ),
                transport.output(),
                aggregators.assistant(),
            ]
        )
        worker = PipelineWorker(pipeline, app_resources=Call(relay, room_url))
        end_with_the_customer(transport, worker)
        runner = WorkerRunner()
        await runner.add_workers(worker)
        await runner.run()


def end_with_the_customer(transport: Any, worker: PipelineWorker) -> None:
    """Begin and end with the customer: others come and go, such as relay with each phone call."""
    customer: list[str] = []

    async def first_joined(_: Any, participant: dict[str, Any]) -> None:
        customer.append(participant["id"])
        await worker.queue_frames([LLMRunFrame()])

    async def left(_: Any, participant: dict[str, Any], __: str) -> None:
        if participant["id"] in customer:
            await worker.cancel()

    transport.add_event_handler("on_first_participant_joined", first_joined)
    transport.add_event_handler("on_participant_left", left)


if __name__ == "__main__":
    asyncio.run(run_bot(*sys.argv[1:]))
