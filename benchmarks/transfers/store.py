"""Owns the transition: how long a change of a transfer's state in Redis takes, one after the other."""

from __future__ import annotations

import gc
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.transfers.records import EPOCH, joined_transfer
from relay.transfers.states import Event
from relay.transfers.store import Answer, TransferStore

WARM_UP = 200
PER_TRANSFER = 100
"""So many events of one transfer; more than a call has, and its log is not longer than one may be."""


@dataclass(frozen=True, slots=True)
class Transitions:
    """How long each took, in ms, from the call to its result."""

    took_ms: Sequence[float]

    def ms(self, percentile: float) -> float:
        """So many percent took no longer than this."""
        return float(np.percentile(self.took_ms, percentile))


async def measure_transitions(store: TransferStore, count: int) -> Transitions:
    """Let a stream be lost and come back again and again: each is one whole transition, with an event id."""
    took_ms: list[float] = []
    numbers = itertools.count()
    gc.disable()
    while len(took_ms) < WARM_UP + count:
        transfer_id = await joined_transfer(store)
        for _ in range(PER_TRANSFER):
            number = next(numbers)
            event = (Event.MEDIA_LOST, Event.MEDIA_BACK)[number % 2]
            began_ns = time.perf_counter_ns()
            applied = await store.apply(transfer_id, event, epoch=EPOCH, event_id=f"event-{number}")
            took_ms.append((time.perf_counter_ns() - began_ns) / 1e6)
            assert applied.answer is Answer.OK, applied
    gc.enable()
    return Transitions(took_ms[WARM_UP : WARM_UP + count])
