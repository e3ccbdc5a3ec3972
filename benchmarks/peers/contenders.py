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


SETTLE_S: Final = 4.0
"""From the first frame to the window."""
BUFFER_SETTLE_S: Final = 16.0
"""relay's jitter buffer begins at 40 ms, and comes down to its target over some 15 s."""


@dataclass(frozen=True, slots=True)
class Contender:
    """
    One server.

    Args:
        name: as the report has it.
        command: makes it ready and says how it is started; raises Missing.
        filter_ms: the delay of its filters, which is in the signal.
        most_calls: at which it takes part; without it, at all.
        echoes: whether the phone hears what it says; not with relay's bridge, whose rooms say markers of their own.
        settle_s: from the first frame to the window.
    """

    name: str
    command: Callable[[], Command]
    filter_ms: float = 0.0
    most_calls: int | None = None
    echoes: bool = True
    settle_s: float = SETTLE_S

    def takes_part_at(self, calls: int) -> bool:
        return self.most_calls is None or calls <= self.most_calls


def _module(name: str, *arguments: str, python: Callable[[], pathlib.Path] | None = None) -> Callable[[], Command]:
    return lambda: [python() if python else sys.executable, "-m", f"benchmarks.peers.{name}", *arguments]


RELAY: Final = Contender("relay's bridge", lambda: (), echoes=False, settle_s=BUFFER_SETTLE_S)
FLOOR: Final = Contender("floor: C, epoll, the same codec", lambda: [build_floor()], CODEC_FILTER_MS)
CODEC: Final = Contender("websockets, the same codec", _module("websockets_codec"), CODEC_FILTER_MS)
ECHO: Final = Contender("websockets, bare echo", _module("websockets_echo"))
STDLIB: Final = Contender("websockets, json, base64, audioop", _module("stdlib_chain", python=stdlib_python))
PIPECAT_DEFAULT: Final = Contender(
    "Pipecat at 16 kHz, its defaults",
    _module("pipecat_echo", python=PIPECAT.python),
    most_calls=PIPECAT_MOST_CALLS,
)
PIPECAT_BEST: Final = Contender(
    "Pipecat at its best: 8 kHz, 20 ms",
    _module("pipecat_echo", "--best", python=PIPECAT.python),
    most_calls=PIPECAT_MOST_CALLS,
)
CONTENDERS: Final = {
    "relay": RELAY,
    "floor": FLOOR,
    "codec": CODEC,
    "echo": ECHO,
    "stdlib": STDLIB,
    "pipecat": PIPECAT_DEFAULT,
    "pipecat-best": PIPECAT_BEST,
}
"""By what the command line calls them."""


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
