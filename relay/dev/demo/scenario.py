"""A scenario, as a value: what is dialled comes to, what everybody does, and what must be true at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from relay.dev.carrier_outcomes import Outcome
from relay.dev.carriers.dialect import Traits
from relay.dev.demo.evidence import Evidence
from relay.dev.demo.expectations import INVARIANTS, Check, Expectation
from relay.dev.demo.steps import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """
    One transfer.

    Args:
        name: as ``--scenario`` has it.
        line: what happens, in a line.
        outcome: what becomes of the number that is dialled.
        steps: what everybody does, one after the other.
        expects: what must be true at the end, beside what always must.
        limit_s: after so long it has not been played.
        without: what is played instead with a carrier that lacks a trait, by the trait's name.
    """

    name: str
    line: str
    outcome: Outcome
    steps: tuple[Step, ...]
    expects: tuple[Expectation, ...]
    limit_s: float = 40.0
    without: Mapping[str, Scenario] = field(default_factory=lambda: MappingProxyType({}))

    def with_carrier(self, traits: Traits) -> Scenario:
        """As it is played with a carrier that has these traits."""
        return next((other for trait, other in self.without.items() if not getattr(traits, trait)), self)

    def checked(self, evidence: Evidence) -> list[Check]:
        """Everything that must be true, and whether it is."""
        return [expectation(evidence) for expectation in (*INVARIANTS, *self.expects)]
