"""Daily's SDK itself, without an account: what it does where nothing is joined, and what is left of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from relay.bridge.worker_process import QUIET
from relay.rooms.daily_call import LEAVE_TIMEOUT_S
from tests.rooms.daily_room import TOKEN

ROOT = Path(__file__).parents[2]


def found(trial: str, *, timeout_s: float = 60) -> dict[str, Any]:
    """What a process of its own found; it has ended by itself, and as in a worker the SDK has said nothing."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.rooms.daily_offline", trial],
        cwd=ROOT,
        env=os.environ | QUIET,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert (result.stderr, TOKEN in result.stdout) == ("", False)
    content: dict[str, Any] = orjson.loads(result.stdout.splitlines()[-1])
    return content


@pytest.mark.long
def test_f18_a_join_without_a_network_is_unreachable_within_its_bound() -> None:
    """The SDK takes 19 s, and lets nobody leave before."""
    result = found("bounded")
    assert result["error"] == "RoomUnreachable"
    assert result["join_s"] < 2
    assert result["leave_s"] < 2 * LEAVE_TIMEOUT_S + 1
    assert (result["calls"], result["leaked_threads"]) == (0, 0)


@pytest.mark.long
def test_f18_what_the_sdk_itself_says_without_a_network_is_unreachable() -> None:
    result = found("refused")
    assert result["error"] == "RoomUnreachable"
    assert result["leave_s"] < 2 * LEAVE_TIMEOUT_S + 1


@pytest.mark.long
def test_a_custom_audio_source_paces_the_microphone_in_real_time() -> None:
    result = found("source")
    assert 150 <= result["asked"] <= 204  # 200, but a machine that is busy is late, and what is late is not made up for
    assert result["in_flight_max"] <= 2
    assert result["dropped"] == 0


@pytest.mark.long
def test_devices_that_are_not_joined_make_nothing_spin() -> None:
    result = found("devices")
    assert result["writes"] <= 105
    assert result["reads"] <= 56
    assert (result["asked"], result["heard"], result["dropped"], result["read_unanswered_ms"]) == (0, 0, 0, 0)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc to count what is held")
@pytest.mark.long
def test_many_rooms_one_after_the_other_leave_nothing() -> None:
    """Thirty after the tenth: threads, descriptors and memory are as they were."""
    result = found("rooms")
    (threads, descriptors, rss_kib), (threads_after, descriptors_after, rss_after_kib) = result["first"], result["last"]
    assert threads_after <= threads + 1
    assert descriptors_after <= descriptors + 1
    assert rss_after_kib - rss_kib < 30 * 100
    assert result["undropped"] == 0
