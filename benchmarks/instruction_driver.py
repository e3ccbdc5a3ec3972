"""Runs each fused path a number of times, and nothing else; benchmarks.instructions counts its instructions."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import repeat

from relay._codec import Decoder, Encoder
from relay.dev.bench.messages import TWILIO_IN, TWILIO_OUT, twilio_message

PCM = bytes((31 * n * n + 7 * n) % 256 for n in range(640))  # 20 ms; its values change no count
PAYLOAD = bytes((37 * n * n + 11 * n) % 256 for n in range(160))


def _push_message_in(calls: int) -> None:
    push, text = Decoder("pcmu", 8000, 16000).push_message, twilio_message(PAYLOAD)
    for _ in repeat(None, calls):
        push(text, TWILIO_IN)


def _push_message_out(calls: int) -> None:
    push = Encoder("pcmu", 8000, 16000).push_message
    for _ in repeat(None, calls):
        push(PCM, TWILIO_OUT)


def _decoder_push(calls: int) -> None:
    push = Decoder("pcmu", 8000, 16000).push
    for _ in repeat(None, calls):
        push(PAYLOAD)


def _encoder_push(calls: int) -> None:
    push = Encoder("pcmu", 8000, 16000).push
    for _ in repeat(None, calls):
        push(PCM)


PATHS: dict[str, Callable[[int], None]] = {
    "Decoder.push_message": _push_message_in,
    "Encoder.push_message": _push_message_out,
    "Decoder.push": _decoder_push,
    "Encoder.push": _encoder_push,
}


def main() -> None:
    """Run every path as often as the arguments say, in the order of ``PATHS``."""
    for run, calls in zip(PATHS.values(), sys.argv[1:], strict=True):
        run(int(calls))


if __name__ == "__main__":
    main()
