"""
The soak: a service carries some calls all the time, while thousands of others come and go, and must be as before.

Everything is a process of its own: ``relay serve`` with its workers and its embedded store, the simulated carrier,
the rooms. Bots and customers are in this one.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from relay.client import RelayClient
from relay.dev.bench.processes import Child, descendants, is_there
from relay.dev.bench.service import SERVE, serving
from relay.dev.bench.soak_calls import Callers
from relay.dev.bench.soak_samples import Sample, Sampler
from relay.dev.bench.soak_stand_ins import tone
from relay.rooms.wire import RATE_HZ
from relay.transfers.store import TransferStore

STAND_INS: Final = ("-m", "relay.dev.bench.soak_stand_ins")
CUSTOMER_HZ: Final = 450
AT_ONCE_MAX: Final = 16
SPARES: Final = 2
FIRST: Final = 0.02
"""Of the set-ups, before the baseline is taken: code is loaded, connections are made."""
FIRST_MIN: Final = 20
SAMPLES: Final = "samples.jsonl"
QUIET_S: Final = 60.0
"""How long the service may take to let go of what is over: connections are kept for 15 s, for another request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    What a soak does.

    Args:
        minutes: over which the set-ups are spread.
        bridges: calls that carry audio all the time.
        set_ups: calls that come and go meanwhile.
        calls_per_worker: that a worker carries before another takes its place.
        command: of Python, what the service is.
        sample_s: between two readings.
        out: a folder, for its logs.
    """

    minutes: float
    bridges: int
    set_ups: int
    calls_per_worker: int
    command: Sequence[str] = SERVE
    sample_s: float = 5.0
    out: Path


@dataclass(slots=True)
class Course:
    """What was seen."""

    plan: Plan
    samples: list[Sample] = field(default_factory=list)
    baseline: Sample | None = None
    """With all bridges, behind the first set-ups and before the others."""
    after: Sample | None = None
    """With all bridges, behind the last."""
    quiet: Sample | None = None
    """Without any."""
    unsteady: list[str] = field(default_factory=list)
    """Readings that others are compared with, and that did not become steady."""
    unread: list[str] = field(default_factory=list)
    """When the service could not be read, and why."""
    took_s: float = 0.0
    """The set-ups, the first ones too."""
    ends: Mapping[str, int] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)
    done: int = 0
    overloads: int = 0
    bridges: Mapping[str, Any] = field(default_factory=dict)
    """Shares of the frames that should have been heard: by agents, by customers."""
    carrier: Mapping[str, Any] = field(default_factory=dict)
    rooms: Sequence[str] = ()
    """Rooms in which somebody was left."""
    open_transfers: list[str] = field(default_factory=list)
    exit_status: int | None = None
    left_processes: list[str] = field(default_factory=list)
    left_files: list[str] = field(default_factory=list)
    logged: dict[str, int] = field(default_factory=dict)
    """Level and event of each line of the service's log above info."""

    def note(self, event: Mapping[str, Any]) -> None:
        """Count a line of the service's log."""
        if event.get("level") != "info":
            name = f"{event.get('level')}: {event.get('event')}"
            self.logged[name] = self.logged.get(name, 0) + 1


async def soak(plan: Plan, say: Callable[[str], None] = lambda _: None) -> Course:
    """
    Run it; ``say`` is told how far it is.

    Raises:
        ConnectionError: a process of the run has ended.
        TimeoutError: one has not started, or not ended.
        ClientError: a bridge could not be opened.
    """
    course = Course(plan)
    plan.out.mkdir(parents=True, exist_ok=True)
    (plan.out / SAMPLES).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="relay-soak-") as temporary:
        async with _set_up(plan, Path(temporary), course) as run:
            await run.bridge_all()
            say(f"{plan.bridges} bridges carry audio")
            await run.set_up_all(say)
            await run.end()
        course.left_files = _files(Path(temporary), "*")
    return course


