"""``relay serve``."""

from __future__ import annotations

import asyncio
import sys

import typer
import uvloop

from relay.app.logs import configure_logging
from relay.app.service import serve
from relay.app.settings import load_settings
from relay.errors import ConfigurationError

BAD_CONFIGURATION = 2


def run() -> None:
    """Run the service until SIGTERM; settings come from RELAY_* and relay.toml."""
    try:
        settings = load_settings()
    except ConfigurationError as error:
        print(error, file=sys.stderr)  # noqa: T201 - for whoever started it, and nothing runs yet
        raise typer.Exit(BAD_CONFIGURATION) from None
    configure_logging(settings.log_level, settings.log_format, secrets=settings.secrets())
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings))
    except OSError as error:
        print(f"Cannot listen on {settings.listen}: {error.strerror or error}", file=sys.stderr)  # noqa: T201
        raise typer.Exit(BAD_CONFIGURATION) from error
