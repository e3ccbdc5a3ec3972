"""The kinds of calls of a soak, and what the carrier makes of their numbers."""

import pytest

from relay.dev.bench.soak_kinds import BRIDGE, KINDS, MIX, Kind, outcome_of_number
from relay.dev.bench.soak_stand_ins import CarrierWatch, tone
from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_outcomes import Answers


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
