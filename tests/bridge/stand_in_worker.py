"""
A worker without a bridge: it speaks the front's messages, and fails as it is told.

    python -m tests.bridge.stand_in_worker HOW_IT_STARTS DESCRIPTOR

How it goes on after its start is the transfer's ``customer_id``. Each further seat has a thread of its own.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from relay.bridge.events import Ended
from relay.bridge.messages import (
    FROM_FRONT,
    SEAT_FROM_FRONT,
    Admit,
    Assign,
    Configure,
    End,
    HandOver,
    Incoming,
    Join,
    Message,
    Order,
    Over,
    Ready,
    Ring,
    Seat,
    SendDigits,
    Statistics,
    Told,
    encode,
)
from relay.bridge.stats import BridgeStats
from relay.bridge.worker_bridge import LEAKED
from relay.transfers import ports
from relay.transfers.reasons import Reason

STATS = BridgeStats(
    age_s=1.0,
    joined=True,
    participants=1,
    agent_to_room=None,
    room_to_agent=None,
    round_trip_ms=0.0,
    faults={"bad_message": 2},
)
LENGTH = struct.Struct(">I")


class Worker:
    def __init__(self, pair: socket.socket, order: Order = FROM_FRONT) -> None:
        self.pair = pair
        self.order = order
        self.failing = ""

    def say(self, *messages: Message) -> None:
        for message in messages:
            encoded = encode(message)
            self.pair.sendall(LENGTH.pack(len(encoded)) + encoded)

    def heard(self) -> Iterator[tuple[Any, int | None]]:
        incoming, received, descriptors = Incoming(self.order), b"", list[int]()
        while True:
            data, came, _, _ = socket.recv_fds(self.pair, 65536, 4)
            if not data:
                return
            received += data
            descriptors += came
            while len(received) >= LENGTH.size and len(received) >= (end := 4 + LENGTH.unpack_from(received)[0]):
                message = incoming.read(received[4:end])
                received = received[end:]
                if isinstance(message, Seat):
                    seat = Worker(socket.socket(fileno=descriptors.pop(0)), SEAT_FROM_FRONT)
                    threading.Thread(target=seat.serve).start()
                else:
                    yield message, descriptors.pop(0) if isinstance(message, HandOver) else None

    def serve(self) -> None:
        with self.pair:
            self._obey()

    def _obey(self) -> None:
        for message, descriptor in self.heard():
            match message:
                case Configure():
                    self.say(Ready(os.getpid()))
                case Assign():
                    self.failing = message.customer_id or ""
                    if self.failing != "is silent":
                        self.say(Statistics(STATS))
                case Join():
                    self.join()
                case HandOver(request):
                    assert descriptor is not None
                    os.write(descriptor, b"taken: " + request)
                    os.close(descriptor)
                case Ring() | SendDigits():
                    self.say(Told(ports.KeyPressed(getattr(message, "digits", "r")[-1])))
                case Admit():
                    self.say(Told(ports.BothHeard()))
                case End(reason) if self.failing != "hangs in end":
                    self.end(reason)
                    return

    def join(self) -> None:
        fail = FAILURES.get(self.failing)
        if fail is not None:
            fail(self)
        else:
            self.say(Told(ports.RoomJoined()))

    def end(self, reason: Reason) -> None:
        self.say(Told(ports.BridgeEnded(reason, "as asked")))
        if self.failing == "dies before it is over":
            os._exit(1)
        faults = {**STATS.faults, LEAKED: 1} if self.failing == "does not let go" else STATS.faults
        self.say(Over(Ended(reason, "as asked", was_joined=True, stats=replace(STATS, faults=faults))))
        if self.failing == "stays":
            for _ in self.heard():
                """Reads on to the end of the pair, and does not end there."""
            signal.pause()


def close_and_live(worker: Worker) -> None:
    worker.pair.close()
    signal.pause()


def leave_the_pair_to_a_child(worker: Worker) -> None:
    """The child has this end of the pair, too, and keeps it as long as the front has the other."""
    if os.fork() == 0:
        while worker.pair.recv(65536):
            """Waits for the end."""
    os._exit(0)


def say_garbage(worker: Worker) -> None:
    worker.pair.sendall(b"\x00\x00\x00\x04nope")
    signal.pause()


def say_ready_again(worker: Worker) -> None:
    worker.say(Ready(os.getpid()))
    signal.pause()


def end_alone(worker: Worker) -> None:
    worker.say(Told(ports.RoomJoined()))
    worker.end(Reason.CUSTOMER_LEFT)
    sys.exit(0)


FAILURES: dict[str, Callable[[Worker], object]] = {
    "dies on join": lambda _: os._exit(1),
    "aborts on join": lambda _: os.abort(),
    "closes the pair": close_and_live,
    "leaves the pair to a child": leave_the_pair_to_a_child,
    "says garbage": say_garbage,
    "says something out of order": say_ready_again,
    "ends alone": end_alone,
}


def main(start: str, descriptor: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if start == "dies at once":
        os._exit(3)
    worker = Worker(socket.socket(fileno=descriptor))
    match start:
        case "is never ready":
            worker.pair.recv(65536)
            worker.pair.recv(65536)
        case "says garbage":
            say_garbage(worker)
        case "says too much":
            worker.say(Ready(os.getpid()), Told(ports.BothHeard()))
            signal.pause()
        case "dies when it is ready":
            worker.say(Ready(os.getpid()))
        case _:
            worker.serve()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
