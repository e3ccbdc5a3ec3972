"""What the service knows of its machine at any time: read again and again, for its admission and its metrics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

import structlog

from relay.app.admission import BOUNDS, Admission, Bound, Reading
from relay.app.loop_lag import LoopLag
from relay.app.machine import Machine
from relay.app.metrics import Metrics
from relay.transfers.clock import CallLater, Timer

SAMPLE_S: Final = 0.5
START_S: Final = 5.0
"""So long a service keeps itself busy: its code is loaded, spares are started. That is no load, and refuses nobody."""


@contextmanager
def watching(metrics: Metrics, machine: Machine, within: Sequence[Bound] = BOUNDS) -> Iterator[Admission]:
    """An admission that knows the machine within the block; its refusals and what they go by are counted."""
    admission = Admission(within, on_refused=metrics.refused)
    watch = MachineWatch(admission, machine, call_later=asyncio.get_running_loop().call_later)
    for name, help_text, value in (
        ("relay_loop_lag_seconds", "p99 of 2 s, how late timers are", lambda: (watch.reading.loop_lag_ms or 0) / 1000),
        ("relay_cpu_share", "Of the processors, in use", lambda: watch.reading.cpu_share or 0),
        ("relay_memory_share", "Of the limit, in use; 0 without one", lambda: watch.reading.memory_share or 0),
        ("relay_descriptors_share", "Of the limit, open", lambda: watch.reading.descriptors_share or 0),
    ):
        metrics.watch(name, help_text, value)
    watch.start()
    try:
        yield admission
    finally:
        watch.stop()


class MachineWatch:
    """
    Reads the machine every ``SAMPLE_S`` for an admission, from ``start`` to ``stop``, and logs what it comes to.

    Args:
        admission: is told.
        machine: is read.
        call_later: the loop's.
        now_s: monotonic; not the loop's own clock.
    """

    def __init__(
        self,
        admission: Admission,
        machine: Machine,
        *,
        call_later: CallLater,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.reading = Reading()
        """The last one."""
        self._admission = admission
        self._machine = machine
        self._call_later = call_later
        self._now_s = now_s
        self._lag = LoopLag(call_later, now_s=now_s)
        self._began_s = 0.0
        self._timer: Timer | None = None

    def start(self) -> None:
        """Begin: processors and loop count after ``START_S``."""
        self._began_s = self._now_s()
        self._lag.start()
        self._sample()

    def stop(self) -> None:
        """Read nothing any longer."""
        self._lag.stop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sample(self) -> None:
        self._timer = self._call_later(SAMPLE_S, self._sample)
        now_s = self._now_s()
        self.reading = replace(self._machine.read(now_s), loop_lag_ms=self._lag.p99_ms())
        is_starting = now_s - self._began_s < START_S
        counted = replace(self.reading, loop_lag_ms=None, cpu_share=None) if is_starting else self.reading
        before = self._admission.short_of.keys()
        self._admission.note(now_s, counted)
        now = self._admission.short_of
        log = structlog.get_logger()
        for shortage in now.keys() - before:
            log.warning("transfers_refused", short_of=shortage.value, detail=now[shortage])
        for shortage in before - now.keys():
            log.info("transfers_taken_again", enough_of=shortage.value)
