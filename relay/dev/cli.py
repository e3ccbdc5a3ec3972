"""``relay dev``: the stand-ins for what needs an account."""

from __future__ import annotations

import typer

from relay.dev import carrier_command, customer_command, room_server

app = typer.Typer(no_args_is_help=True, help="Stand-ins for development: no account, no network.")
app.command("carrier")(carrier_command.run)
app.command("customer")(customer_command.run)
app.command("room")(room_server.run)


@app.callback()
def dev() -> None:
    """Stand-ins for development: no account, no network."""
