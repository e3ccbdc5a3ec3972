"""``relay bench MODE``: what calls cost and what they are delayed by. Only Linux has the load that most modes need."""

from __future__ import annotations

import sys

import typer

from relay.dev.bench import bridge_command

app = typer.Typer(no_args_is_help=True, help="Measure what calls cost and what they are delayed by.")
app.command("bridge")(bridge_command.run)

if sys.platform == "linux":
    from relay.dev.bench import codec_command  # its frames are markers, which are built with the load

    app.command("codec")(codec_command.run)


@app.callback()
def bench() -> None:
    """Measure what calls cost and what they are delayed by."""
