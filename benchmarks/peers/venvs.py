"""Owns the peers' own virtual environments, made on demand: what a peer needs is never installed beside relay."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.peers.build import cache
from benchmarks.rivals import Missing

INSTALL_TIMEOUT_S: Final = 900.0
_COMPLETE: Final = "complete"

Run = Callable[[Sequence[str], float], str]
"""
Runs a command for so many seconds at most and returns what it printed.

Raises:
    subprocess.CalledProcessError, subprocess.TimeoutExpired: with what it printed until then as ``output``.
"""


def run_command(command: Sequence[str], timeout_s: float) -> str:
    """Run as ``Run`` promises, without standard input."""
    done = subprocess.run(
        command,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
    )
    return done.stdout


@dataclass(frozen=True, slots=True)
class Environment:
    """What a peer needs; ``package`` is the one whose version a report names."""

    name: str
    package: str
    requirements: tuple[str, ...]

    def python(self, *, run: Run = run_command) -> pathlib.Path:
        """
        Return the environment's interpreter; the environment is made if it is not there.

        Raises:
            Missing: it cannot be made; the text has pip's last line.
        """
        folder = cache() / f"{self.name}-{self._state()}"
        with folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two runs at once must not make it twice
            if not (folder / _COMPLETE).exists():
                self._make(folder, run)
        return folder / "bin" / "python"

    def version(self, python: pathlib.Path) -> str:
        """The installed version of ``package``, asked of that interpreter."""
        question = f"import importlib.metadata; print(importlib.metadata.version({self.package!r}))"
        return run_command([str(python), "-c", question], 60.0).strip()

    def _state(self) -> str:
        state = "\n".join((sys.version, *self.requirements))
        return hashlib.sha256(state.encode()).hexdigest()[:16]

    def _make(self, folder: pathlib.Path, run: Run) -> None:
        shutil.rmtree(folder, ignore_errors=True)  # half of one, of a run that was stopped
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input"]
        try:
            run([sys.executable, "-m", "venv", str(folder)], INSTALL_TIMEOUT_S)
            run([*pip, *self.requirements], INSTALL_TIMEOUT_S)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise Missing(f"not here: {self.package} cannot be installed: {_last_line(error)}") from None
        (folder / _COMPLETE).touch()


def _last_line(error: subprocess.CalledProcessError | subprocess.TimeoutExpired) -> str:
    if isinstance(error, subprocess.TimeoutExpired):
        return f"pip was not done after {error.timeout:g} s"
    lines = [line.strip() for line in (error.output or "").splitlines() if line.strip()]
    return lines[-1] if lines else f"status {error.returncode}, and not a word"


def _as_here(package: str) -> str:
    return f"{package}=={importlib.metadata.version(package)}"


PIPECAT: Final = Environment(
    "pipecat",
    "pipecat-ai",
    # 1.14: the first with PipelineWorker and WorkerRunner as this uses them; uvicorn serves its FastAPI application.
    ("pipecat-ai[websocket]>=1.14,<2", _as_here("uvicorn"), _as_here("uvloop")),
)
STDLIB: Final = Environment("stdlib", "audioop-lts", ("audioop-lts>=0.2.1", _as_here("websockets"), _as_here("uvloop")))


def stdlib_python() -> pathlib.Path:
    """
    An interpreter with audioop: this one up to Python 3.12.

    Raises:
        Missing: it has none, and the environment that has one cannot be made.
    """
    return pathlib.Path(sys.executable) if importlib.util.find_spec("audioop") else STDLIB.python()
