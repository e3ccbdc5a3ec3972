"""A service under test: ``relay serve`` as its user starts it, in a process of its own, with settings and a log."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from relay.client import Overloaded, TransferView
from relay.dev.bench.processes import Child

SERVE: Final = ("-m", "relay", "serve")
BUSY_MACHINE: Final = ("-m", "relay.dev.bench.busy_service")
"""As ``SERVE``, but that it takes calls however busy the machine is."""
CALLS_MAX: Final = 100
"""As many spares as a service may have: so many calls find their worker ready."""
START_S: Final = 60.0
REFUSED_S: Final = 60.0
"""For how long a service is asked again that takes no call for want of machine."""
PATIENCE_S: Final = 1.0
"""Between two tries, if it does not say how long to wait."""


@dataclass(frozen=True, slots=True)
class Service:
    """One that serves."""

    child: Child
    url: str


@asynccontextmanager
async def serving(
    settings: Mapping[str, str],
    log: Path,
    *,
    command: Sequence[str] = SERVE,
    environment: Mapping[str, str] | None = None,
    core: int | None = None,
    on_event: Callable[[Mapping[str, Any]], None] = lambda _: None,
) -> AsyncIterator[Service]:
    """
    A service, within the block; leaving it kills it, if it still runs.

    Args:
        settings: by their names, without ``RELAY_``; where to listen and how to log are given.
        log: what it logs goes there.
        command: of Python, what it is.
        environment: more than this process has.
        core: it and its workers are kept to that one.
        on_event: told each line of the log; one that is no JSON is an error whose event it is.

    Raises:
        TimeoutError: it does not serve, for ``START_S``.
    """
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    variables = {f"RELAY_{name}": value for name, value in {**settings, **_OWN}.items()}
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(log.open("w", buffering=1))

        def line(text: str) -> None:
            file.write(text)
            event = logged(text)
            if event.get("event") == "serving" and not url.done():
                url.set_result(event["url"])
            on_event(event)

        async with Child(*command, environment={**(environment or {}), **variables}, on_line=line, core=core) as child:
            async with asyncio.timeout(START_S):
                base_url = await url
            yield Service(child, base_url)


async def taken(
    ask: Callable[[], Awaitable[TransferView]], on_refusal: Callable[[], object], *, within_s: float = REFUSED_S
) -> TransferView:
    """
    Ask until the service takes a call; ``on_refusal`` is told each time that it does not for want of machine.

    Raises:
        TimeoutError: it takes none, for ``within_s``.
        ClientError: it refuses it otherwise.
    """
    try:
        async with asyncio.timeout(within_s):
            while True:
                try:
                    return await ask()
                except Overloaded as error:
                    on_refusal()
                    await asyncio.sleep(error.retry_after_s or PATIENCE_S)
    except TimeoutError:
        raise TimeoutError(f"expected a service that takes a call within {within_s:g} s, got refusals") from None


_OWN: Final = {"LISTEN": "127.0.0.1:0", "LOG_FORMAT": "json"}


def logged(line: str) -> Mapping[str, Any]:
    """What a line of the log says; one that is none of its own is an error."""
    with contextlib.suppress(ValueError):
        event: dict[str, Any] = json.loads(line)
        return event
    return {"level": "error", "event": line.strip()}


def metrics_of(text: str) -> Mapping[str, float]:
    """The gauges and counters without labels of Prometheus' text format."""
    lines = (line.split() for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in lines if "{" not in name}
