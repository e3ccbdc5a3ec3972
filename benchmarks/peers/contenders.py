"""Owns who takes part: relay's bridge, the floor, and what one would pick instead."""

from __future__ import annotations

import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.peers.build import build_floor
from benchmarks.peers.venvs import PIPECAT, stdlib_python
from benchmarks.rivals import Missing
from relay._codec import Decoder, Encoder

Command = Sequence[str | pathlib.Path]

CODEC_FILTER_MS: Final = Decoder("pcmu", 8000, 16000).delay_ms + Encoder("pcmu", 8000, 16000).delay_ms
PIPECAT_CALLS: Final = 40
"""What Pipecat can carry on a core, and is compared at."""
PIPECAT_MOST_CALLS: Final = 60
"""What shows its limit, to who asks for it."""


@dataclass(frozen=True, slots=True)
class Contender:
    """
    One server that sends back to the phone what it says.

    Args:
        name: as the report has it.
        command: makes it ready and says how it is started; raises Missing.
        filter_ms: the delay of its filters, which is in the signal.
        most_calls: at which it takes part; without it, at all.
    """

    name: str
    command: Callable[[], Command]
    filter_ms: float = 0.0
    most_calls: int | None = None

    def takes_part_at(self, calls: int) -> bool:
        return self.most_calls is None or calls <= self.most_calls


def _module(name: str, *arguments: str, python: Callable[[], pathlib.Path] | None = None) -> Callable[[], Command]:
    return lambda: [python() if python else sys.executable, "-m", f"benchmarks.{name}", *arguments]


RELAY: Final = Contender("relay's bridge", _module("bridge.server_bridge", "--echo"), CODEC_FILTER_MS)
FLOOR: Final = Contender("floor: C, epoll, the same codec", lambda: [build_floor()], CODEC_FILTER_MS)
CODEC: Final = Contender("websockets, the same codec", _module("peers.websockets_codec"), CODEC_FILTER_MS)
ECHO: Final = Contender("websockets, bare echo", _module("peers.websockets_echo"))
STDLIB: Final = Contender("websockets, json, base64, audioop", _module("peers.stdlib_chain", python=stdlib_python))
PIPECAT_DEFAULT: Final = Contender(
    "Pipecat at 16 kHz, its defaults",
    _module("peers.pipecat_echo", python=PIPECAT.python),
    most_calls=PIPECAT_MOST_CALLS,
)
PIPECAT_BEST: Final = Contender(
    "Pipecat at its best: 8 kHz, 20 ms",
    _module("peers.pipecat_echo", "--best", python=PIPECAT.python),
    most_calls=PIPECAT_MOST_CALLS,
)
CONTENDERS: Final = (RELAY, FLOOR, CODEC, ECHO, STDLIB, PIPECAT_DEFAULT, PIPECAT_BEST)


def ready(contenders: Sequence[Contender]) -> tuple[dict[Contender, Command], dict[str, str]]:
    """Make all ready that can be here. Returns how each is started, and by name why the others are not here."""
    commands: dict[Contender, Command] = {}
    missing: dict[str, str] = {}
    for contender in contenders:
        try:
            commands[contender] = contender.command()
        except Missing as reason:
            missing[contender.name] = str(reason)
    return commands, missing


def rotated(contenders: Sequence[Contender], by: int) -> Iterator[Contender]:
    """All of them, beginning with another one each time."""
    for number in range(len(contenders)):
        yield contenders[(number + by) % len(contenders)]
