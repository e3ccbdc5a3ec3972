"""
``python -m relay.app.worker FD``: the process of one bridge, or some. The service starts it; nobody else does.

``FD`` is its end of the socket pair, over which everything else comes: nothing of a call is in its arguments or its
environment.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence

# structlog loads it, if it is there, for tracebacks that nobody asks for here: 4.5 MB of every worker.
sys.modules.setdefault("rich", None)  # type: ignore[arg-type] # None is how a module is said not to be there

from relay.app.log_words import LogFormat, LogLevel  # noqa: E402 - behind the line above
from relay.app.logs import configure_logging  # noqa: E402 - as above
from relay.bridge.messages import Configure  # noqa: E402 - as above
from relay.bridge.worker import run  # noqa: E402 - as above

USAGE = 2


def main(arguments: Sequence[str]) -> int:
    """
    Be a worker.

    Args:
        arguments: the descriptor's number, only.

    Returns:
        The exit code.
    """
    if len(arguments) != 1 or not arguments[0].isdecimal():
        print("relay.app.worker: expected the number of a descriptor; relay serve starts workers", file=sys.stderr)  # noqa: T201 - for whoever started it
        return USAGE
    configure_logging(LogLevel.INFO, LogFormat.AUTO)
    return run(int(arguments[0]), _configure)


def _configure(configuration: Configure) -> Callable[[str], None]:
    level, log_format = LogLevel(configuration.log_level), LogFormat(configuration.log_format)
    return configure_logging(level, log_format, secrets=configuration.secrets).learn


if __name__ == "__main__":
    code = main(sys.argv[1:])
    with contextlib.suppress(OSError, ValueError):  # a log that takes nothing
        sys.stderr.flush()
    os._exit(code)  # see run: what would end in between waits for threads
