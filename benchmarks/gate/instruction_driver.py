"""
Lets frames pass through a bridge between calls of getpriority(2), where valgrind writes down what it has counted.

    python -m benchmarks.gate.instruction_driver LIBRARY     # benchmarks/gate/counters.c, built
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import sys
from typing import Final

import structlog

from benchmarks.gate.frame_path import FramePath

FRAMES: Final = 400
SEGMENTS: Final = ("both", "in")
REPORTS: Final = 8
FRAMES_BETWEEN_REPORTS: Final = 50
"""A second of them, as in a service."""


def mark() -> None:
    """Nothing else here calls it."""
    os.getpriority(os.PRIO_PROCESS, 0)


async def _run() -> None:
    path = await FramePath.open()
    gc.collect()
    gc.disable()
    ctypes.PyDLL(sys.argv[1]).instrumentation_begin()
    for segment in SEGMENTS:
        path.room_speaks = segment == "both"
        path.run(FRAMES // 4)
        made = path.made(FRAMES)
        mark()
        path.run_made(made)
        mark()
    for _ in range(REPORTS):
        path.run(FRAMES_BETWEEN_REPORTS)
        mark()
        path.report()
        mark()
    os._exit(0)  # what comes after is of no interest, and slow


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(_run())
