"""A timer of Linux that is a descriptor: readable from a moment on, to the microsecond, and never before it."""

from __future__ import annotations

import errno
import os
import sys
import time
from typing import Final

_SECOND_NS: Final = 1_000_000_000

if sys.platform != "linux":

    def _create() -> int:
        raise OSError(errno.ENOSYS, "timerfd: expected Linux")

    def _set(descriptor: int, at_ns: int) -> None:
        raise OSError(errno.ENOSYS, f"timerfd {descriptor}, {at_ns}: expected Linux")

elif sys.version_info >= (3, 13):

    def _create() -> int:
        return os.timerfd_create(time.CLOCK_MONOTONIC, flags=os.TFD_NONBLOCK | os.TFD_CLOEXEC)

    def _set(descriptor: int, at_ns: int) -> None:
        os.timerfd_settime_ns(descriptor, flags=os.TFD_TIMER_ABSTIME, initial=at_ns)

else:
    import ctypes

    # ctypes, and no C of ours: setting one costs the same 2 us either way, which are the kernel's.
    _libc: Final = ctypes.CDLL(None, use_errno=True)
    _ABSTIME: Final = 1  # TFD_TIMER_ABSTIME in sys/timerfd.h; its other flags are those of open()

    class _Setting(ctypes.Structure):
        """``struct itimerspec``: an interval, here none, and a moment, each in s and ns."""

        _fields_ = tuple((name, ctypes.c_long) for name in ("interval_s", "interval_ns", "at_s", "at_ns"))

    def _create() -> int:
        descriptor: int = _libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        return _checked(descriptor, "timerfd_create")

    def _set(descriptor: int, at_ns: int) -> None:
        setting = _Setting(0, 0, *divmod(at_ns, _SECOND_NS))
        _checked(_libc.timerfd_settime(descriptor, _ABSTIME, ctypes.byref(setting), None), "timerfd_settime")

    def _checked(result: int, what: str) -> int:
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, f"{what}: {os.strerror(code)}")
        return result


class Timerfd:
    """
    One timer. ``close`` it, once nothing waits for its ``descriptor`` any longer.

    Raises:
        OSError: there is none to be had: no descriptor is free, or this is not Linux.
    """

    def __init__(self) -> None:
        self.descriptor = _create()

    def set(self, at_ns: int) -> None:
        """
        Be readable from ``at_ns`` on, of ``time.monotonic_ns()``, and not before, whatever was set earlier.

        There is no need to read it: setting it again makes it unreadable.

        Raises:
            OSError: it is closed.
        """
        _set(self.descriptor, max(at_ns, 1))  # 0 would mean never

    def close(self) -> None:
        """Give the descriptor back. May be called again."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
