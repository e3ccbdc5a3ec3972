"""
Owns the load: phones in a process of their own, kept to a core of their own where there is one.

    with PhonesProcess(port, 300, plan=LoadPlan(jitter_ms=10), keep=True) as phones:
        phones.run(4)                    # until the server has settled
        load = phones.run(10)
        record = phones.records()[0]

Needs Linux: the core stands on epoll and timerfd.
"""

from __future__ import annotations

import base64
import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from types import TracebackType
from typing import IO, Any, Self, cast

from relay.dev.bench import marker
from relay.dev.bench.cores import LOAD_CORE, can_pin
from relay.dev.bench.load import Load, LoadPlan, PhoneRecord
from relay.dev.bench.phone_call import Call


class PhonesProcess:
    """
    Phones that call one server; use as ``with``: it connects at once, and talks from the first window on.

    Any thread may ask; each waits for the answers to those before it.

    Args:
        port: of the server.
        calls: how many, or which; may be 0, for calls that come later.
        host: of the server.
        plan: how they talk.
        payloads: what they say: PCMU in frames of 20 ms, all of one length; without it, markers.
        keep: whether to keep what is said and heard, for ``records``.

    Raises:
        LoadError: a call cannot be made.
    """

    def __init__(
        self,
        port: int,
        calls: int | Sequence[Call],
        *,
        host: str = "127.0.0.1",
        plan: LoadPlan | None = None,
        payloads: Sequence[bytes] | None = None,
        keep: bool = False,
    ) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "relay.dev.bench.phones_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._commands, self._answers = cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)
        self._turn = threading.Lock()
        self._count = 0
        self._started = False
        self._records: list[PhoneRecord] | None = None
        try:
            self._ask(_order(port, host, plan or LoadPlan(), payloads, keep=keep))
            which = [Call.numbered(index) for index in range(calls)] if isinstance(calls, int) else calls
            if which:
                self._add(which, spread=len(which))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, *calls: Call) -> list[int]:
        """
        Make more calls, which talk at once if others do; return their indices.

        Raises:
            LoadError: the server refuses one; those before it go on.
        """
        return self._add(calls, spread=0)

    def hang_up(self, index: int) -> bool:
        """Say ``stop`` on one call and close it; False: it has ended before."""
        return bool(self._ask({"do": "hang_up", "index": index})["was_there"])

    def begin(self) -> None:
        """Begin a window, and to talk when nobody does yet."""
        if not self._started:
            self._started = True
            self._ask({"do": "start"})
        self._ask({"do": "window"})

    def end(self) -> Load:
        """End the window; the phones go on."""
        answer = self._ask({"do": "window"})
        return Load.of(answer["window"], answer["cpu_ns"])

    def run(self, seconds: float) -> Load:
        """A window of so many seconds. Blocks: from a running loop, use ``begin`` and ``end``."""
        self.begin()
        time.sleep(seconds)
        return self.end()

    def records(self) -> list[PhoneRecord]:
        """
        Stop talking, and return what each phone said and heard, by its index. For a load that keeps it.

        The calls are still connected.
        """
        if self._records is None:
            folder = pathlib.Path(self._folder.name)
            self._ask({"do": "finish", "folder": str(folder)})
            self._records = [PhoneRecord.read(folder, index) for index in range(self._count)]
        return self._records

    def close(self) -> None:
        """End the process, and with it the calls. May be called again."""
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()

    def _add(self, calls: Sequence[Call], *, spread: int) -> list[int]:
        answer = self._ask({"do": "add", "calls": [call.as_dict() for call in calls], "spread": spread})
        indices: list[int] = answer["indices"]
        self._count = indices[-1] + 1
        return indices

    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        with self._turn:
            with contextlib.suppress(BrokenPipeError):  # its end is told below
                self._commands.write(json.dumps(command) + "\n")
                self._commands.flush()
            line = self._answers.readline()
        if not line:
            raise LoadError(f"expected an answer of the load, got its end: {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise LoadError(answer["error"])
        return answer


class LoadError(Exception):
    """The load cannot do what it is asked; the message says what the server or the machine did."""


def _order(port: int, host: str, plan: LoadPlan, payloads: Sequence[bytes] | None, *, keep: bool) -> dict[str, Any]:
    return {
        "host": host,
        "port": port,
        "plan": asdict(plan),
        "payloads": [base64.b64encode(payload).decode() for payload in payloads or marker.payloads()],
        "keep": keep,
        "core": LOAD_CORE if can_pin() else None,
    }
