"""A timerfd: readable at its moment and not before, until it is set again; one descriptor, given back."""

import os
import select
import sys
import time
from collections.abc import Iterator

import pytest

from relay.rooms.timerfd import Timerfd
from tests.rooms.descriptors import none_free, timerfds

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux's alone")
HOUR_NS = 3_600_000_000_000


@pytest.fixture
def timerfd() -> Iterator[Timerfd]:
    made = Timerfd()
    yield made
    made.close()


def is_readable(timerfd: Timerfd, *, within_ms: int) -> bool:
    waiting = select.poll()
    waiting.register(timerfd.descriptor, select.POLLIN)
    return bool(waiting.poll(within_ms))


def test_it_is_readable_at_its_moment_and_not_before(timerfd: Timerfd) -> None:
    for wait_ns in range(0, 2_000_000, 130_000):
        at_ns = time.monotonic_ns() + wait_ns
        timerfd.set(at_ns)
        assert is_readable(timerfd, within_ms=10_000)
        assert time.monotonic_ns() >= at_ns


@pytest.mark.parametrize("at_ns", [-1, 0, 1])
def test_a_moment_that_is_past_is_now(timerfd: Timerfd, at_ns: int) -> None:
    timerfd.set(at_ns)
    assert is_readable(timerfd, within_ms=10_000)


def test_setting_it_again_makes_it_unreadable(timerfd: Timerfd) -> None:
    timerfd.set(1)
    assert is_readable(timerfd, within_ms=10_000)
    timerfd.set(time.monotonic_ns() + HOUR_NS)
    assert not is_readable(timerfd, within_ms=0)


def test_its_descriptor_is_no_childs_and_is_given_back_once() -> None:
    before = timerfds()
    timerfd = Timerfd()
    assert timerfds() == before + 1
    assert not os.get_inheritable(timerfd.descriptor)
    timerfd.close()
    timerfd.close()
    assert timerfds() == before
    with pytest.raises(OSError, match="Bad file descriptor"):
        timerfd.set(1)


def test_without_a_free_descriptor_there_is_none() -> None:
    with none_free(), pytest.raises(OSError, match="Too many open files"):
        Timerfd()
