"""
What is tried of Daily's SDK itself, without a network: each in a process of its own, which prints what it found.

    python -m tests.rooms.daily_offline NAME
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import daily
import orjson
import uvloop

from relay.errors import RoomError
from relay.rooms import daily_call
from relay.rooms.daily import DailyRoom
from relay.rooms.daily_call import Backend
from relay.rooms.daily_callbacks import Crossing
from relay.rooms.daily_devices import TICK_MS, Microphone, Speaker
from relay.rooms.device_clock import LoopClock
from tests.rooms.daily_room import TOKEN, URL
from tests.rooms.listener import Listener

Found = dict[str, Any]


async def unreachable(join_timeout_s: float) -> Found:
    """A join without a network, or to a room that is not there; and the leaving after it."""
    room, listener = DailyRoom(URL, token=TOKEN, join_timeout_s=join_timeout_s), Listener(ptime_ms=10)
    begin, error = time.monotonic(), ""
    try:
        await room.join(listener)
    except RoomError as raised:
        error = type(raised).__name__
    joined = time.monotonic()
    await room.leave()
    return {
        "error": error,
        "join_s": joined - begin,
        "leave_s": time.monotonic() - joined,
        "calls": listener.calls,
        "leaked_threads": room.counts["leaked_threads"],
    }


async def bounded() -> Found:
    """As it is: the bound is ours, for the SDK takes 19 s."""
    return await unreachable(0.5)


async def refused() -> Found:
    """The SDK's own answer is waited for."""
    return await unreachable(40)


async def source() -> Found:
    """A custom audio source paces in real time, also where nothing is joined."""
    daily.Daily.init()
    given = daily.CustomAudioSource(16000, 1)
    return await written(lambda frame, completion: given.write_frames(frame, completion=completion), wall_s=2)


async def devices() -> Found:
    """Virtual devices answer at once, with nothing, where nothing is joined."""
    daily.Daily.init()
    speaker = daily.Daily.create_speaker_device("speaker", 16000, 1, non_blocking=True)
    microphone = daily.Daily.create_microphone_device("microphone", 16000, 1, non_blocking=True)
    crossing, clock = Crossing(asyncio.get_running_loop()), LoopClock()
    reads, heard, ended = 0, list[bytes](), asyncio.Event()

    def read(samples: int, completion: Callable[[bytes], None]) -> None:
        nonlocal reads
        reads += 1
        speaker.read_frames(samples, completion=completion)

    ears = Speaker(read, heard=lambda pcm, _: heard.append(pcm), crossing=crossing, now_ns=clock.now_ns)
    ticks = clock.subscribe(ears.tick, TICK_MS)
    found = await written(lambda frame, completion: microphone.write_frames(frame, completion=completion), wall_s=1)
    ticks.stop()
    ended.set()
    return found | {"reads": reads, "heard": len(heard), "read_unanswered_ms": ears.unanswered_ms}


async def written(write: Callable[[bytes, Callable[[int], None]], object], *, wall_s: float) -> Found:
    """What a microphone comes to on this device."""
    clock, over = LoopClock(), asyncio.Event()
    crossing = Crossing(asyncio.get_running_loop())
    asked, writes, completed, in_flight_max = list[int](), 0, 0, 0

    def due(now_ns: int) -> bytes:
        asked.append(now_ns)
        return bytes(320)

    def counted(frame: bytes, completion: Callable[[int], None]) -> None:
        nonlocal writes, in_flight_max

        def complete(samples: int) -> None:
            nonlocal completed
            completed += 1
            completion(samples)

        writes += 1
        in_flight_max = max(in_flight_max, writes - completed)
        write(frame, complete)

    microphone = Microphone(counted, due=due, crossing=crossing, now_ns=clock.now_ns)
    begin_ns, begin_cpu = clock.now_ns(), time.process_time()

    def tick(now_ns: int) -> None:
        microphone.tick(now_ns)
        if now_ns - begin_ns >= wall_s * 1e9:
            over.set()

    ticks = clock.subscribe(tick, TICK_MS)
    await over.wait()
    ticks.stop()
    crossing.shut()
    return {
        "writes": writes,
        "asked": len(asked),
        "dropped": microphone.dropped_frames,
        "in_flight_max": in_flight_max,
        "cpu_share": (time.process_time() - begin_cpu) / wall_s,
        "longest_ms": max((after - before for before, after in itertools.pairwise(asked)), default=0) / 1e6,
    }


async def rooms() -> Found:
    """
    Many rooms one after the other, of tracks two at a time, whose join is answered at once: what is left of them.

    Each is left while it plays. A track that was dropped with a write in flight has stopped the whole process.
    """
    sdk, found = answering_sdk(), list[tuple[int, int, int]]()
    for number in range(40):
        backend = list(Backend)[number % 2]
        together = [
            DailyRoom(URL, token=None, backend=backend, sdk=sdk) for _ in range(1 + (backend is Backend.TRACKS))
        ]
        listeners = [Listener(ptime_ms=10) for _ in together]
        await asyncio.gather(*(room.join(listener) for room, listener in zip(together, listeners, strict=True)))
        if backend is Backend.TRACKS:
            for listener in listeners:
                await listener.until(lambda listener=listener: len(listener.asked_ns) >= 3)  # type: ignore[misc]
        await asyncio.gather(*(room.leave() for room in together))
        assert not any(room.counts["leaked_threads"] for room in together)
        gc.collect()
        found.append(held())
    return {"first": found[9], "last": found[-1], "undropped": len(daily_call._undropped)}


def answering_sdk() -> ModuleType:
    """The SDK itself, but for the answer of ``join``: without a network that takes 19 s."""
    sdk = ModuleType("daily_answering")
    for name in ("Daily", "CustomAudioSource", "CustomAudioTrack"):
        setattr(sdk, name, getattr(daily, name))

    def client_of(event_handler: daily.EventHandler) -> SimpleNamespace:
        client = daily.CallClient(event_handler=event_handler)

        def join(*_: object, completion: Callable[[dict[str, Any], None], None], **__: object) -> None:
            completion({"participants": {}}, None)

        names = ("leave", "release", "set_user_name", "update_subscription_profiles")
        return SimpleNamespace(join=join, **{name: getattr(client, name) for name in names})

    sdk.CallClient = client_of  # type: ignore[attr-defined] # as the SDK's
    return sdk


def held() -> tuple[int, int, int]:
    """Threads, descriptors and KiB resident of this process."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["Threads"]), len(list(Path("/proc/self/fd").iterdir())), int(status["VmRSS"].split()[0])


TRIALS: dict[str, Callable[[], Coroutine[Any, Any, Found]]] = {
    each.__name__: each for each in (bounded, refused, source, devices, rooms)
}

if __name__ == "__main__":
    found = uvloop.run(TRIALS[sys.argv[1]]())
    sys.stdout.write(orjson.dumps(found).decode() + "\n")
    sys.stdout.flush()
    os._exit(0)  # as a worker: a client whose join goes on keeps threads that end with the process
