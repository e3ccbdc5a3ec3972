"""Owns the processes of a run, each on a core: the service itself, and what stands in around it."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

SERVE: Final = ("relay", "serve")
API_KEY: Final = "the-key-of-the-benchmark"
DESTINATION: Final = "billing"
ACCOUNT_SID: Final = "AC" + 31 * "0" + "1"
AUTH_TOKEN: Final = "simulated" + 23 * "0"
_ROOT: Final = pathlib.Path(__file__).parents[2]
_TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cores:
    """Where the service runs, and where everything else does: one and the same where there is only one."""

    service: int
    others: int

    @classmethod
    def here(cls) -> Cores:
        """The first and the last of those that this process may use."""
        usable = sorted(os.sched_getaffinity(0))
        return cls(usable[0], usable[-1])


class Child:
    """A process on a core of its own; use as ``with``. What it prints is read, so that it never waits for a reader."""

    def __init__(
        self,
        module: str,
        *arguments: str,
        core: int,
        environment: Mapping[str, str] | None = None,
        stderr: int | None = None,
    ) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RELAY_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.transfers.pinned", str(core), module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd=_ROOT,
            # A worker does not look in its directory for relay: what is measured is the one that lies beside this.
            env={**inherited, "PYTHONPATH": str(_ROOT), **(environment or {})},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.communicate()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def cpu_s(self) -> float:
        """CPU time so far, user and system, of all threads."""
        return self._cpu_s(11)

    def children_cpu_s(self) -> float:
        """The same of those of its children that have ended."""
        return self._cpu_s(13)

    def _cpu_s(self, first: int) -> float:
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[first]) + int(fields[first + 1])) / _TICKS_A_SECOND

    def read_line(self) -> str:
        """
        The next line that it prints.

        Raises:
            ConnectionError: it has ended.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ConnectionError(f"expected a line of the process, got its end: {self._process.wait()}")
        return line


class StandIn(Child):
    """A process that says where it listens, and at its ``end`` what it has seen; see ``bridge.server.obey``."""

    def __init__(self, module: str, *arguments: str, core: int) -> None:
        super().__init__(module, *arguments, core=core)
        self.port = int(json.loads(self.read_line())["port"])

    def tell(self, command: str) -> None:
        """Give a command that has no answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()

    def end(self) -> dict[str, Any]:
        """Ask what it has seen; it answers when nothing is going on any longer."""
        self.tell("end")
        answer: dict[str, Any] = self.read_json()
        return answer

    def read_json(self) -> Any:
        """The next thing that it says."""
        return json.loads(self.read_line())


class RelayService(Child):
    """
    A service, with its logs as they are by default.

    Args:
        command: module and arguments of what runs: ``SERVE``, or something that is the same but for what it measures.
        store_url: the Redis of the transfers.
        carrier_url: stands in for Twilio.
        rooms_url: the origin of the local rooms.
        max_transfers: at the same time.
        core: where it runs, and its workers.
    """

    def __init__(
        self,
        command: Sequence[str] = SERVE,
        *,
        store_url: str,
        carrier_url: str,
        rooms_url: str,
        max_transfers: int,
        core: int,
    ) -> None:
        settings = {
            "LISTEN": "127.0.0.1:0",
            "API_KEYS": API_KEY,
            "REDIS_URL": store_url,
            "LOCAL_ROOMS": rooms_url,
            "TWILIO_API_URL": carrier_url,
            "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
            "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
            "TWILIO_FROM": "+14155550100",
            "DESTINATIONS": json.dumps({DESTINATION: {"to": "+14155550123"}}),
            "MAX_TRANSFERS": str(max_transfers),
            "TRANSFERS_PER_MINUTE": "1000000",
            "TRANSFERS_PER_DAY": "100000000",
            "LOG_FORMAT": "json",
        }
        super().__init__(
            *command,
            core=core,
            environment={f"RELAY_{name}": value for name, value in settings.items()},
            stderr=subprocess.STDOUT,  # where its logs are
        )
        self.complaints: Counter[str] = Counter()
        """What it logged at warning or above, by the event's name."""
        event: dict[str, Any] = {}
        while event.get("event") != "serving":
            line = self.read_line()
            event = json.loads(line) if line.startswith("{") else {"event": line}
        self.url = str(event["url"])
        self._reading = threading.Thread(target=self._read_on, daemon=True)
        self._reading.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._reading.join()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _read_on(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if '"level": "info"' not in line:
                event = json.loads(line) if line.startswith("{") else {}
                self.complaints[str(event.get("event", line.strip()[:80]))] += 1
