"""The service: what it is made of, its start, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import IO, Final

import structlog
import uvicorn

from relay.app import stop_signals
from relay.app.acceptor import Acceptor
from relay.app.accounts import ACCOUNTS
from relay.app.admission import AdmittingBridges, bounds
from relay.app.ari import AriAccount
from relay.app.bridging import WORKER, Bridging, bridging
from relay.app.carrier_urls import CarrierUrls
from relay.app.carriers import CarrierAccount, carrier_session
from relay.app.embedded_store import EmbeddedStore
from relay.app.http_app import create_app
from relay.app.http_protocol import BoundedHttp
from relay.app.logs import LogLines
from relay.app.machine import Machine, check_descriptors
from relay.app.machine_watch import watching
from relay.app.media_upgrade import media_upgrade
from relay.app.metrics import Metrics
from relay.app.numbers import NumberPolicy
from relay.app.room_urls import RoomPolicy
from relay.app.services import Services
from relay.app.settings import ListenAddress, Settings
from relay.errors import ConfigurationError, Problem, StoreUnavailable
from relay.providers.asterisk_control import AsteriskControl
from relay.providers.control import CarrierControl
from relay.transfers.coordinator import Coordinator
from relay.transfers.coordinator_settings import CoordinatorSettings
from relay.transfers.course_settings import CourseSettings
from relay.transfers.store import TransferStore

BACKLOG: Final = 512
GC_THRESHOLDS: Final = (1000, 2, 10)
"""
The middle collection looks at some 3,000 objects, and takes a millisecond; with fewer and larger ones it was ten, for
the same time in all. Full ones look at all transfers that go on: they hold up requests, but no frame, as those are the
workers'. With 40 or 100 in place of 10, what calls leave behind in circles waits by the megabyte.
CPython 3.14's incremental collector, where there is one, reads the second as a rate, and has no full ones of its own.
"""
HURRY_S: Final = 10
"""What carriers get to hang up when the time of calls is over, or the service is asked to end for the second time."""
LINGER_S: Final = 3
"""What event streams and waiting requests get to end when the service does."""


class Service:
    """
    A running service; made by ``running``.

    Args:
        services: what its routes work with.
        base_url: where it listens.
    """

    def __init__(self, services: Services, base_url: str) -> None:
        self.services = services
        self.base_url = base_url
        self._stop = asyncio.Event()
        self._at_once = asyncio.Event()
        self._has_ended = False
        self.has_lost_store = False
        """Its embedded store ended by itself, and it could not go on."""

    def stop(self) -> None:
        """Ask it to end when its calls have; ask again, and it ends at once."""
        if self._stop.is_set():
            self._at_once.set()
        self._stop.set()

    async def until_workers_ready(self) -> None:
        """Return when there are as many spare workers as there should be: the next transfer waits for none."""
        if self.services.bridging is not None:
            await self.services.bridging.pool.until_spares_ready()

    async def until_stopped(self) -> None:
        """Return when it has been asked to stop, and no transfer is left, or none that carriers let end in time."""
        await self._stop.wait()
        coordinator, drain_s = self.services.coordinator, self.services.settings.drain_timeout_s
        structlog.get_logger().info("draining", transfers=coordinator.live_count, drain_timeout_s=drain_s)
        draining = asyncio.create_task(coordinator.shut_down(drain_timeout_s=drain_s))
        at_once = asyncio.create_task(self._at_once.wait())
        await asyncio.wait([draining, at_once], timeout=drain_s, return_when=asyncio.FIRST_COMPLETED)
        at_once.cancel()
        if not draining.done():
            await self.end()
            draining.cancel()

    async def end(self) -> None:
        """End every transfer, the first time; bounded: what carriers do not end is left to the next start."""
        if self._has_ended:
            return
        ending = asyncio.create_task(self.services.coordinator.shut_down(drain_timeout_s=0))
        await asyncio.wait([ending], timeout=HURRY_S)
        self._has_ended = True
        if not ending.done():
            structlog.get_logger().error("phones_may_be_alive", transfers=self.services.coordinator.live_count)
            ending.cancel()
            await asyncio.wait([ending])


class _Server(uvicorn.Server):
    """
    Uvicorn, but for signals: it would cut every call at the first one; and for connections, which the loop would take
    and close when there are no descriptors for them.
    """

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to the service."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take connections."""
        await self.lifespan.startup()
        make: Callable[..., asyncio.Protocol] = self.config.http_protocol_class
        protocol = functools.partial(make, config=self.config, server_state=self.server_state, app_state={})
        self.servers = [Acceptor(each, protocol) for each in sockets or ()]  # type: ignore[misc] # all it needs of them
        self.started = True


