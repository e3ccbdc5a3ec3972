"""The shell commands of a page, run one block after the other in one shell, as somebody would who reads it."""

from __future__ import annotations

import os
import random
import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 120  # a bound for what never ends
_FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = "--- next block ---"


@dataclass(frozen=True, slots=True)
class Block:
    """Shell commands, and what the page says they print: nothing, or JSON or text."""

    commands: str
    shown_as: str = ""
    shown: str = ""


def shell_blocks(page: Path) -> list[Block]:
    """The blocks of a page in their order; one of another language shows what the commands before it print."""
    blocks: list[Block] = []
    for language, content in _FENCED.findall(page.read_text()):
        if language == "sh":
            blocks.append(Block(content))
        elif blocks and not blocks[-1].shown_as:
            blocks[-1] = Block(blocks[-1].commands, language, content)
    return blocks


def run_blocks(blocks: list[Block], folder: Path, environment: Mapping[str, str]) -> list[str]:
    """
    Run them in one shell in a folder that looks like a checkout, and return what each prints; a failing command fails.

    The environment has no setting of relay's but those given.
    """
    (folder / ".venv").symlink_to(sys.prefix)
    script = f"\necho '{_MARK}'\n".join(block.commands for block in blocks)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("RELAY_")}
    with subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**inherited, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as shell:
        try:
            output, errors = shell.communicate(timeout=TIMEOUT_S)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, 9)  # whatever the page has started and not ended
    logs = "".join(f"\n{log.name}: {log.read_text()}" for log in sorted(folder.glob("*.log")))
    assert shell.returncode == 0, f"{output}\n{errors}{logs}"
    return [part.strip("\n") for part in output.split(f"{_MARK}\n")]


def free_ports(count: int) -> list[int]:
    """
    Ports of 127.0.0.1 on which nobody listens.

    They are below those that systems give to outgoing connections: none of these can be in the way later.
    """
    ports: list[int] = []
    while len(ports) < count:
        port = random.randrange(20_000, 32_000)
        with closing(socket.socket()) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in ports:
                ports.append(port)
    return ports
