"""The files that a scenario leaves: what customer and agent heard, the delay over time, and relay's own log."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from relay.dev.demo.evidence import Direction
from relay.dev.demo.report import Report
from relay.dev.wav import write_wav

LOG: Final = "relay.log"
HEARD: Final = {Direction.AGENT_TO_ROOM: "customer-heard", Direction.ROOM_TO_AGENT: "agent-heard"}


def log_path(folder: Path, scenario: str) -> Path:
    """Where relay's log of a scenario goes."""
    return folder / f"{scenario}-{LOG}"


def write_files(report: Report, folder: Path) -> dict[str, str]:
    """
    Write them, in place of those of an earlier run, and return their paths by what they hold.

    Raises:
        OSError: one cannot be written.
    """
    name = report.scenario.name
    paths = {}
    for direction, what in HEARD.items():
        path = folder / f"{name}-{what}.wav"
        path.unlink(missing_ok=True)
        tape = report.evidence.tapes.get(direction)
        if tape is not None:
            write_wav(path, tape.heard.pcm, rate_hz=round(tape.heard.rate_hz))
            paths[what.replace("-", "_")] = str(path)
    path = folder / f"{name}-delay.svg"
    path.unlink(missing_ok=True)
    plot = report.plot()
    if plot is not None:
        path.write_text(plot, encoding="utf-8")
        paths["delay_plot"] = str(path)
    paths["log"] = str(log_path(folder, name))
    return paths