class _Run:
    """A soak with everything running."""

    def __init__(
        self,
        course: Course,
        *,
        service: Child,
        carrier: Child,
        rooms: Child,
        callers: Callers,
        sampler: Sampler,
        store_url: str,
    ) -> None:
        self._course = course
        self._service = service
        self._carrier = carrier
        self._rooms = rooms
        self._callers = callers
        self._sampler = sampler
        self._store_url = store_url
        self._began_s = asyncio.get_running_loop().time()

    @property
    def _at_s(self) -> float:
        return asyncio.get_running_loop().time() - self._began_s

    async def bridge_all(self) -> None:
        """Open the bridges, one after the other: a worker each is started meanwhile."""
        for _ in range(self._course.plan.bridges):
            await self._callers.open_bridge()

    async def set_up_all(self, say: Callable[[str], None]) -> None:
        """Make all set-ups; read the service meanwhile, and before and after when nothing is on its way."""
        course, plan = self._course, self._course.plan
        first = min(plan.set_ups, max(FIRST_MIN, round(plan.set_ups * FIRST)))
        sampling = asyncio.create_task(self._sample(say))
        begin_s, heard = self._at_s, await self._frames()
        try:
            within_s = 60 * plan.minutes
            await self._callers.run(first, within_s=within_s * first / plan.set_ups, at_once_max=AT_ONCE_MAX)
            course.baseline = await self._settled(None)
            await self._callers.run(
                plan.set_ups - first,
                within_s=max(within_s - (self._at_s - begin_s), 0.0),
                at_once_max=AT_ONCE_MAX,
            )
            course.took_s = self._at_s - begin_s
            course.after = await self._settled(course.baseline)
            course.bridges = _shares(heard, await self._frames())
        finally:
            sampling.cancel()
            await asyncio.wait([sampling])
            course.samples = list(self._sampler.samples)
        if not sampling.cancelled():
            sampling.result()  # it has ended by itself: that it failed is not to be lost

    async def end(self) -> None:
        """End the bridges and the service, and look for what is left."""
        course, callers = self._course, self._callers
        await callers.close_bridges()
        course.quiet = await self._settled(None, live=0)
        course.carrier = await self._carrier.ask("seen")
        course.rooms = list((await self._rooms.ask("seen"))["rooms"])
        course.open_transfers = await _open_transfers(self._store_url, callers)
        course.ends, course.unexpected = dict(callers.ends), callers.unexpected
        course.done, course.overloads = callers.done, callers.overloads
        family = descendants(self._service.pid)
        course.exit_status = await self._service.terminate()
        course.left_processes = [" ".join(command) for pid, (_, *command) in family.items() if is_there(pid)]

    async def _sample(self, say: Callable[[str], None]) -> None:
        plan, callers = self._course.plan, self._callers
        while True:
            sample = await self._read()
            if sample is None:
                await asyncio.sleep(plan.sample_s)
                continue
            with (plan.out / SAMPLES).open("a") as file:
                file.write(f"{json.dumps(asdict(sample), default=sorted)}\n")
            say(
                f"{sample.at_s:6.0f} s  {sample.done} of {plan.set_ups} done  {sample.live} live  "
                f"{sample.service.anonymous_bytes / 2**20:.2f} MB  {sample.service.descriptors} descriptors  "
                f"{sample.tasks} tasks  {len(sample.workers)} workers  {callers.overloads} overloads  "
                f"{len(callers.unexpected)} unexpected {callers.unexpected[-1:]}"
            )
            await asyncio.sleep(plan.sample_s)

    async def _read(self) -> Sample | None:
        """None: the service did not answer this once, which is noted."""
        try:
            return await self._sampler.take(self._at_s, self._callers.done)
        except (aiohttp.ClientError, TimeoutError) as error:
            self._course.unread.append(f"at {self._at_s:.0f} s: {error!r}")
            return None

    async def _settled(self, before: Sample | None, *, live: int | None = None) -> Sample:
        """
        A reading when only so many calls are left, and no more is held than before or than a while ago; else the last.

        Connections that are kept for another request go when none comes: that takes the longest.
        """
        live = self._course.plan.bridges if live is None else live
        loop = asyncio.get_running_loop()
        deadline_s, steady = loop.time() + QUIET_S, 0
        sample = await self._sampler.take(self._at_s, self._callers.done)
        while loop.time() < deadline_s:
            await asyncio.sleep(1.0)
            last, sample = sample, await self._sampler.take(self._at_s, self._callers.done)
            steady = steady + 1 if _held(sample) == _held(last) and sample.live == live else 0
            is_back = before is None or all(a <= b for a, b in zip(_held(sample), _held(before), strict=True))
            if (steady >= 20 if before is None else is_back) and sample.live == live:
                break
        else:
            if before is None:
                self._course.unsteady.append(f"at {sample.at_s:.0f} s: {_held(sample)}, {sample.live} live")
        return sample

    async def _frames(self) -> Mapping[str, Any]:
        """How many frames each side of the bridges has been given and has heard so far."""
        seen = await self._carrier.ask("seen")
        return {
            "agents": seen["bridges"],
            "customers": [guest.heard_frames for guest in self._callers.guests],
        }


