"""Owns which core is whose: the server under test has one to itself, the load the other."""

from __future__ import annotations

import os
from typing import Final

SERVER_CORE: Final = 0
LOAD_CORE: Final = 1


def can_pin() -> bool:
    """Whether this machine has a core for each."""
    return {SERVER_CORE, LOAD_CORE} <= os.sched_getaffinity(0)


def pin(core: int) -> bool:
    """
    Keep this process to one core; False: it may not have that one, and stays where it is.

    It may have been kept to another one: a process under test starts as its load's child.
    """
    if core >= (os.cpu_count() or 1):
        return False
    try:
        os.sched_setaffinity(0, {core})
    except OSError:  # a container's own set of cores
        return False
    return True
