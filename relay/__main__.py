"""The command ``relay``."""

from __future__ import annotations

import typer

from relay.app import cli as service
from relay.dev import cli as dev
from relay.dev.demo import command as demo

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # a traceback must not print settings
    help="Warm transfers from a Daily room to the phone network.",
)
app.command("serve")(service.run)
app.command("demo")(demo.run)
app.add_typer(dev.app, name="dev")


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
