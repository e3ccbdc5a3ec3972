"""``relay serve`` with a leak that its argument names: of each call a socket stays, or a task that never ends."""

import asyncio
import socket
import sys
from typing import Any
from unittest.mock import patch

from relay.app import cli
from relay.app.admission import AdmittingBridges
from relay.dev.bench.busy_service import not_watching

KEPT: list[object] = []


def leak(what: str) -> object:
    if what == "socket":
        return socket.socket()
    return asyncio.create_task(asyncio.Event().wait())


def main() -> None:
    acquire = AdmittingBridges.acquire
    what = sys.argv.pop()

    async def leaking(*arguments: Any, **options: Any) -> Any:
        KEPT.append(leak(what))
        return await acquire(*arguments, **options)

    with patch.object(AdmittingBridges, "acquire", leaking), not_watching():
        cli.run()


if __name__ == "__main__":
    main()
