"""``relay serve``."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Final

import typer
import uvloop

from relay.app.logs import configure_logging
from relay.app.service import serve
from relay.app.settings import load_settings
from relay.errors import ConfigurationError, RelayError

BROKEN: Final = 1
BAD_CONFIGURATION: Final = 2


def run() -> None:
    """Run the service until SIGTERM; settings come from RELAY_* and relay.toml."""
    try:
        settings = load_settings()
        configure_logging(settings.log_level, settings.log_format, secrets=settings.secrets())
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings))
    except RelayError as error:
        with contextlib.suppress(OSError):  # where it would be said may be gone, and the status says it, too
            print(error, file=sys.stderr)  # noqa: T201 - for whoever started it: nothing runs, or not any longer
        raise typer.Exit(BAD_CONFIGURATION if isinstance(error, ConfigurationError) else BROKEN) from None
