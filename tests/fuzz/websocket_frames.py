"""
Fuzz target: a media connection with the native data path against one whose bytes all go through the library's parser.

    PYTHONPATH=scripts python -m tests.fuzz.websocket_frames -max_total_time=60    # or any other option of libFuzzer

The fuzzer's bytes say which frames there are, how each is spoilt, where reads end, and what we do between them.
"""

from __future__ import annotations

import asyncio
import sys

import atheris

with atheris.instrument_imports(include=["websockets.frames", "websockets.protocol", "relay.bridge.media_connection"]):
    from relay.bridge.media_connection import MediaConnection
    from tests.bridge.two_paths import PING_NS, UPGRADE, LibraryAlone, compare, cut, masked

ACTS = ("accept", "attach", "send", "ping", "close")
PAYLOADS = (b"", b"close", PING_NS.to_bytes(8, "big"), b"\x03\xe8", b"m" * 125, b"m" * 126, b"m" * 400)
LENGTHS = (None, None, None, None, 0, 3, 126, 65536, 65537, (1 << 64) - 1)


def frame(source: atheris.FuzzedDataProvider) -> bytes:
    """One frame, as a client sends it or spoilt."""
    first = source.ConsumeIntInRange(0, 255)
    if first < 128:  # as a carrier's
        opcode, fin, rsv, length, masks = 1 + (first & 1), True, 0, None, True
    else:
        opcode, fin, rsv = source.ConsumeIntInRange(0, 15), source.ConsumeBool(), source.PickValueInList([0, 0, 0, 1])
        length, masks = source.PickValueInList(list(LENGTHS)), source.ConsumeIntInRange(0, 7) > 0
    payload = source.PickValueInList(list(PAYLOADS)) if first & 2 else source.ConsumeBytes(first >> 2 & 15)
    length_bytes = 8 if length is not None and length >= 65536 else source.PickValueInList([None, None, None, 8])
    key = source.ConsumeBytes(4).ljust(4, b"\0") if masks else None
    return masked(opcode, payload, fin=fin, rsv=rsv, key=key, length=length, length_bytes=length_bytes)


def one_input(data: bytes, kinds: tuple[type[MediaConnection], ...] = (LibraryAlone, MediaConnection)) -> None:
    """One run of the fuzzer."""
    source = atheris.FuzzedDataProvider(data)
    acts: dict[int, list[str]] = {1: ["accept", "attach"][: source.ConsumeIntInRange(0, 2)]}
    for _ in range(source.ConsumeIntInRange(0, 3)):
        acts.setdefault(source.ConsumeIntInRange(1, 7), []).append(source.PickValueInList(list(ACTS)))
    cuts = [source.ConsumeIntInRange(0, 400) for _ in range(source.ConsumeIntInRange(0, 6))]
    behind = source.ConsumeBool()
    stream = b"".join(frame(source) for _ in range(source.ConsumeIntInRange(0, 10)))
    reads = cut(stream, *(at for at in cuts if at < len(stream)))
    LOOP.run_until_complete(_compare([UPGRADE + stream] if behind else [UPGRADE, *reads], acts, kinds))


async def _compare(reads: list[bytes], acts: dict[int, list[str]], kinds: tuple[type[MediaConnection], ...]) -> None:
    compare(reads, acts, kinds)
    await asyncio.sleep(0)


LOOP = asyncio.new_event_loop()

if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
