"""
A Pipecat bot that hands its customer over to a person on the phone.

Copy everything from `Call` to `say_why_not` into your bot; `run_bot` shows where it goes. Written for Pipecat 1.14.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.frames.frames import EndWorkerFrame, FunctionCallResultProperties, LLMRunFrame, TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.services.llm_service import FunctionCallParams, LLMService
from pipecat.workers.runner import WorkerRunner

from relay.client import ClientError, Conflict, RelayClient, State, TransferView

AFTER_THE_RINGING_S: Final = 60 + 120 + 20
"""The most that relay lets pass after the ringing, until the agent is heard: stream, acceptance, both heard."""
BOT_NAME: Final = "Bot"
INSTRUCTIONS: Final = """You are a friendly assistant on a phone call. Answer in one or two short sentences.
When the customer asks for a person, call connect_to_live_agent."""


@dataclass
class Call:
    """What the tool must know of the call it is in: given to the worker as `app_resources`."""

    relay: RelayClient
    room_url: str
    bot_id: str = BOT_NAME
    """Which participant the bot is, by id or name: else relay takes it for a customer who has stayed."""

    def learn_bot_id(self, transport: Any) -> None:
        """Go by the id as soon as there is one: `DailyTransport.participant_id` stays empty in Pipecat 1.14."""

        async def joined(_: Any, data: dict[str, Any]) -> None:
            self.bot_id = data["participants"]["local"]["id"]

        transport.add_event_handler("on_joined", joined)


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
            bot_id=call.bot_id,
            # The same tool call never rings twice. With the room, as some models number their calls in each of them.
            idempotency_key=f"{call.room_url}#{params.tool_call_id}",
        )
        await params.llm.push_frame(TTSSpeakFrame("One moment please, I am calling a colleague."))
        transfer = await until_joined(call.relay, transfer)
    except Conflict as error:  # an agent may come any moment, so nothing else is offered
        await say_why_not(params, error.sentence, then="Keep the customer company until somebody comes. Call nobody.")
        return
    except ClientError as error:
        await say_why_not(params, error.sentence, then=offer(retryable=error.retryable))
        return
    if transfer.state is not State.JOINED:
        await say_why_not(params, transfer.sentence, then=offer(retryable=transfer.retryable))
        return
    # They are talking to each other now: the bot says nothing more, and leaves.
    await params.result_callback({"connected": True}, properties=FunctionCallResultProperties(run_llm=False))
    await params.llm.push_frame(EndWorkerFrame(reason="a live agent has joined"))


async def until_joined(relay: RelayClient, asked: TransferView) -> TransferView:
    """The transfer once the agent can be heard, or it is over. Relay gives up by itself before this wait does."""
    timeout_s = asked.ring_timeout_s + AFTER_THE_RINGING_S
    try:
        return await relay.wait(asked.transfer_id, until=State.JOINED, timeout_s=timeout_s)
    except ClientError:
        with suppress(ClientError):  # the customer is told that nobody comes: then nobody should
            await relay.cancel(asked.transfer_id)
        raise


def offer(*, retryable: bool | None) -> str:
    """What the model does after it has told the customer that nobody came."""
    return f"Offer {'to try again, or ' if retryable else ''}to take a message. Call nobody unasked."


async def say_why_not(params: FunctionCallParams, sentence: str | None, *, then: str) -> None:
    """Let the model tell the customer, who is still on the line, and go on."""
    await params.result_callback({"connected": False, "tell_the_customer": sentence, "then": then})


async def run_bot(room_url: str, token: str | None = None) -> None:
    """Run one call, to its end or to the agent's arrival."""
    # Here, and not above: these need extras of Pipecat (daily, deepgram, openai, cartesia). Use what your bot uses.
    from pipecat.audio.vad.silero import SileroVADAnalyzer
    from pipecat.services.cartesia.tts import CartesiaTTSService
    from pipecat.services.deepgram.stt import DeepgramSTTService
    from pipecat.services.openai.llm import OpenAILLMService
    from pipecat.transports.daily.transport import DailyParams, DailyTransport

    async with RelayClient(os.environ["BOT_RELAY_URL"], api_key=os.environ.get("BOT_RELAY_KEY")) as relay:
        transport = DailyTransport(
            room_url, token, BOT_NAME, DailyParams(audio_in_enabled=True, audio_out_enabled=True)
        )
        call = Call(relay, room_url)
        call.learn_bot_id(transport)
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
        worker = PipelineWorker(pipeline, app_resources=call)
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
