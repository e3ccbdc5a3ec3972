"""
What a call that has been going on for a while costs beside time, exactly: run by ``benchmarks.gate.exact``.

    PYTHONHASHSEED=0 python -m benchmarks.gate.steady LIBRARY     # benchmarks/gate/allocations.c, built

prints JSON. The driver's own part is in the allocations (some ten for each frame, most of them the time); what stays,
and what brings a collection nearer, must be nothing at all.
"""

from __future__ import annotations

import asyncio
import ctypes
import functools
import gc
import json
import resource
import sys
from collections.abc import Callable
from typing import Final, NamedTuple

import structlog

from benchmarks.gate.delays import bridge_delays
from benchmarks.gate.frame_path import FramePath

FRAMES: Final = 1000
SETTLING: Final = 4
"""Thousand frames: until then a histogram's counts outgrow the numbers that Python keeps, and stay as objects."""


class _Held(NamedTuple):
    blocks: int
    objects: int
    """Made less dropped since the last collection; at some hundreds another is due."""
    waits: int
    """How often this process gave its core away by itself: a sleep does, a lock, a read of nothing."""

    @classmethod
    def now(cls) -> _Held:
        waits = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
        return cls(sys.getallocatedblocks(), gc.get_count()[0], waits)


def _allocated(library: ctypes.PyDLL, run: Callable[[], object]) -> int:
    library.allocations_end.restype = ctypes.c_ulonglong
    library.allocations_begin()
    run()
    counted: int = library.allocations_end()
    return counted


async def _steady(library: ctypes.PyDLL) -> dict[str, int]:
    path = await FramePath.open()
    for _ in range(SETTLING):
        path.run(FRAMES)
    figures: dict[str, int] = {}
    for direction in ("both", "in"):
        path.room_speaks = direction == "both"
        made = [path.made(FRAMES) for _ in range(4)]
        path.run_made(made[0])
        figures[f"allocations, {direction}"] = _allocated(library, functools.partial(path.run_made, made[1]))
        gc.collect()
        gc.disable()
        path.run_made(made[2])
        before = _Held.now()
        path.run_made(made[3])
        after = _Held.now()
        gc.enable()
        figures[f"blocks that stay, {direction}"] = after.blocks - before.blocks
        figures[f"objects towards a collection, {direction}"] = after.objects - before.objects
        figures[f"waits, {direction}"] = after.waits - before.waits
    await path.close()
    return figures


async def _all(library: ctypes.PyDLL) -> dict[str, dict[str, int]]:
    return {"steady": await _steady(library), "bridge": await bridge_delays()}


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    print(json.dumps(asyncio.run(_all(ctypes.PyDLL(sys.argv[1])))))
