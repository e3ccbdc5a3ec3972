"""Two trees to compare, each a commit's relay with its extension built, and this commit's driver."""

from __future__ import annotations

import io
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

ROOT: Final = pathlib.Path(__file__).parents[2]
BASELINE: Final = pathlib.Path(__file__).parents[1] / "BASELINE"
DRIVER: Final = (
    "benchmarks/__init__.py",
    "benchmarks/instruction_driver.py",
    "relay/dev/bench/__init__.py",
    "relay/dev/bench/messages.py",
    "benchmarks/gate/__init__.py",
    "benchmarks/gate/delays.py",
    "benchmarks/gate/frame_path.py",
    "benchmarks/gate/instruction_driver.py",
    "benchmarks/gate/steady.py",
    "benchmarks/gate/wire.py",
    "benchmarks/gate/worker.py",
)
_PACKAGE: Final = ("relay", "setup.py", "pyproject.toml", "README.md", "LICENSE")
_BUILT: Final = ("*.so", "__pycache__", "_codec.c")
_NATIVE: Final = ("*.c", "*.h", "*.pxi", "*.pxd", "*.pyx")


class BaseMissing(Exception):
    """There is nothing to compare with, and why."""


class TreeUnusable(Exception):
    """The relay in ``tree`` cannot be built, or the driver does not run on it."""

    def __init__(self, tree: pathlib.Path, why: str) -> None:
        super().__init__(f"{tree.name}: {why}")
        self.tree = tree


def base_revision() -> tuple[str, str]:
    """
    Which commit to compare with, and what it is: the merge base of a pull request, else that of ``BASELINE``.

    Raises:
        BaseMissing: this clone does not have it.
    """
    target = os.environ.get("GITHUB_BASE_REF")
    if target:
        for name in (f"origin/{target}", target):
            found = _git("merge-base", name, "HEAD")
            if found is not None:
                return found.decode().strip(), f"the merge base with {target}"
        raise BaseMissing(f"expected {target} and its history in this clone (actions/checkout: fetch-depth: 0)")
    revision, _, reason = BASELINE.read_text().partition("\n")
    return revision.strip(), f"the baseline: {reason.strip()}"


def check_out(revision: str, tree: pathlib.Path) -> None:
    """
    Put the package as it was at ``revision`` into ``tree``.

    Raises:
        BaseMissing: this clone does not have it.
    """
    archive = _git("archive", revision, "--", *_PACKAGE)
    if archive is None:
        raise BaseMissing(f"expected commit {revision} in this clone, got one without (a shallow clone?)")
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        packed.extractall(tree, filter="data")


def copy_here(tree: pathlib.Path) -> None:
    """Put the package as it stands here into ``tree``, without what was built."""
    tree.mkdir(parents=True, exist_ok=True)
    for name in _PACKAGE:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns(*_BUILT), dirs_exist_ok=True)
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, tree / name)


def make_ready(trees: Iterable[pathlib.Path]) -> None:
    """
    Give each tree this commit's driver, and build its extension by this interpreter, as its own setup.py has it.

    Trees of the same native sources get the same extension: where a linker puts what makes a difference, too.

    Raises:
        TreeUnusable: one cannot be built.
    """
    alike: dict[tuple[tuple[str, bytes], ...], list[pathlib.Path]] = {}
    for tree in trees:
        for name in DRIVER:
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
        alike.setdefault(_sources(tree), []).append(tree)
    with ThreadPoolExecutor() as threads:
        list(threads.map(_build, (first for first, *_ in alike.values())))
    for first, *others in alike.values():
        for built in first.glob("relay/**/*.so"):
            for other in others:
                shutil.copy(built, other / built.relative_to(first))


def _sources(tree: pathlib.Path) -> tuple[tuple[str, bytes], ...]:
    paths = {path for pattern in _NATIVE for path in tree.glob(f"relay/**/{pattern}")} | {tree / "setup.py"}
    return tuple((str(path.relative_to(tree)), path.read_bytes()) for path in sorted(paths))


def _build(tree: pathlib.Path) -> None:
    command = [sys.executable, "setup.py", "--quiet", "build_ext", "--inplace"]
    done = subprocess.run(command, check=False, cwd=tree, capture_output=True, text=True)
    if done.returncode != 0:
        raise TreeUnusable(tree, f"cannot build the extension:\n{done.stderr[-2000:]}")


def _git(*arguments: str) -> bytes | None:
    try:
        done = subprocess.run(["git", *arguments], check=False, cwd=ROOT, capture_output=True)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None
