"""Transfers that come to no talk: nobody answers, nobody accepts, or nobody waits any longer."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Final

from relay.client import Reason, State
from relay.dev.carrier_outcomes import BUSY, INVALID_NUMBER, NO_ANSWER, NO_SUCH_NUMBER, REJECTED, Answers, Outcome
from relay.dev.demo.evidence import Direction
from relay.dev.demo.expectations import Expectation, dials, ends, passes, phone_hung_up, streams, unheard
from relay.dev.demo.scenario import Scenario
from relay.dev.demo.steps import (
    BOT_CANCELS,
    CUSTOMER_LEAVES,
    agent_presses,
    bot_asks,
    bot_cancels,
    bot_hears_why,
    customer_leaves,
    let_pass,
    until,
    until_it_rings,
    voicemail_answers,
)

RING_TIMEOUT_S: Final = 5.0  # the shortest there is
PICKS_UP: Final = Outcome(callee=Answers(after_s=0.5))
RINGS_LONG: Final = Outcome(callee=Answers(after_s=20.0))

KEPT_APART: Final[tuple[Expectation, ...]] = (
    passes(State.REQUESTED, State.DIALING, State.RINGING, State.ANSWERED, State.FAILED),
    dials(),
    unheard(Direction.AGENT_TO_ROOM),
    unheard(Direction.ROOM_TO_AGENT),
)

CARRIER_REFUSES: Final = Scenario(
    name="invalid-number",
    line="the carrier refuses the number: nothing is dialled",
    outcome=INVALID_NUMBER,
    steps=(bot_asks(), bot_hears_why),
    expects=(
        ends(State.FAILED, Reason.INVALID_NUMBER),
        passes(State.REQUESTED, State.DIALING, State.FAILED),
        dials(calls=0),
    ),
)
CUSTOMER_LEAVES_EARLY: Final = Scenario(
    name="customer-leaves",
    line="the customer leaves while it rings: the phone stops ringing at once",
    outcome=RINGS_LONG,
    steps=(bot_asks(), until_it_rings, let_pass(1.5), customer_leaves),
    expects=(
        ends(State.CANCELED, Reason.CUSTOMER_LEFT),
        phone_hung_up(CUSTOMER_LEAVES, within_s=1.0),
        dials(),
    ),
)
CANCELED_EARLY: Final = Scenario(
    name="canceled",
    line="the bot cancels while it rings: the phone stops ringing at once",
    outcome=RINGS_LONG,
    steps=(bot_asks(), until_it_rings, let_pass(1.0), bot_cancels),
    expects=(
        ends(State.CANCELED, Reason.CANCELED_BY_API),
        phone_hung_up(BOT_CANCELS, within_s=1.0),
        dials(),
    ),
)


def _rings_on(scenario: Scenario, reason: Reason, why: str) -> Scenario:
    """With a carrier that cannot end a call that rings: relay closes its stream when it is answered, which ends it."""
    return replace(
        scenario,
        line=f"{why} while it rings: this carrier rings on, and whoever picks up then is hung up on at once",
        outcome=Outcome(callee=Answers(after_s=4.0)),
        expects=(ends(State.CANCELED, reason), streams(1), dials()),
    )


def _number_fails(line: str, reason: Reason) -> Scenario:
    """With a carrier that takes the dial of a number that is none."""
    return replace(CARRIER_REFUSES, line=line, outcome=NO_SUCH_NUMBER, expects=(ends(State.FAILED, reason), dials()))


UNANSWERED: Final = (
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
    replace(
        CARRIER_REFUSES,
        without=MappingProxyType(
            {
                "tells_why": _number_fails(
                    "the number does not exist: the call fails, and this carrier does not say why", Reason.REJECTED
                ),
                "refuses_numbers": _number_fails(
                    "the number does not exist: this carrier takes the dial, and says so of the call",
                    Reason.INVALID_NUMBER,
                ),
            }
        ),
    ),
    Scenario(
        name="declined",
        line="the agent is asked to press 1, and presses 2: customer and agent never hear each other",
        outcome=PICKS_UP,
        steps=(bot_asks(accept="press_1"), until(State.ANSWERED), let_pass(1.0), agent_presses("2"), bot_hears_why),
        expects=(ends(State.FAILED, Reason.DECLINED), *KEPT_APART),
    ),
    Scenario(
        name="voicemail",
        line="a voicemail picks up, and nobody presses 1: the customer never hears it",
        outcome=PICKS_UP,
        steps=(bot_asks(accept="press_1"), voicemail_answers, bot_hears_why),
        expects=(ends(State.FAILED, Reason.VOICEMAIL), *KEPT_APART),
    ),
    replace(
        CUSTOMER_LEAVES_EARLY,
        without=MappingProxyType(
            {"stops_ringing": _rings_on(CUSTOMER_LEAVES_EARLY, Reason.CUSTOMER_LEFT, "the customer leaves")}
        ),
    ),
    replace(
        CANCELED_EARLY,
        without=MappingProxyType(
            {"stops_ringing": _rings_on(CANCELED_EARLY, Reason.CANCELED_BY_API, "the bot cancels")}
        ),
    ),
)
