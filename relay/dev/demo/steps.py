"""What the people of a scenario do, each a small step on the stage, and what the network does to them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from relay.client import Conflict, Event, State, TransferView
from relay.client.client import Accept
from relay.dev.demo.evidence import AskedAgain, Span
from relay.dev.demo.people import DESTINATION, WAIT_S
from relay.dev.demo.stage import Stage
from relay.dev.demo.timeline import Who
from relay.dev.phone import HangUp

Step: TypeAlias = Callable[[Stage], Awaitable[None]]

CUSTOMER_LEAVES: Final = "the customer leaving"
BOT_CANCELS: Final = "the bot's cancelling"
STALL_ENDS: Final = "the stall"
AUDIO_BACK: Final = "the audio being back"
MEDIA_LOST: Final = "the media stream being lost"

# The bot


def bot_asks(*, accept: Accept = "none", ring_timeout_s: float | None = None) -> Step:
    """Ask relay for a person, and follow what comes of it."""

    async def step(stage: Stage) -> None:
        stage.act(Who.BOT, f'asks relay for "{DESTINATION}": POST /v1/transfers')
        await stage.bot.ask(accept=accept, ring_timeout_s=ring_timeout_s)
        stage.follow()

    return step


def until(state: State) -> Step:
    """Wait for a state; another end than that ends the waiting too."""

    async def step(stage: Stage) -> None:
        await stage.bot.wait(state)

    return step


async def until_it_rings(stage: Stage) -> None:
    """Wait until it rings; with a carrier that does not tell, until it does there."""
    if stage.carrier.dialect.traits.tells_ringing:
        await stage.bot.wait(State.RINGING)
    call = await stage.carrier.until_call()
    await call.until(lambda call: call.status == "ringing", "ringing")


async def bot_hands_over(stage: Stage) -> None:
    """Wait until customer and agent hear each other, and leave; if they do not, say why, and stay."""
    view = await stage.bot.wait(State.JOINED)
    if view.state is State.JOINED:
        stage.act(Who.BOT, "leaves: it is not needed any longer")
        await stage.bot.leave()
    else:
        _say_why(stage, view)


async def bot_hears_why(stage: Stage) -> None:
    """Wait for the end, and say why to the customer."""
    _say_why(stage, await stage.bot.wait(State.DISCONNECTED))


async def bot_comes_back(stage: Stage) -> None:
    """Wait for the end of the call, come back, and say why: the customer is still there."""
    view = await stage.bot.wait(State.DISCONNECTED)
    await stage.bot.enter(why="comes back: the customer is still there")
    _say_why(stage, view)


async def bot_cancels(stage: Stage) -> None:
    """Want nobody any longer."""
    stage.act(Who.BOT, "wants nobody any longer: DELETE /v1/transfers/{id}", name=BOT_CANCELS)
    await stage.bot.cancel()


async def bot_asks_again(stage: Stage) -> None:
    """Ask twice more: with the key of the first time, and with another."""
    stage.act(Who.BOT, "asks again, with the same Idempotency-Key")
    again = await stage.bot.ask()
    stage.act(Who.BOT, "asks again, with another key")
    try:
        other = await stage.bot.ask(key="another")
    except Conflict as conflict:
        stage.asked_again = AskedAgain(again.transfer_id, conflict.status, conflict.transfer_id)
    else:
        stage.asked_again = AskedAgain(again.transfer_id, 201, other.transfer_id)


def _say_why(stage: Stage, view: TransferView) -> None:
    if view.sentence is not None:
        stage.act(Who.BOT, f'says: "{view.sentence}"')


# The customer and the agent


def let_pass(duration_s: float) -> Step:
    """Let time pass. Customer and agent talk all the time: so the delay can be seen at any time."""

    async def step(_: Stage) -> None:
        await asyncio.sleep(duration_s)

    return step


async def customer_leaves(stage: Stage) -> None:
    """Leave the room, for good."""
    stage.act(Who.CUSTOMER, "leaves the room", name=CUSTOMER_LEAVES)
    await stage.customer.leave()


def agent_presses(digit: str) -> Step:
    """Press a key."""

    async def step(stage: Stage) -> None:
        call = await stage.carrier.until_call()
        await call.until_phone()
        stage.act(Who.AGENT, f"presses {digit}")
        call.press(digit)

    return step


async def agent_hangs_up(stage: Stage) -> None:
    """Hang up."""
    if stage.call is not None:
        stage.act(Who.AGENT, "hangs up")
        stage.call.hang_up()


async def voicemail_answers(stage: Stage) -> None:
    """Say what happens: nobody presses a key."""
    await (await stage.carrier.until_call()).until_phone()
    stage.act(Who.AGENT, "is a voicemail: it talks, and presses nothing")


# The network


def network_stalls(duration_s: float) -> Step:
    """Let nothing pass between carrier and relay for so long; then comes all that was held back."""

    async def step(stage: Stage) -> None:
        phone = await (await stage.carrier.until_call()).until_phone()
        stage.act(Who.NETWORK, f"stalls between carrier and relay for {duration_s:g} s")
        began_s, sent = stage.timeline.now_s, len(phone.sent_ns)
        phone.stall(duration_s)
        await phone.until_said(sent + 1)  # it is written when the stall is over
        stage.act(Who.NETWORK, "carries on, and brings all that was held back", name=STALL_ENDS)
        stage.spans.append(Span("network stall", began_s, stage.timeline.now_s))

    return step


async def media_is_lost(stage: Stage) -> None:
    """Reset the media stream's connection: with this carrier, for good."""
    phone = await (await stage.carrier.until_call()).until_phone()
    stage.act(Who.NETWORK, "resets the media stream's connection (TCP RST)", name=MEDIA_LOST)
    phone.hang_up(HangUp.RESET)


async def media_drops(stage: Stage) -> None:
    """Reset the media stream's connection, and wait until the audio is back."""
    phone = await (await stage.carrier.until_call()).until_phone()
    stage.act(Who.NETWORK, "resets the media stream's connection (TCP RST)")
    began_s = stage.timeline.now_s
    phone.hang_up(HangUp.RESET)
    await stage.until_event(Event.MEDIA_BACK, timeout_s=WAIT_S)
    stage.acts[AUDIO_BACK] = stage.timeline.now_s
    stage.spans.append(Span("no media stream", began_s, stage.timeline.now_s))
