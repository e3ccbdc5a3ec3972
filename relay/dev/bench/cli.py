"""``relay bench MODE``: what calls cost and what they are delayed by. Only Linux has the load that most modes need."""

from __future__ import annotations

import sys

import typer

from relay.dev.bench import bridge_command, frame_path_command, node_command, soak_command

app = typer.Typer(no_args_is_help=True, help="Measure what calls cost and what they are delayed by.")
app.command("bridge")(bridge_command.run)
app.command("frame-path")(frame_path_command.run)
app.command("node")(node_command.run)
app.command("soak")(soak_command.run)

if sys.platform == "linux":
    from relay.dev.bench import codec_command, drift_command  # their frames are markers, which are built with the load

    app.command("codec")(codec_command.run)
    app.command("drift")(drift_command.run)


@app.callback()
def bench() -> None:
    """Measure what calls cost and what they are delayed by."""
