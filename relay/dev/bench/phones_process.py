"""The load's own process: it obeys ``phones.PhonesProcess`` by lines of JSON, while one thread talks and listens."""

from __future__ import annotations

import contextlib
import gc
import json
import pathlib
import resource
import sys
import threading
import time
from typing import Any, Final

from relay.dev.bench._phones import Phones
from relay.dev.bench.cores import pin
from relay.dev.bench.load import Bursts, LoadPlan, Stall
from relay.dev.bench.phone_call import Call, connect
from relay.media.format import PTIME_MS

_GOLDEN: Final = 0.6180339887498949
"""The multiples of it, without their whole parts, are spread evenly however many there are."""
_PTIME_NS: Final = PTIME_MS * 1_000_000
_DESCRIPTORS_BESIDE: Final = 64


class Talk:
    """
    The phones of one process.

    Args:
        order: ``host``, ``port``, ``plan``, ``payloads`` and ``keep``.
    """

    def __init__(self, order: dict[str, Any]) -> None:
        self._host, self._port = order["host"], order["port"]
        payloads = [payload.encode() for payload in order["payloads"]]
        self._phones = Phones(payloads, keep=order["keep"], **plan_of(order["plan"]).as_core_arguments())
        self._count = 0
        self._thread: threading.Thread | None = None
        self._cpu_ns = 0

    def add(self, calls: list[dict[str, Any]], spread: int) -> dict[str, Any]:
        """Connect calls one after the other; of ``spread`` calls in all, if that is known, else 0."""
        raise_limit(self._count + len(calls))
        indices = []
        for each in calls:
            call = Call(**each)
            connected, rest = connect(call, self._host, self._port)
            share = self._count / spread if spread else self._count * _GOLDEN % 1
            indices.append(
                self._phones.add(connected.fileno(), call.stream_sid.encode(), rest, round(share * _PTIME_NS))
            )
            connected.detach()
            self._count += 1
        return {"indices": indices}

    def start(self) -> dict[str, Any]:
        """Let them talk."""
        gc.collect()
        gc.freeze()
        gc.disable()
        self._thread = threading.Thread(target=self._phones.run)
        self._thread.start()
        return {}

    def window(self) -> dict[str, Any]:
        """What was since the last time, and what it cost."""
        before_ns, self._cpu_ns = self._cpu_ns, time.process_time_ns()
        return {"cpu_ns": self._cpu_ns - before_ns, "window": self._phones.window()}

    def hang_up(self, index: int) -> dict[str, Any]:
        """As ``Phones.hang_up``."""
        return {"was_there": self._phones.hang_up(index)}

    def finish(self, folder: str | None) -> dict[str, Any]:
        """Stop, and write what is kept into a folder."""
        self._phones.stop()
        if self._thread is not None:
            self._thread.join()
        if folder is not None:
            for index in range(self._count):
                self._write(pathlib.Path(folder), index)
        return {}

    def _write(self, folder: pathlib.Path, index: int) -> None:
        heard, payload = self._phones.heard(index)
        for name, content in (("sent", self._phones.sent(index)), ("heard", heard), ("payload", payload)):
            (folder / f"{index}.{name}").write_bytes(content)


def plan_of(values: dict[str, Any]) -> LoadPlan:
    """Read a plan from JSON."""
    stalls = tuple(Stall(**each) for each in values["stalls"])
    bursts = Bursts(**values["bursts"]) if values["bursts"] else None
    return LoadPlan(**{**values, "stalls": stalls, "bursts": bursts})


def raise_limit(calls: int) -> None:
    """Allow as many descriptors as so many calls need, if that is allowed; else connecting says what is missing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < calls + _DESCRIPTORS_BESIDE:
        wanted = (
            calls + _DESCRIPTORS_BESIDE if hard == resource.RLIM_INFINITY else min(hard, calls + _DESCRIPTORS_BESIDE)
        )
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main() -> None:
    """Obey until the standard input ends; each answer is a line, ``{"error": ...}`` when it cannot be done."""
    order = json.loads(sys.stdin.readline())
    if order["core"] is not None:
        pin(order["core"])
    talk = Talk(order)
    print(json.dumps({}), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = getattr(talk, command.pop("do"))(**command)
        except (OSError, ValueError, IndexError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
    talk.finish(None)


if __name__ == "__main__":
    main()
