"""A worker's process: started at one end of a socket pair, and reaped however it ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import IO, Final

SETTINGS: Final = "RELAY_"
"""What the names of the service's settings in the environment begin with."""
NO_SETTING: Final = "RELAY_INSTRUCTION_SET"
"""Whose code is to run: the codec's own, in every process."""

QUIET: Final = {"RUST_LOG": "off"}
"""Daily's SDK writes to standard error by itself, errors even if it is asked for nothing: past what hides secrets."""


class WorkerProcess:
    """
    One process, from its start until it is reaped.

    It has a session of its own: what a terminal sends to its foreground is not for it. Nor are our settings, of which
    some are secret. With ``Popen``, not through the loop: uvloop's children keep copies of what they should not have.

    Args:
        command: what to run; the number of the descriptor of ``end`` becomes its last argument.
        end: the process's end of the pair; the caller's to close, at once.
        on_exit: told when it is reaped, on the loop: ``Popen.returncode``, below zero for a signal.
        log: the file that its standard error goes to; None: ours does.

    Raises:
        OSError: it could not be started. Nothing is held.
    """

    def __init__(
        self, command: Sequence[str], end: socket.socket, *, on_exit: Callable[[int], None], log: IO[str] | None = None
    ) -> None:
        self._on_exit = on_exit
        self._loop = asyncio.get_running_loop()
        descriptor = end.fileno()
        self._process = subprocess.Popen(  # noqa: S603 - the command is made of our own words
            [*command, str(descriptor)],
            stdin=subprocess.DEVNULL,
            stderr=log,
            env={name: value for name, value in os.environ.items() if _is_no_setting(name)} | QUIET,
            pass_fds=(descriptor,),
            start_new_session=True,
        )
        self.pid = self._process.pid
        try:
            self._watched = _descriptor_of(self.pid)
        except OSError:  # not Linux, an old one, or one that forbids it
            threading.Thread(target=self._wait, name=f"worker-{self.pid}", daemon=True).start()
        else:
            self._loop.add_reader(self._watched, self._on_exited)

    @property
    def has_exited(self) -> bool:
        """It has ended, also if ``on_exit`` is still to come."""
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:  # it is reaped
            return True

    def kill(self) -> None:
        """End it now; ``on_exit`` comes all the same."""
        self._process.kill()

    def _on_exited(self) -> None:
        self._loop.remove_reader(self._watched)
        os.close(self._watched)
        self._on_exit(self._process.wait())

    def _wait(self) -> None:
        status = self._process.wait()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants to know any more
            self._loop.call_soon_threadsafe(self._on_exit, status)


def how_it_ended(status: int) -> str:
    """Say what ``Popen.returncode`` says, for a log: ``SIGKILL`` or ``exit status 1``."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def _is_no_setting(name: str) -> bool:
    return not name.startswith(SETTINGS) or name == NO_SETTING


def _descriptor_of(pid: int) -> int:
    """Return a descriptor that can be read from once the process has ended; it is the caller's to close."""
    if sys.platform == "linux":
        return os.pidfd_open(pid)
    raise OSError("expected a system with pidfd_open")