async def serve(settings: Settings) -> None:
    """
    Run the service until SIGTERM or SIGINT.

    Raises:
        ConfigurationError: as ``running``.
        StoreUnavailable: the embedded store did not start, or ended by itself.
    """
    asked: asyncio.Queue[None] = asyncio.Queue()
    stop_signals.tell(lambda: asked.put_nowait(None))
    async with running(settings) as service:
        gc.collect()
        gc.freeze()  # a full collection later need not look at all that lives as long as the process
        gc.set_threshold(*GC_THRESHOLDS)
        structlog.get_logger().info("serving", url=service.base_url, carriers=sorted(service.services.controls))
        stopping = asyncio.create_task(_stop_when_asked(service, asked))
        try:
            await service.until_stopped()
        finally:
            stopping.cancel()
    if service.has_lost_store:
        raise StoreUnavailable("embedded store: expected a server that runs, got one that ended: see the log")


async def _stop_when_asked(service: Service, asked: asyncio.Queue[None]) -> None:
    while True:
        await asked.get()
        service.stop()


@asynccontextmanager
async def running(
    settings: Settings, *, worker: Sequence[str] = WORKER, worker_log: IO[str] | None = None
) -> AsyncIterator[Service]:
    """
    A service that serves, within the block; leaving it ends every transfer.

    Args:
        settings: all there are.
        worker: what is started for each bridge; see ``bridging``.
        worker_log: where that logs; None: to our standard error.

    Raises:
        ConfigurationError: it cannot listen where it should, or may not have the descriptors that it needs.
        StoreUnavailable: the embedded store did not start.
    """
    check_descriptors(settings.max_transfers)
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(contextlib.closing(_listen(settings.listen)))
        base_url = _base_url(settings.listen, listener)
        lost = asyncio.Event()
        public_url = settings.public_url or base_url
        open_bridging = functools.partial(bridging, settings, worker=worker, log=worker_log)
        services = await _assemble(stack, settings, public_url, open_bridging=open_bridging, on_store_lost=lost.set)
        server = _Server(
            uvicorn.Config(
                create_app(services),
                http=BoundedHttp,
                ws=media_upgrade(services),
                loop="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,  # nothing depends on where a request says it comes from
                server_header=False,
                backlog=BACKLOG,
                timeout_graceful_shutdown=LINGER_S,
            )
        )
        service = Service(services, base_url)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        serving.add_done_callback(lambda _: service.stop())
        watching = asyncio.create_task(_stop_when_lost(service, lost))
        stack.callback(watching.cancel)
        stack.push_async_callback(_end_serving, server, serving)
        stack.push_async_callback(services.store.close)  # whoever still waits for a transfer waits for nothing
        stack.push_async_callback(service.end)
        services.coordinator.recover()
        yield service


async def _stop_when_lost(service: Service, lost: asyncio.Event) -> None:
    """Transfers cannot go on without their store: whoever runs the service starts it again, with a new one."""
    await lost.wait()
    service.has_lost_store = True
    service.stop()
    service.stop()


async def _end_serving(server: uvicorn.Server, serving: asyncio.Task[None]) -> None:
    server.should_exit = True
    await serving


