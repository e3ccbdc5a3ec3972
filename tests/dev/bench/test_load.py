"""The load's own account: lateness, its core, and when it is the bottleneck itself."""

import errno
from typing import Any

import pytest

from relay.dev.bench.load import Load, lived, lost


def window(**changed: Any) -> dict[str, Any]:
    counts = dict.fromkeys(
        ("sent", "received", "heard_bytes", "marks", "pings", "clears", "blocked", "ended", "ended_error", "open"), 0
    )
    late = {"late_us": {10: 98, 3000: 2}, "late_max_ns": 3_000_000}
    return {"since_ns": 0, "until_ns": 1_000_000_000, **counts, **late, **changed}


def test_percentiles_are_of_all_frames() -> None:
    load = Load.of(window(sent=100, received=25, heard_bytes=50 * 160), cpu_ns=250_000_000)
    assert (load.late_p50_ms, load.late_p99_ms, load.late_max_ms) == (0.01, 3.0, 3.0)
    assert (load.core, load.answered, load.seconds) == (0.25, 0.5, 1.0)


def test_calls_that_ended_are_told_with_their_error_and_take_no_part_of_the_cost() -> None:
    load = Load.of(window(ended=2, ended_error=errno.EPIPE), cpu_ns=0)
    assert lost(load.ended, 40, load.ended_by) == "2 of 40 calls ended (EPIPE)"
    assert Load.of(window(), cpu_ns=0).ended_by == ""
    assert lost(0, 40) is None
    assert (lived(2, 40), lived(40, 40)) == (38, 1)


@pytest.mark.parametrize(
    ("late_us", "cpu_ns", "says"),
    [
        ({10: 99, 3000: 1}, 100_000_000, None),
        ({10: 98, 3000: 2}, 100_000_000, "3.0 ms late"),
        ({10: 1}, 900_000_000, "90% of its core"),
    ],
)
def test_load_says_when_it_is_the_bottleneck(late_us: dict[int, int], cpu_ns: int, says: str | None) -> None:
    bottleneck = Load.of(window(late_us=late_us), cpu_ns).bottleneck
    assert bottleneck is None if says is None else says in str(bottleneck)