def _files(folder: Path, pattern: str) -> list[str]:
    return [str(each) for each in folder.glob(pattern)]


def _held(sample: Sample) -> tuple[int, int, int]:
    return sample.own_descriptors, sample.service.threads, sample.tasks


def _shares(first: Mapping[str, Any], last: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of the frames that agents have said meanwhile, how many the customers have heard, and how many agents."""
    sent = {sid: now[0] - first["agents"].get(sid, (0, 0))[0] for sid, now in last["agents"].items()}
    heard = [now[1] - first["agents"].get(sid, (0, 0))[1] for sid, now in last["agents"].items()]
    by_customers = [now - before for before, now in zip(first["customers"], last["customers"], strict=True)]
    most = max(sent.values(), default=0)
    return {
        "streams": len(sent),
        "frames": most,
        "by agents": [round(each / max(most, 1), 4) for each in heard],
        "by customers": [round(each / max(most, 1), 4) for each in by_customers],
    }


async def _open_transfers(store_url: str, callers: Callers) -> list[str]:
    store = TransferStore(store_url)
    await store.open()
    try:
        found = [(transfer_id, await store.get(transfer_id)) for transfer_id in callers.transfer_ids]
    finally:
        await store.close()
    return callers.left_open(found)


@asynccontextmanager
async def _set_up(plan: Plan, temporary: Path, course: Course) -> AsyncIterator[_Run]:
    """Everything, running."""
    environment = {"TMPDIR": str(temporary)}
    async with AsyncExitStack() as stack:
        rooms = await stack.enter_async_context(
            Child(*STAND_INS, "rooms", environment=environment, stderr=plan.out / "rooms.log")
        )
        carrier = await stack.enter_async_context(
            Child(*STAND_INS, "carrier", environment=environment, stderr=plan.out / "carrier.log")
        )
        rooms_url = f"http://127.0.0.1:{(await rooms.answer())['port']}"
        await carrier.answer()
        carrier_settings = await carrier.ask("settings")
        service = await stack.enter_async_context(
            serving(
                _settings(plan, rooms_url)
                | {name.removeprefix("RELAY_"): each for name, each in carrier_settings.items()},
                plan.out / "service.log",
                command=plan.command,
                environment=environment,
                on_event=course.note,
            )
        )
        connector = aiohttp.TCPConnector(limit=0, force_close=True)  # one that is kept would be one that is held
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        relay = await stack.enter_async_context(RelayClient(service.url, session=session))
        callers = Callers(relay, rooms_url, tone(CUSTOMER_HZ, RATE_HZ))
        (store,) = _files(temporary, "relay-store-*/socket")
        sampler = Sampler(service.child.pid, service.url, session)
        yield _Run(
            course,
            service=service.child,
            carrier=carrier,
            rooms=rooms,
            callers=callers,
            sampler=sampler,
            store_url=f"unix://{store}?db=0",
        )


def _settings(plan: Plan, rooms_url: str) -> dict[str, str]:
    return {
        "LOCAL_ROOMS": rooms_url,
        "ALLOWED_NUMBERS": "+1415555",
        "MAX_TRANSFERS": str(plan.bridges + 2 * AT_ONCE_MAX),
        "WORKER_SPARES": str(SPARES),
        # What these two set holds for all rooms: so many calls a worker.
        "DAILY_BACKEND": "tracks" if plan.calls_per_worker > 1 else "virtual",
        "DAILY_CALLS_PER_WORKER": str(plan.calls_per_worker),
        "TRANSFERS_PER_MINUTE": "1000000",
        "TRANSFERS_PER_DAY": "100000000",
        "CUSTOMER_GRACE_S": "0.2",
    }
