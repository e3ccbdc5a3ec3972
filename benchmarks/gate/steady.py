"""
What a call that has been going on for a while costs beside time, exactly: run by ``benchmarks.gate.exact``.

    PYTHONHASHSEED=0 python -m benchmarks.gate.steady LIBRARY FRAMES     # benchmarks/gate/counters.c, built

prints JSON. The driver's own part is in the allocations, most of it the time; what stays,
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
from array import array
from collections.abc import Callable
from itertools import pairwise
from typing import Final

import structlog

from benchmarks.gate.delays import bridge_delays
from benchmarks.gate.frame_path import WARM_UP_FRAMES, FramePath

SETTLING: Final = 7
"""Times a thousand frames, as are counted: the estimate of the carrier's drift keeps two minutes of figures."""
WINDOWS: Final = 8


def _allocated(library: ctypes.PyDLL, run: Callable[[], object]) -> int:
    library.allocations_end.restype = ctypes.c_ulonglong
    library.allocations_begin()
    run()
    counted: int = library.allocations_end()
    return counted


def _least_growth(path: FramePath, frames: int) -> int:
    """
    By how many blocks more is held after so many frames, in the window that added the fewest.

    What leaks leaks in every window. Some add blocks that none after them adds to: queues differ by what is under way.
    What Python keeps ready for use is let go by a collection, and not counted.
    """
    held = array("q", [0] * (WINDOWS + 1))  # numbers that are no objects
    for window in range(WINDOWS + 1):
        path.run(frames)
        gc.collect()
        held[window] = sys.getallocatedblocks()
    return min(after - before for before, after in pairwise(held))


def _objects_and_waits() -> tuple[int, int]:
    """Objects made less dropped since the last collection; and how often this process gave its core away by itself."""
    return gc.get_count()[0], resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw


async def _steady(library: ctypes.PyDLL, frames: int) -> dict[str, int]:
    path = await FramePath.open(warm_up=WARM_UP_FRAMES * frames // 1000)
    for _ in range(SETTLING):
        path.run(frames)
    gc.disable()
    figures: dict[str, int] = {}
    for direction in ("both", "in"):
        path.room_speaks = direction == "both"
        figures[f"blocks that stay, {direction}"] = _least_growth(path, frames)
        counted, last = path.made(frames), path.made(frames)
        figures[f"allocations, {direction}"] = _allocated(library, functools.partial(path.run_made, counted))
        objects, waits = _objects_and_waits()
        path.run_made(last)
        objects_then, waits_then = _objects_and_waits()
        figures[f"objects towards a collection, {direction}"] = objects_then - objects
        figures[f"waits, {direction}"] = waits_then - waits
    gc.enable()
    await path.close()
    return figures


async def _all(library: ctypes.PyDLL, frames: int) -> dict[str, dict[str, int]]:
    return {"steady": await _steady(library, frames), "bridge": await bridge_delays()}


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    print(json.dumps(asyncio.run(_all(ctypes.PyDLL(sys.argv[1]), int(sys.argv[2])))))