async def _assemble(
    stack: AsyncExitStack,
    settings: Settings,
    public_url: str,
    *,
    open_bridging: Callable[..., AbstractAsyncContextManager[Bridging]],
    on_store_lost: Callable[[], None],
) -> Services:
    metrics, urls = Metrics(), CarrierUrls(public_url)
    rooms = RoomPolicy(settings.daily_domains, settings.local_rooms)
    if settings.redis_url is not None:
        store_url = settings.redis_url.get_secret_value()
    else:
        store_url = (await stack.enter_async_context(EmbeddedStore(on_lost=on_store_lost))).url
    store = TransferStore(store_url, prefix=settings.redis_prefix)
    stack.push_async_callback(store.close)
    await store.open()
    session = await stack.enter_async_context(carrier_session())
    controls = _controls(settings)
    carriers: dict[str, CarrierAccount | AriAccount] = {}
    for name, control in controls.items():
        account = CarrierAccount(control, session, urls, metrics=metrics, timeout_s=settings.dial_timeout_s)
        if isinstance(control, AsteriskControl):
            carriers[name] = AriAccount(control, account, session, urls)
        else:
            carriers[name] = account
    bridges = await stack.enter_async_context(open_bridging(rooms=rooms, session=session, metrics=metrics))
    within = bounds(max_cpu_percent=settings.max_cpu_percent, max_loop_lag_ms=settings.max_loop_lag_ms)
    admission = stack.enter_context(watching(metrics, Machine(), within))
    coordinator = Coordinator(
        store,
        AdmittingBridges(bridges.pool, admission),
        carriers,
        node_id=secrets.token_hex(8),
        settings=_coordinator_settings(settings),
        on_change=metrics.changed,
    )
    asterisk = carriers.get(AsteriskControl.name)
    if isinstance(asterisk, AriAccount):
        await stack.enter_async_context(asterisk.listening(coordinator))
        _watch_asterisk(metrics, asterisk)
    metrics.watch("relay_transfers_live", "Transfers that hold a bridge", lambda: coordinator.live_count)
    metrics.watch("relay_store_available", "Whether the store answers", lambda: store.is_available)
    metrics.watch("relay_tasks", "What the loop has to do: asyncio's tasks", lambda: len(asyncio.all_tasks()))
    metrics.watch("relay_log_lines_lost", "Lines of the service's own log that were not taken", lambda: LogLines.lost)
    return Services(
        settings=settings,
        store=store,
        coordinator=coordinator,
        controls=controls,
        urls=urls,
        rooms=rooms,
        numbers=NumberPolicy(settings.allowed_numbers, settings.denied_numbers),
        metrics=metrics,
        admission=admission,
        bridging=bridges,
        asterisk=asterisk if isinstance(asterisk, AriAccount) and len(carriers) == 1 else None,
    )


def _watch_asterisk(metrics: Metrics, carrier: AriAccount) -> None:
    metrics.watch("relay_asterisk_heard", "Whether Asterisk's events are heard", lambda: carrier.is_heard)


def _coordinator_settings(settings: Settings) -> CoordinatorSettings:
    return CoordinatorSettings(
        max_transfers=settings.max_transfers,
        transfers_per_minute=settings.transfers_per_minute,
        transfers_per_day=settings.transfers_per_day,
        course=CourseSettings(
            answer_timeout_s=settings.answer_timeout_s,
            accept_timeout_s=settings.accept_timeout_s,
            ringback=settings.ringback,
        ),
    )


def _controls(settings: Settings) -> Mapping[str, CarrierControl]:
    """The carriers that are configured."""
    return {name: account.control(settings) for name, account in ACCOUNTS.items() if account.is_whole(settings)}


def _listen(address: ListenAddress) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=BACKLOG)
    except OSError as error:
        fix = "stop what listens there, or set RELAY_LISTEN to another address"
        got = f"{address}: {error.strerror or error}"
        raise ConfigurationError([Problem("RELAY_LISTEN", "an address to listen on", got, fix)]) from error


def _base_url(address: ListenAddress, listener: socket.socket) -> str:
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"http://{host}:{listener.getsockname()[1]}"
