"""The scenarios that ``relay demo`` plays."""

from __future__ import annotations

from typing import Final

from relay.client import Event, Reason, State
from relay.dev.carrier_outcomes import BUSY, INVALID_NUMBER, NO_ANSWER, REJECTED, Answers, LosesReply, Outcome, Refuses
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
    unheard,
)
from relay.dev.demo.scenario import Scenario
from relay.dev.demo.stage import CUSTOMER_GRACE_S
from relay.dev.demo.steps import (
    AUDIO_BACK,
    BOT_CANCELS,
    CUSTOMER_LEAVES,
    STALL_ENDS,
    agent_hangs_up,
    agent_presses,
    bot_asks,
    bot_asks_again,
    bot_cancels,
    bot_comes_back,
    bot_hands_over,
    bot_hears_why,
    customer_leaves,
    let_pass,
    media_drops,
    network_stalls,
    until,
    voicemail_answers,
)

RING_TIMEOUT_S: Final = 5.0  # the shortest there is

PICKS_UP: Final = Answers(after_s=1.5)
PICKS_UP_SOON: Final = Answers(after_s=0.5)
RINGS_LONG: Final = Answers(after_s=20.0)

REACHED: Final = (State.REQUESTED, State.DIALING, State.RINGING, State.ANSWERED)
BOTH_HEARD: Final[tuple[Expectation, ...]] = (heard(Direction.AGENT_TO_ROOM), heard(Direction.ROOM_TO_AGENT))
TALKED: Final[tuple[Expectation, ...]] = (passes(*REACHED, State.JOINED, State.DISCONNECTED), *BOTH_HEARD)
KEPT_APART: Final[tuple[Expectation, ...]] = (
    passes(*REACHED, State.FAILED),
    dials(),
    unheard(Direction.AGENT_TO_ROOM),
    unheard(Direction.ROOM_TO_AGENT),
)
CUSTOMER_HANGS_UP: Final[tuple[Expectation, ...]] = (
    ends(State.DISCONNECTED, Reason.CUSTOMER_LEFT),
    phone_hung_up(CUSTOMER_LEAVES, within_s=1.0 + CUSTOMER_GRACE_S),
)

