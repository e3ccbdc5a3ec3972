"""Two trees to compare, each a commit's relay with its extensions built, and this commit's driver."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
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
_BUILT: Final = ("*.so", "__pycache__", "_codec.c", "_phones.c")
_NATIVE: Final = ("*.c", "*.h", "*.pxi", "*.pxd", "*.pyx")
KEPT: Final = 12
"""Builds; those used last."""


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
    Give each tree this commit's driver, and its extensions, as its own setup.py has them built by this interpreter.

    Trees of the same sources get the same extensions: where a linker puts what makes a difference, too. What was built
    is kept, see ``_kept``.

    Raises:
        TreeUnusable: one cannot be built.
    """
    alike: dict[pathlib.Path, list[pathlib.Path]] = {}
    for tree in trees:
        alike.setdefault(_kept(tree), []).append(tree)
    with ThreadPoolExecutor() as threads:
        list(threads.map(_build, (first for first, *_ in alike.values()), alike))
    for kept, all_alike in alike.items():
        for tree in all_alike:
            shutil.copytree(kept, tree, dirs_exist_ok=True)
            for name in DRIVER:
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, tree / name)


def _kept(tree: pathlib.Path) -> pathlib.Path:
    """Where what is built of a tree is kept: a folder named after the sources, the interpreter and the compiler."""
    typed = {types.with_suffix(".py") for types in tree.glob("relay/**/*.pxd") if types.with_suffix(".py").exists()}
    paths = {path for pattern in _NATIVE for path in tree.glob(f"relay/**/{pattern}")} | typed | {tree / "setup.py"}
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path.relative_to(tree)} {path.stat().st_size}\n".encode() + path.read_bytes())
    command = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    version = subprocess.run([*command, "--version"], check=False, capture_output=True, text=True).stdout
    built_by = (sys.version, sys.prefix, os.environ.get("CFLAGS"), command, version, metadata.version("cython"))
    digest.update(repr(built_by).encode())
    caches = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    return caches / "relay-gate" / digest.hexdigest()[:24]


def _build(tree: pathlib.Path, kept: pathlib.Path) -> None:
    if kept.exists():
        os.utime(kept)
        return
    # A setup.py that builds one extension after the other is told to build several at once.
    options = ["--quiet", "build_ext", "--inplace", "--parallel", str(os.cpu_count() or 1)]
    done = subprocess.run([sys.executable, "setup.py", *options], check=False, cwd=tree, capture_output=True, text=True)
    if done.returncode != 0:
        raise TreeUnusable(tree, f"cannot build the extensions:\n{done.stderr[-2000:]}")
    kept.parent.mkdir(parents=True, exist_ok=True)
    for old in sorted(kept.parent.iterdir(), key=lambda each: each.stat().st_mtime, reverse=True)[KEPT - 1 :]:
        shutil.rmtree(old, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as unfinished:
        whole = pathlib.Path(unfinished, "whole")
        for built in tree.glob("relay/**/*.so"):
            (whole / built.relative_to(tree)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(built, whole / built.relative_to(tree))
        with contextlib.suppress(OSError):  # another gate was faster
            whole.rename(kept)


def _git(*arguments: str) -> bytes | None:
    try:
        done = subprocess.run(["git", *arguments], check=False, cwd=ROOT, capture_output=True)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None
