"""What descriptors this process has, and how to be out of them."""

from __future__ import annotations

import pathlib
import resource
from collections.abc import Iterator
from contextlib import contextmanager


def timerfds() -> int:
    """How many timerfds are open."""
    return sum("timerfd" in _target(each) for each in pathlib.Path("/proc/self/fd").iterdir())


def _target(link: pathlib.Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # that of the listing itself
        return ""


@contextmanager
def none_free() -> Iterator[None]:
    """No descriptor can be opened within the block; those that are open stay."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
