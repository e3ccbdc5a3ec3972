"""Changes for the worse, put into a copy of the tree on purpose: what the gate must see."""

from __future__ import annotations

import pathlib
from typing import Final

_STREAM: Final = "relay/native/stream.c"
_RUN_BLOCK: Final = "    const fir_table *table = self->table;\n    uint32_t kept ="
_BRIDGE: Final = "relay/bridge/bridge.py"
_SPEAKER: Final = "        leg = self._legs.current\n        if leg is None or leg.room_to_agent is None"


def plant_instructions(tree: pathlib.Path, instructions: int) -> None:
    """
    Let each frame take so many instructions more in the codec.

    They do nothing, and as the codec's own they are done several at a time: ten percent of its instructions are about
    ten percent of its time.
    """
    nops = f'    __asm__ volatile(".rept {instructions}\\n\\tnop\\n\\t.endr");\n'
    _put_before(tree / _STREAM, _RUN_BLOCK, nops)


def plant_sleep(tree: pathlib.Path, sleep_s: float) -> None:
    """Let the bridge sleep for each frame that it takes from the room."""
    _put_before(tree / _BRIDGE, _SPEAKER, f"        time.sleep({sleep_s})\n")


def _put_before(path: pathlib.Path, text: str, planted: str) -> None:
    source = path.read_text()
    if source.count(text) != 1:
        raise ValueError(f"expected one place for the plant in {path.name}, got {source.count(text)}")
    path.write_text(source.replace(text, planted + text))
