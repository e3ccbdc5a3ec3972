"""The scenarios that there are, and that each of them expects something of its own."""

import re

import pytest

from relay.dev.carriers.by_name import CARRIERS
from relay.dev.carriers.dialect import Traits
from relay.dev.demo.expectations import INVARIANTS
from relay.dev.demo.scenario import Scenario
from relay.dev.demo.scenarios import BY_NAME, DEFAULT, SCENARIOS
from tests.dev.demo.made_up import evidence

NAMES = (
    *("answered", "customer-hangs-up", "agent-hangs-up", "stall", "media-drops"),
    *("carrier-unclear", "carrier-busy", "double-trigger"),
    *("busy", "no-answer", "rejected", "invalid-number", "declined", "voicemail", "customer-leaves", "canceled"),
)


def test_the_scenarios_are_these() -> None:
    assert tuple(BY_NAME) == tuple(scenario.name for scenario in SCENARIOS) == NAMES
    assert DEFAULT == "answered"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_each_says_what_happens_in_a_line_and_expects_how_it_ends(scenario: Scenario) -> None:
    assert re.fullmatch(r"[^\n]{20,110}", scenario.line)
    assert not re.search("HTTP|code [0-9]", scenario.line), "that is one carrier's"
    checks = scenario.checked(evidence())
    assert len(checks) == len(INVARIANTS) + len(scenario.expects)
    assert any(check.what.startswith("it ends ") for check in checks)
    assert any(check.what.startswith("requests to dial") for check in checks)
    assert len({check.what for check in checks}) == len(checks)


VARIANTS = [(scenario, trait) for scenario in SCENARIOS for trait in scenario.without]


@pytest.mark.parametrize(("scenario", "trait"), VARIANTS, ids=lambda each: getattr(each, "name", each))
def test_a_scenario_is_another_with_a_carrier_that_lacks_a_trait(scenario: Scenario, trait: str) -> None:
    other = scenario.with_carrier(Traits(**{trait: False}))
    assert scenario.with_carrier(Traits()) is scenario
    assert other is scenario.without[trait]
    assert (other.name, other.without) == (scenario.name, {})
    assert other.line != scenario.line
    test_each_says_what_happens_in_a_line_and_expects_how_it_ends(other)


def test_there_is_a_carrier_that_lacks_each_trait() -> None:
    lacked = {trait for _, trait in VARIANTS}
    assert lacked == {"reopens", "tells_why", "refuses_numbers", "stops_ringing"}
    traits = [make().traits for make in CARRIERS.values()]
    assert all(any(not getattr(each, trait) for each in traits) for trait in lacked)
