"""``relay dev customer``: somebody in a local room who talks and listens, where a transfer needs a customer."""

from __future__ import annotations

import asyncio
import itertools
import signal
import sys
from pathlib import Path
from typing import Annotated, Final

import typer
import uvloop

from relay.dev.speech import speech
from relay.dev.wav import write_wav
from relay.errors import RoomError
from relay.rooms.base import Participant
from relay.rooms.local import LocalRoom
from relay.rooms.wire import FRAME_BYTES, RATE_HZ

SPEECH_S: Final = 20.0
VOICE: Final = 1
"""The seed of a voice other than the agent's of ``relay dev carrier``."""
NOT_JOINED: Final = 2
ROOM_GONE: Final = 1


class Customer:
    """
    Talks all the time, keeps what is heard, and says who comes and goes.

    Args:
        voice: what is said again and again: whole frames of L16 at ``RATE_HZ``.
    """

    def __init__(self, voice: bytes) -> None:
        self.heard = bytearray()
        self.is_over = asyncio.Event()
        self.error: RoomError | None = None
        """Why the room is gone."""
        frames = [voice[at : at + FRAME_BYTES] for at in range(0, len(voice), FRAME_BYTES)]
        self._frames = itertools.cycle(frames)

    def microphone_due(self, now_ns: int) -> bytes:  # noqa: ARG002 - the room keeps the pace
        """As ``RoomListener``."""
        return next(self._frames)

    def speaker_frame(self, pcm: bytes, now_ns: int) -> None:  # noqa: ARG002 - the recording has the room's pace
        """As ``RoomListener``."""
        self.heard += pcm

    def participant_joined(self, participant: Participant) -> None:
        """As ``RoomListener``."""
        print(f"{participant.name or 'somebody'} came", flush=True)

    def participant_left(self, participant: Participant, reason: str) -> None:
        """As ``RoomListener``."""
        print(f"{participant.name or 'somebody'} left: {reason}", flush=True)

    def room_interrupted(self) -> None:
        """As ``RoomListener``."""

    def room_back(self) -> None:
        """As ``RoomListener``."""

    def room_closed(self, error: RoomError) -> None:
        """As ``RoomListener``."""
        self.error = error
        self.is_over.set()


def run(
    room_url: Annotated[str, typer.Argument(help="A room of `relay dev room`: http://HOST:PORT/rooms/NAME.")],
    name: Annotated[str, typer.Option(help="The name that others in the room see.")] = "customer",
    record: Annotated[Path | None, typer.Option(help="A WAV file for what is heard.")] = None,
) -> None:
    """Be a customer in a local room until SIGINT or SIGTERM, or until the room is gone."""
    voice = speech(SPEECH_S, seed=VOICE, rate_hz=RATE_HZ)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            customer = runner.run(_visit(LocalRoom(room_url, name=name), voice, announcement=f"In the room as {name}"))
    except (RoomError, ValueError) as error:
        print(f"Cannot join {room_url}: {error}", file=sys.stderr)
        raise typer.Exit(NOT_JOINED) from error
    if record is not None:
        write_wav(record, bytes(customer.heard), rate_hz=RATE_HZ)
        print(f"{len(customer.heard) / (2 * RATE_HZ):.1f} s heard: {record}")
    if customer.error is not None:
        print(f"The room is gone: {customer.error}", file=sys.stderr)
        raise typer.Exit(ROOM_GONE)


async def _visit(room: LocalRoom, voice: bytes, *, announcement: str) -> Customer:
    """Stay until a signal, or as long as there is a room."""
    customer = Customer(voice)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, customer.is_over.set)
    try:
        await room.join(customer)
        print(announcement, flush=True)
        await customer.is_over.wait()
    finally:
        await room.leave()
    return customer
