"""Daily's SDK itself, without an account: what it does where nothing is joined, and what is left of it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from relay.bridge.worker_process import QUIET
from relay.rooms.daily_call import LEAVE_TIMEOUT_S
from tests.rooms.daily_room import TOKEN

ROOT = Path(__file__).parents[2]


def begin(trial: str) -> subprocess.Popen[str]:
    """Let a process of its own try something."""
    command = [sys.executable, "-m", "tests.rooms.daily_offline", trial]
    environment = os.environ | QUIET
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def found_by(trying: subprocess.Popen[str], *, timeout_s: float = 60) -> dict[str, Any]:
    """What it found; it has ended by itself, and as in a worker the SDK has said nothing."""
    with trying:
        try:
            output, errors = trying.communicate(timeout=timeout_s)
        finally:
            trying.kill()
    assert trying.returncode == 0, errors
    assert (errors, TOKEN in output) == ("", False)
    content: dict[str, Any] = orjson.loads(output.splitlines()[-1])
    return content


def found(trial: str) -> dict[str, Any]:
    return found_by(begin(trial))


@pytest.fixture(scope="module", autouse=True)
def refused() -> Iterator[subprocess.Popen[str]]:
    """The SDK waits for 19 s, with nothing to do, before it gives up: so long the other trials are made."""
    with begin("refused") as trying:
        yield trying
        trying.kill()


@pytest.mark.long
def test_f18_a_join_without_a_network_is_unreachable_within_its_bound() -> None:
    """The SDK takes 19 s, and lets nobody leave before."""
    result = found("bounded")
    assert result["error"] == "RoomUnreachable"
    assert result["join_s"] < 2
    assert result["leave_s"] < 2 * LEAVE_TIMEOUT_S + 1
    assert (result["calls"], result["leaked_threads"]) == (0, 0)


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


@pytest.mark.long
def test_f18_what_the_sdk_itself_says_without_a_network_is_unreachable(refused: subprocess.Popen[str]) -> None:
    result = found_by(refused)
    assert result["error"] == "RoomUnreachable"
    assert result["leave_s"] < 2 * LEAVE_TIMEOUT_S + 1
