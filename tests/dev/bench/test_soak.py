"""
The soak as it is, for a minute, and with leaks that are planted: the same checks find them.

How fast this machine is says nothing here: memory may grow by more than in an hour, as code and caches are still coming
to their size, and calls may end otherwise when it is starved.
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import uvloop

from relay.dev.bench.service import BUSY_MACHINE
from relay.dev.bench.soak import Course, Plan, soak
from relay.dev.bench.soak_report import as_table, verdicts

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux's /proc"),
]
MINUTE = {"minutes": 1.0, "bridges": 3, "set_ups": 60}
GROWTH_MAX = 0.05
LEAKY = ("-m", "tests.dev.bench.leaky_service")
OF_THE_MACHINE = ("set-ups that ended as they should", "frames of the bridges", "errors in the service's log")


def soaked(out: Path, command: Sequence[str], **plan: float) -> tuple[list[str], Course]:
    """What fails, but for what a slow machine is to blame for."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        course = runner.run(soak(Plan(out=out, command=command, calls_per_worker=16, **plan)))  # type: ignore[arg-type]
    found = verdicts(course, growth_max=GROWTH_MAX)
    print(as_table(course, found))
    return [each.what for each in found if not each.holds and not each.what.startswith(OF_THE_MACHINE)], course


def test_after_a_minute_of_calls_the_service_is_as_before(tmp_path: Path) -> None:
    failed, course = soaked(tmp_path, BUSY_MACHINE, **MINUTE)
    assert failed == []
    assert course.done == 60
    assert sum(count for end, count in course.ends.items() if "disconnected" in end) >= 3


@pytest.mark.parametrize(
    ("leak", "found"),
    [("socket", "descriptors of the service, bridges on"), ("task", "asyncio tasks of the service, bridges on")],
)
def test_a_leak_of_each_call_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leak: str, found: str) -> None:
    monkeypatch.setattr("relay.dev.bench.soak.QUIET_S", 25.0)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    failed, _ = soaked(tmp_path, (*LEAKY, leak), minutes=0.3, bridges=1, set_ups=30)
    assert found in failed
