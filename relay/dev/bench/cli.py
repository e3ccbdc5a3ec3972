"""``relay bench MODE``: what calls cost and what they are delayed by."""

from __future__ import annotations

import typer

from relay.dev.bench import bridge_command, node_command, soak_command

app = typer.Typer(no_args_is_help=True, help="Measure what calls cost and what they are delayed by.")
app.command("bridge")(bridge_command.run)
app.command("node")(node_command.run)
app.command("soak")(soak_command.run)


@app.callback()
def bench() -> None:
    """Measure what calls cost and what they are delayed by."""
