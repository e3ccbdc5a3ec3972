"""Owns the floor's program: builds ``floor/`` with the codec's own sources, once for each state of them."""

from __future__ import annotations

import hashlib
import os
import pathlib
import shlex
import subprocess
import tempfile

from benchmarks.native import FLAGS, ROOT
from benchmarks.rivals import Missing

FLOOR = pathlib.Path(__file__).parent / "floor"
CODEC = ROOT / "relay" / "native"


def cache() -> pathlib.Path:
    """Where what is made on demand is kept from run to run: a folder of the user's."""
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    folder = pathlib.Path(base) / "relay-peers"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def build_floor(*, compiler: str | None = None) -> pathlib.Path:
    """
    Return the program, built if there is none of these sources yet.

    Args:
        compiler: the command to compile with, ``$CC`` or ``cc`` if none is named.

    Raises:
        Missing: there is no such compiler, or it does not take the sources (the floor is for Linux).
    """
    command = [*shlex.split(compiler or os.environ.get("CC") or "cc"), *FLAGS, f"-I{ROOT / 'relay'}"]
    program = cache() / f"floor-{_state(command)}"
    if not program.exists():
        with tempfile.TemporaryDirectory(dir=program.parent) as folder:  # whole, or not there: runs may be two
            built = pathlib.Path(folder, "floor")
            _compile([*command, "-o", str(built), *map(str, _sources()), "-lm"])
            built.replace(program)
    return program


def _sources() -> list[pathlib.Path]:
    return [*sorted(FLOOR.glob("*.c")), *sorted(CODEC.glob("*.c"))]


def _state(command: list[str]) -> str:
    state = hashlib.sha256(shlex.join(command).encode())
    for source in (*_sources(), *sorted(FLOOR.glob("*.h")), *sorted(CODEC.glob("*.h"))):
        state.update(source.read_bytes())
    return state.hexdigest()[:16]


def _compile(command: list[str]) -> None:
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        raise Missing(f"not here: there is no C compiler named {command[0]}") from None
    if done.returncode != 0:
        reason = next((line for line in done.stderr.splitlines() if "error" in line), f"status {done.returncode}")
        raise Missing(f"not here: the floor does not build: {reason.strip()}")


if __name__ == "__main__":
    print(build_floor())
