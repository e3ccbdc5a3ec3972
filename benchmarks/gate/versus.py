"""Runs two trees against each other: two processes on one core, a turn of the one, then of the other, A B B A."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Final, Self, cast

from benchmarks.gate.frame_path import WARM_UP_FRAMES
from benchmarks.gate.statistic import Slowdown, Turn, log_ratio
from benchmarks.gate.trees import TreeUnusable

LAUNCHES: Final = 10
QUADS: Final = 8
"""Of four turns, in a launch."""


class Side:
    """The process that drives one tree."""

    def __init__(self, tree: pathlib.Path, warm_up: int) -> None:
        self._tree = tree
        environment = os.environ | {"PYTHONPATH": str(tree), "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.gate.worker", str(tree), str(warm_up)],
            cwd=tree,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate()

    def wait_ready(self) -> None:
        """
        Wait until its call is warm.

        Raises:
            TreeUnusable: it never is.
        """
        self._line()

    def turn(self) -> Turn:
        """
        Let it have its turn.

        Raises:
            TreeUnusable: it could not.
        """
        with contextlib.suppress(BrokenPipeError):
            print(file=self._process.stdin, flush=True)
        return cast("Mapping[str, float]", json.loads(self._line()))

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            _, said = self._process.communicate()
            lines = said.strip().splitlines() or ["nothing"]
            raise TreeUnusable(self._tree, lines[-1])
        return line


def compare(
    base: pathlib.Path,
    now: pathlib.Path,
    *,
    launches: int = LAUNCHES,
    quads: int = QUADS,
    warm_up: int = WARM_UP_FRAMES,
) -> list[Slowdown]:
    """
    How much slower ``now`` is than ``base``, for each path; both are made ready. ``warm_up`` is in frames.

    Raises:
        TreeUnusable: the driver does not run on one of them.
    """
    with _on_one_core():
        ran = [_launch((base, now), quads, warm_up, swapped=bool(number % 2)) for number in range(launches)]
    slowdowns = []
    for path in ran[0][0][0]:
        ratios = [statistics.median(_quad_ratios(pairs, path)) for pairs in ran]
        base_us, now_us = (
            statistics.median(pair[side][path] for pairs in ran for pair in pairs) / 1000 for side in (0, 1)
        )
        slowdowns.append(Slowdown.of(path, ratios, base_us=base_us, now_us=now_us))
    return slowdowns


def _quad_ratios(pairs: Sequence[tuple[Turn, Turn]], path: str) -> Iterator[float]:
    for at in range(0, len(pairs), 2):
        yield log_ratio(pairs[at : at + 2], path)


def _launch(
    trees: tuple[pathlib.Path, pathlib.Path], quads: int, warm_up: int, *, swapped: bool
) -> list[tuple[Turn, Turn]]:
    """Fresh processes; which of them starts and begins changes from launch to launch."""
    with contextlib.ExitStack() as stack:
        ordered = reversed(trees) if swapped else trees
        first, second = (stack.enter_context(Side(tree, warm_up)) for tree in ordered)
        first.wait_ready()
        second.wait_ready()
        pairs = []
        for _ in range(quads):
            one, other = first.turn(), second.turn()
            pairs.append((one, other))
            other = second.turn()
            one = first.turn()
            pairs.append((one, other))
    return [(other, one) for one, other in pairs] if swapped else pairs


@contextlib.contextmanager
def _on_one_core() -> Iterator[None]:
    """What is started meanwhile runs on one core, where that can be said: one clock rate, the same neighbours."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
