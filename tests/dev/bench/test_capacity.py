"""How many calls hold: a step that does not is measured once more, and both are told."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from relay.dev.bench import bridge, node
from relay.dev.bench.breaks import Breaks
from relay.dev.bench.phones import LoadError

STEP = 10
Found = list[tuple[int, bool]]


@dataclass(frozen=True)
class Result:
    calls: int
    holds: bool


def windows(said: str) -> Callable[[int], Result]:
    """Of each window in turn: + holds, - does not, ! breaks."""
    left = list(said)

    def measure(calls: int) -> Result:
        if (window := left.pop(0)) == "!":
            raise LoadError("the load has died")
        return Result(calls, holds=window == "+")

    return measure


def of_bridges(said: str, patch: pytest.MonkeyPatch) -> tuple[Found, list[str]]:
    measure, breaks = windows(said), Breaks(LoadError)
    patch.setattr(bridge, "measure", lambda setup: measure(setup.calls))
    found: Any = bridge.measure_capacity(bridge.Setup(1, 1.0), breaks, step=STEP, calls_max=3 * STEP)
    return [(each.calls, each.holds) for each in found], list(breaks.found)


def of_nodes(said: str, patch: pytest.MonkeyPatch) -> tuple[Found, list[str]]:
    one, breaks = windows(said), Breaks(LoadError)

    async def measure(setup: node.Setup) -> Result:
        return one(setup.calls)

    patch.setattr(node, "measure", measure)
    setups = [node.Setup(calls, 1.0, 1.0, ()) for calls in (STEP, 2 * STEP, 3 * STEP)]
    found: Any = asyncio.run(node.measure_capacity(setups, breaks))
    return [(each.calls, each.holds) for each in found], list(breaks.found)


@pytest.mark.parametrize("capacity", [of_bridges, of_nodes])
@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("+++", [(10, True), (20, True), (30, True)]),
        ("+-++", [(10, True), (20, False), (20, True), (30, True)]),
        ("+--", [(10, True), (20, False), (20, False)]),
        ("+-!", [(10, True), (20, False)]),
        ("+!", [(10, True)]),
        ("!", []),
    ],
)
def test_it_ends_with_what_breaks_or_does_not_hold_twice(
    capacity: Any, said: str, found: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured, broke = capacity(said, monkeypatch)
    assert measured == found
    assert len(broke) == said.count("!")