SCENARIOS: Final = (
    Scenario(
        name="answered",
        line="an agent picks up, the bot leaves, customer and agent talk, the customer leaves",
        outcome=Outcome(callee=PICKS_UP),
        steps=(bot_asks(), bot_hands_over, let_pass(6.0), customer_leaves),
        expects=(*TALKED, *CUSTOMER_HANGS_UP, dials()),
    ),
    Scenario(
        name="busy",
        line="the agent's line is busy: the bot says so, and stays with the customer",
        outcome=BUSY,
        steps=(bot_asks(), bot_hears_why),
        expects=(ends(State.FAILED, Reason.BUSY), dials()),
    ),
    Scenario(
        name="no-answer",
        line="nobody picks up until the ring time-out of 5 s",
        outcome=NO_ANSWER,
        steps=(bot_asks(ring_timeout_s=RING_TIMEOUT_S), bot_hears_why),
        expects=(
            ends(State.FAILED, Reason.NO_ANSWER),
            passes(State.REQUESTED, State.DIALING, State.RINGING, State.FAILED),
            dials(),
        ),
    ),
    Scenario(
        name="rejected",
        line="the network rejects the call (SIP 603)",
        outcome=REJECTED,
        steps=(bot_asks(), bot_hears_why),
        expects=(ends(State.FAILED, Reason.REJECTED), dials()),
    ),
    Scenario(
        name="invalid-number",
        line="the carrier refuses the number (HTTP 400, code 21211): nothing is dialled",
        outcome=INVALID_NUMBER,
        steps=(bot_asks(), bot_hears_why),
        expects=(
            ends(State.FAILED, Reason.INVALID_NUMBER),
            passes(State.REQUESTED, State.DIALING, State.FAILED),
            dials(calls=0),
        ),
    ),
    Scenario(
        name="declined",
        line="the agent is asked to press 1, and presses 2: customer and agent never hear each other",
        outcome=Outcome(callee=PICKS_UP_SOON),
        steps=(bot_asks(accept="press_1"), until(State.ANSWERED), let_pass(1.0), agent_presses("2"), bot_hears_why),
        expects=(ends(State.FAILED, Reason.DECLINED), *KEPT_APART),
    ),
    Scenario(
        name="voicemail",
        line="a voicemail picks up, and nobody presses 1: the customer never hears it",
        outcome=Outcome(callee=PICKS_UP_SOON),
        steps=(bot_asks(accept="press_1"), voicemail_answers, bot_hears_why),
        expects=(ends(State.FAILED, Reason.VOICEMAIL), *KEPT_APART),
    ),
    Scenario(
        name="customer-leaves",
        line="the customer leaves while it rings: the phone stops ringing at once",
        outcome=Outcome(callee=RINGS_LONG),
        steps=(bot_asks(), until(State.RINGING), let_pass(1.5), customer_leaves),
        expects=(
            ends(State.CANCELED, Reason.CUSTOMER_LEFT),
            phone_hung_up(CUSTOMER_LEAVES, within_s=1.0),
            dials(),
        ),
    ),
    Scenario(
        name="customer-hangs-up",
        line="the customer leaves in the middle of the talk: the phone is hung up at once",
        outcome=Outcome(callee=PICKS_UP_SOON),
        steps=(bot_asks(), bot_hands_over, let_pass(2.0), customer_leaves),
        expects=(*TALKED, *CUSTOMER_HANGS_UP, dials()),
    ),
    Scenario(
        name="agent-hangs-up",
        line="the agent hangs up in the middle of the talk: the bot comes back to the customer",
        outcome=Outcome(callee=PICKS_UP_SOON),
        steps=(bot_asks(), bot_hands_over, let_pass(2.0), agent_hangs_up, bot_comes_back),
        expects=(*TALKED, ends(State.DISCONNECTED, Reason.AGENT_HUNG_UP), dials()),
    ),
    Scenario(
        name="canceled",
        line="the bot cancels while it rings: the phone stops ringing at once",
        outcome=Outcome(callee=RINGS_LONG),
        steps=(bot_asks(), until(State.RINGING), let_pass(1.0), bot_cancels),
        expects=(
            ends(State.CANCELED, Reason.CANCELED_BY_API),
            phone_hung_up(BOT_CANCELS, within_s=1.0),
            dials(),
        ),
    ),
    Scenario(
        name="stall",
        line="the network stands still for 2 s in the middle of the talk: soon the delay is what it was",
        outcome=Outcome(callee=PICKS_UP_SOON),
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
    ),
    Scenario(
        name="carrier-unclear",
        line="the carrier's answer to the dial is lost (TCP RST): nobody dials again, and the call goes on",
        outcome=Outcome(reply=LosesReply(), callee=PICKS_UP_SOON),
        steps=(bot_asks(), bot_hands_over, let_pass(2.0), customer_leaves),
        expects=(*TALKED, *CUSTOMER_HANGS_UP, dials()),
    ),
    Scenario(
        name="carrier-busy",
        line="the carrier answers 429 twice: it is asked again, and the call goes on",
        outcome=Outcome(
            reply=Refuses(status=429, code=20429, message="Too many requests", retry_after_s=1, times=2),
            callee=PICKS_UP_SOON,
        ),
        steps=(bot_asks(), bot_hands_over, let_pass(2.0), customer_leaves),
        expects=(*TALKED, *CUSTOMER_HANGS_UP, dials(3, calls=1)),
    ),
    Scenario(
        name="double-trigger",
        line="the bot asks three times, with one key and with another: there is one call, and 409 for the other key",
        outcome=Outcome(callee=PICKS_UP_SOON),
        steps=(bot_asks(), bot_asks_again, bot_hands_over, let_pass(2.0), customer_leaves),
        expects=(*TALKED, *CUSTOMER_HANGS_UP, one_transfer, dials()),
    ),
)

BY_NAME: Final = {scenario.name: scenario for scenario in SCENARIOS}
DEFAULT: Final = SCENARIOS[0].name
