"""The kinds of calls of a soak, and what the carrier makes of their numbers."""

import time
from dataclasses import dataclass
from typing import Any

import pytest

from relay.dev.bench.soak_calls import Callers
from relay.dev.bench.soak_kinds import BRIDGE, KINDS, MIX, Kind, outcome_of_number
from relay.dev.bench.soak_stand_ins import CarrierWatch, tone
from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_outcomes import Answers
from relay.transfers.store import KEEP_S


def test_mix_has_every_kind_and_no_two_kinds_have_one_number() -> None:
    assert set(KINDS) <= set(MIX)
    assert len({kind.number for kind in (BRIDGE, *KINDS)}) == len(KINDS) + 1


@pytest.mark.parametrize("kind", [BRIDGE, *KINDS], ids=lambda kind: kind.name)
def test_number_has_the_outcome_of_its_kind_and_who_answers_talks(kind: Kind) -> None:
    outcome = outcome_of_number(kind.number, b"\1\2")
    assert type(outcome.callee) is type(kind.outcome.callee)
    assert outcome.reply == kind.outcome.reply
    if isinstance(outcome.callee, Answers):
        assert outcome.callee.says == b"\1\2"


def test_tone_is_a_second_that_can_be_said_again_and_again() -> None:
    assert len(tone(700, 8000)) == 16000
    assert tone(700, 8000)[:320] == tone(700, 8000)[320:640], "whole periods in a frame"


def test_carrier_that_has_had_no_call_has_seen_none() -> None:
    assert CarrierWatch(SimulatedCarrier()).seen() == {"live": 0, "over": {}, "violations": [], "bridges": {}}


@dataclass
class Stored:
    is_terminal: bool


def test_what_the_store_has_forgotten_was_over_for_as_long_as_it_keeps_it_or_is_left_open() -> None:
    nobody: Any = None
    callers = Callers(nobody, "", b"")
    now_s = time.monotonic()
    callers.over_s = {"over long ago": now_s - KEEP_S, "over just now": now_s - 100}
    found: list[tuple[str, Any]] = [(name, None) for name in (*callers.over_s, "never over")]
    found += [("is over", Stored(is_terminal=True)), ("goes on", Stored(is_terminal=False))]
    assert callers.left_open(found) == ["over just now", "never over", "goes on"]
