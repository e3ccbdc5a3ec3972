"""Owns a moment that epoll waits for: its own time-out has steps of a millisecond, a timerfd none."""

from __future__ import annotations

import ctypes
import os
import time
from typing import Final

from relay.media.format import PTIME_MS

PTIME_NS: Final = PTIME_MS * 1_000_000
_TFD_TIMER_ABSTIME: Final = 1
_NONBLOCKING: Final = os.O_NONBLOCK


class Deadline:
    """A timerfd: readable from a moment on."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.descriptor = self._libc.timerfd_create(time.CLOCK_MONOTONIC, _NONBLOCKING)
        if self.descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._setting = (ctypes.c_long * 4)()

    def set(self, at_ns: int) -> None:
        self._setting[2], self._setting[3] = divmod(at_ns, 1_000_000_000)
        self._libc.timerfd_settime(self.descriptor, _TFD_TIMER_ABSTIME, self._setting, None)
