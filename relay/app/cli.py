"""``relay serve``. What it needs is imported when it runs: ``relay --help`` need not wait for a web framework."""

from __future__ import annotations

import asyncio
import sys

import typer

from relay.errors import ConfigurationError, RelayError

BAD_CONFIGURATION = 2


def run() -> None:
    """Run the service until SIGTERM; settings come from RELAY_* and relay.toml."""
    from relay.app.settings import load_settings  # noqa: PLC0415 - see above

    try:
        settings = load_settings()
    except ConfigurationError as error:
        raise _failure(error) from None

    import uvloop  # noqa: PLC0415 - see above

    from relay.app.logs import configure_logging  # noqa: PLC0415 - see above
    from relay.app.service import serve  # noqa: PLC0415 - see above

    configure_logging(settings.log_level, settings.log_format, secrets=settings.secrets())
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings))
    except RelayError as error:
        raise _failure(error) from error


def _failure(error: RelayError) -> typer.Exit:
    print(error, file=sys.stderr)  # noqa: T201 - for whoever started it: nothing runs, or not any longer
    return typer.Exit(BAD_CONFIGURATION)
