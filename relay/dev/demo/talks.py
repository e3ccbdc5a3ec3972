"""Transfers in which customer and agent talk, whatever comes between."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from relay.client import Event, Reason, State
from relay.dev.carrier_outcomes import Answers, LosesReply, Outcome, Refuses
from relay.dev.demo.evidence import Direction
from relay.dev.demo.expectations import (
    Expectation,
    dials,
    ends,
    happens,
    heard,
    heard_again,
    one_transfer,
    passes,
    phone_hung_up,
    streams,
)
from relay.dev.demo.scenario import Scenario
from relay.dev.demo.stage import CUSTOMER_GRACE_S
from relay.dev.demo.steps import (
    AUDIO_BACK,
    CUSTOMER_LEAVES,
    MEDIA_LOST,
    STALL_ENDS,
    agent_hangs_up,
    bot_asks,
    bot_asks_again,
    bot_comes_back,
    bot_hands_over,
    customer_leaves,
    let_pass,
    media_drops,
    media_is_lost,
    network_stalls,
)

PICKS_UP: Final = Answers(after_s=0.5)

TALKED: Final[tuple[Expectation, ...]] = (
    passes(State.REQUESTED, State.DIALING, State.RINGING, State.ANSWERED, State.JOINED, State.DISCONNECTED),
    heard(Direction.AGENT_TO_ROOM),
    heard(Direction.ROOM_TO_AGENT),
)
CUSTOMER_HANGS_UP: Final[tuple[Expectation, ...]] = (
    ends(State.DISCONNECTED, Reason.CUSTOMER_LEFT),
    phone_hung_up(CUSTOMER_LEAVES, within_s=1.0 + CUSTOMER_GRACE_S),
)

MEDIA_DOES_NOT_COME_BACK: Final = Scenario(
    name="media-drops",
    line="the media stream is reset: this carrier opens no other, relay hangs up, and the bot comes back",
    outcome=Outcome(callee=PICKS_UP),
    steps=(bot_asks(), bot_hands_over, let_pass(2.0), media_is_lost, bot_comes_back),
    expects=(
        *TALKED,
        ends(State.DISCONNECTED, Reason.MEDIA_LOST),
        phone_hung_up(MEDIA_LOST, within_s=2.0),
        streams(1),
        dials(),
    ),
)

TALKS: Final = (
    Scenario(
        name="answered",
        line="an agent picks up, the bot leaves, customer and agent talk, the customer leaves",
        outcome=Outcome(callee=Answers(after_s=1.5)),
        steps=(bot_asks(), bot_hands_over, let_pass(6.0), customer_leaves),
        expects=(*TALKED, *CUSTOMER_HANGS_UP, dials()),
    ),
    Scenario(
        name="customer-hangs-up",
        line="the customer leaves in the middle of the talk: the phone is hung up at once",
        outcome=Outcome(callee=PICKS_UP),
        steps=(bot_asks(), bot_hands_over, let_pass(2.0), customer_leaves),
        expects=(*TALKED, *CUSTOMER_HANGS_UP, dials()),
    ),
    Scenario(
        name="agent-hangs-up",
        line="the agent hangs up in the middle of the talk: the bot comes back to the customer",
        outcome=Outcome(callee=PICKS_UP),
        steps=(bot_asks(), bot_hands_over, let_pass(2.0), agent_hangs_up, bot_comes_back),
        expects=(*TALKED, ends(State.DISCONNECTED, Reason.AGENT_HUNG_UP), dials()),
    ),
    Scenario(
        name="stall",
        line="the network stands still for 2 s in the middle of the talk: soon the delay is what it was",
        outcome=Outcome(callee=PICKS_UP),
        steps=(bot_asks(), bot_hands_over, let_pass(2.0), network_stalls(2.0), let_pass(5.5), customer_leaves),
        expects=(
            *TALKED,
            *CUSTOMER_HANGS_UP,
            heard_again(Direction.AGENT_TO_ROOM, STALL_ENDS, within_s=3.0),
            heard_again(Direction.ROOM_TO_AGENT, STALL_ENDS, within_s=3.0),
            dials(),
        ),
    ),
    Scenario(
        name="media-drops",
        line="the media stream's connection is reset: the carrier comes back by its redirect, and so does the audio",
        outcome=Outcome(callee=Answers(after_s=0.5, reconnects=True)),
        steps=(bot_asks(), bot_hands_over, let_pass(2.0), media_drops, let_pass(4.0), customer_leaves),
        expects=(
            *TALKED,
            *CUSTOMER_HANGS_UP,
            happens(Event.MEDIA_LOST, Event.MEDIA_BACK),
            streams(2),
            heard_again(Direction.AGENT_TO_ROOM, AUDIO_BACK, within_s=1.0),
            heard_again(Direction.ROOM_TO_AGENT, AUDIO_BACK, within_s=1.0),
            dials(),
        ),
        without=MappingProxyType({"reopens": MEDIA_DOES_NOT_COME_BACK}),
    ),
    Scenario(
        name="carrier-unclear",
        line="the carrier's answer to the dial is lost (TCP RST): nobody dials again, and the call goes on",
        outcome=Outcome(reply=LosesReply(), callee=PICKS_UP),
        steps=(bot_asks(), bot_hands_over, let_pass(2.0), customer_leaves),
        expects=(*TALKED, *CUSTOMER_HANGS_UP, dials()),
    ),
    Scenario(
        name="carrier-busy",
        line="the carrier answers 429 twice: it is asked again, and the call goes on",
        outcome=Outcome(
            reply=Refuses(status=429, code=20429, message="Too many requests", retry_after_s=1, times=2),
            callee=PICKS_UP,
        ),
        steps=(bot_asks(), bot_hands_over, let_pass(2.0), customer_leaves),
        expects=(*TALKED, *CUSTOMER_HANGS_UP, dials(3, calls=1)),
    ),
    Scenario(
        name="double-trigger",
        line="the bot asks three times, with one key and with another: there is one call, and 409 for the other key",
        outcome=Outcome(callee=PICKS_UP),
        steps=(bot_asks(), bot_asks_again, bot_hands_over, let_pass(2.0), customer_leaves),
        expects=(*TALKED, *CUSTOMER_HANGS_UP, one_transfer, dials()),
    ),
)
