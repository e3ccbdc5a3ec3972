"""
One side of a comparison: the relay that is on its path, driven a turn at a time by ``benchmarks.gate.versus``.

    python -m benchmarks.gate.worker TREE WARM_UP     # frames before the first turn

It reads a line for each turn and writes one of JSON: ns per frame of each path. Its standard output is the parent's
alone; what is logged goes to standard error.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import pathlib
import sys
import time
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Final

import structlog

import relay
from benchmarks.gate.frame_path import FramePath
from relay._codec import Decoder, Encoder
from relay.dev.bench.messages import TWILIO_IN, TWILIO_OUT, twilio_message

CODEC_FRAMES: Final = 3000
FRAMES: Final = 50
_PCM: Final = bytes((31 * n * n + 7 * n) % 256 for n in range(640))
_PAYLOAD: Final = bytes((37 * n * n + 11 * n) % 256 for n in range(160))


def _codec_in() -> Callable[[], None]:
    push, text = Decoder("pcmu", 8000, 16000).push_message, twilio_message(_PAYLOAD)

    def run() -> None:
        for _ in repeat(None, CODEC_FRAMES):
            push(text, TWILIO_IN)

    return run


def _codec_out() -> Callable[[], None]:
    push = Encoder("pcmu", 8000, 16000).push_message

    def run() -> None:
        for _ in repeat(None, CODEC_FRAMES):
            push(_PCM, TWILIO_OUT)

    return run


def _cpu_ns(run: Callable[[], None]) -> float:
    began_ns = time.thread_time_ns()
    run()
    return (time.thread_time_ns() - began_ns) / CODEC_FRAMES


def _turns(path: FramePath) -> Iterator[dict[str, float]]:
    codec_in, codec_out = _codec_in(), _codec_out()
    while True:
        cpu = path.run(FRAMES, time.thread_time_ns)
        wall = path.run(FRAMES, time.perf_counter_ns)
        yield {
            "codec in": _cpu_ns(codec_in),
            "codec out": _cpu_ns(codec_out),
            "frame in": cpu.in_ns / FRAMES,
            "frame out": cpu.out_ns / FRAMES,
            "frame in, wall": wall.in_ns / FRAMES,
            "frame out, wall": wall.out_ns / FRAMES,
        }


def _look_where(tree: pathlib.Path) -> None:
    where = pathlib.Path(relay.__file__).resolve().parents[1]
    if where != tree.resolve():
        raise RuntimeError(f"expected the relay of {tree}, got that of {where}")


async def _serve(warm_up: int) -> None:
    path = await FramePath.open(warm_up=warm_up)
    turns = _turns(path)
    next(turns)
    gc.collect()
    gc.freeze()
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        print("ready", file=answers, flush=True)
        while sys.stdin.readline():  # the loop has nothing else to do
            print(json.dumps(next(turns)), file=answers, flush=True)


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    _look_where(pathlib.Path(sys.argv[1]))
    asyncio.run(_serve(int(sys.argv[2])))
