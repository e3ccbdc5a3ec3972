"""The command ``relay``. Only what is asked for is imported: the service loads no stand-in, and help loads neither."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import Final

import typer

COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "serve": ("relay.app.cli", "Run the service until SIGTERM; settings come from RELAY_* and relay.toml."),
    "demo": (
        "relay.dev.demo.command",
        "Play a whole warm transfer through the real service, with no account, and measure what was heard.",
    ),
    "bench": ("relay.dev.bench.cli", "Measure what calls cost and what they are delayed by."),
    "dev": ("relay.dev.cli", "Stand-ins for development: no account, no network."),
}
"""Of each command its module, which has ``app`` or ``run``, and what its help begins with."""


def main() -> None:
    """Run the command line."""
    if sys.argv[1:2] == ["serve"]:  # it may be asked to end while its code, which is much, is loaded
        importlib.import_module("relay.app.stop_signals").remember()
    _commands(sys.argv[1:2])()


def _commands(asked_for: list[str]) -> typer.Typer:
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,  # it would know the names above, and none of their options
        pretty_exceptions_show_locals=False,  # a traceback must not print settings
        help="Warm transfers from a Daily room to the phone network.",
    )
    for name, (module_name, says) in COMMANDS.items():
        if [name] != asked_for:
            app.command(name, help=says)(_not_asked_for)
            continue
        module = importlib.import_module(module_name)
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name)
        else:
            app.command(name)(module.run)
    return app


def _not_asked_for() -> None:
    """Stand for a command in the list of them; found behind something else, it cannot be run."""
    raise typer.BadParameter("expected the command first")


if __name__ == "__main__":
    main()
