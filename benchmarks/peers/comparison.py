"""Owns the comparison: rounds in which every contender has its turn at every load, ratios round by round, verdicts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from benchmarks.peers.contenders import (
    CODEC,
    FLOOR,
    PIPECAT_BEST,
    PIPECAT_CALLS,
    PIPECAT_DEFAULT,
    RELAY,
    Contender,
    ready,
    rotated,
)
from benchmarks.peers.turn import Turn, take_turn
from relay.dev.bench.measure import Rounds

MANY_CALLS: Final = 300
"""From here on a wake-up serves several frames, and what a frame costs is what the program does."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All turns, by number of calls and name of the contender, one for each round."""

    turns: dict[int, dict[str, list[Turn]]]
    missing: dict[str, str] = field(default_factory=dict)
    """Why who is not here is not, by name."""


@dataclass(frozen=True, slots=True)
class Target:
    """What relay may cost of a rival's CPU per frame."""

    rival: str
    limit: float
    at: tuple[int, ...] = ()
    """Numbers of calls; without any, all from ``MANY_CALLS`` on."""

    def holds_at(self, calls: int) -> bool:
        return calls in self.at if self.at else calls >= MANY_CALLS


TARGETS: Final = (
    Target(FLOOR.name, 1.3),
    Target(CODEC.name, 0.75),
    Target(PIPECAT_DEFAULT.name, 1 / 6, at=(PIPECAT_CALLS,)),
    Target(PIPECAT_BEST.name, 1 / 6, at=(PIPECAT_CALLS,)),
)


def compare(calls: Sequence[int], *, rounds: int, seconds: float, contenders: Sequence[Contender]) -> Comparison:
    """
    Give every contender its turn at every load once a round, each round beginning with another.

    The rounds go over everything: what disturbs the machine for a minute touches one round of each.
    """
    commands, missing = ready(contenders)
    here = [contender for contender in contenders if contender in commands]
    turns: dict[int, dict[str, list[Turn]]] = {number: {} for number in calls}
    for by in range(rounds):
        for number in calls:
            for contender in rotated(here, by):
                if contender.takes_part_at(number):
                    print(f"round {by + 1} of {rounds}, {number} calls: {contender.name}", file=sys.stderr)
                    turn = take_turn(contender, commands[contender], number, seconds=seconds)
                    turns[number].setdefault(contender.name, []).append(turn)
    order = [contender.name for contender in contenders]
    in_order = {number: {name: by_name[name] for name in order if name in by_name} for number, by_name in turns.items()}
    return Comparison(in_order, missing)


def ratios(by_name: dict[str, list[Turn]], rival: str) -> list[float | None]:
    """
    What relay's CPU per frame is of a rival's, round by round; None: one of them did not carry the load in that round.

    What a server that has collapsed costs is no measure of anything.
    """
    pairs = zip(by_name.get(RELAY.name, ()), by_name.get(rival, ()), strict=False)
    return [None if ours.collapsed or theirs.collapsed else ours.cpu_us / theirs.cpu_us for ours, theirs in pairs]


def ratio(by_name: dict[str, list[Turn]], rival: str) -> Rounds | None:
    """Of the rounds that have a ratio; None: there is none."""
    measured = [each for each in ratios(by_name, rival) if each is not None]
    return Rounds.of(measured) if measured else None


def verdict(target: Target, calls: int, by_name: dict[str, list[Turn]]) -> str:
    """
    By the median of all rounds: "met", or by how much it is missed.

    "not carried": relay collapsed in one of them. "not measured": less than half of them have a ratio, or the load was
    the limit in one: the rounds that are left are those that had luck.
    """
    if not target.holds_at(calls):
        return "no target here"
    ours, theirs = by_name.get(RELAY.name, []), by_name.get(target.rival, [])
    if any(turn.collapsed for turn in ours):
        return "**not carried**"
    by_round = ratios(by_name, target.rival)
    measured = ratio(by_name, target.rival)
    is_few = 2 * by_round.count(None) > len(by_round)
    if measured is None or is_few or any(turn.load_limit for turn in (*ours, *theirs)):
        return "not measured"
    if measured.median <= target.limit:
        return "met"
    return f"**missed by {measured.median / target.limit - 1:.0%}**"
