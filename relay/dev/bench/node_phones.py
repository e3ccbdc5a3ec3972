"""The phones of the simulated carrier in C: the carrier answers the dial and fetches the document, the load talks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from relay.dev.bench.phone_call import Call
from relay.dev.bench.phones import LoadError, PhonesProcess
from relay.dev.phone import SimulatedPhone


class LoadPhones:
    """
    Makes the phone of each media stream, for ``SimulatedCarrier(phone=...)``.

    Args:
        phones: the load, that calls the service.
    """

    def __init__(self, phones: PhonesProcess) -> None:
        self.indices: dict[str, int] = {}
        """Of each number that was dialled, its phone in the load."""
        self._phones = phones

    def __call__(self, url: str, *arguments: Any, **options: Any) -> SimulatedPhone:
        """A phone, as ``SimulatedPhone``; what it would say is not asked."""
        return _LoadPhone(self, url, *arguments, **options)

    async def add(self, to: str, call: Call) -> None:
        """
        Let a phone begin.

        Raises:
            OSError: the service does not let it.
        """
        try:
            (self.indices[to],) = await asyncio.to_thread(self._phones.add, call)
        except LoadError as error:
            raise ConnectionRefusedError(str(error)) from error

    async def hang_up(self, to: str) -> None:
        """Let it say ``stop``, if it is still connected."""
        await asyncio.to_thread(self._phones.hang_up, self.indices[to])


class _LoadPhone(SimulatedPhone):
    """A phone of the load: the carrier sees when its call has ended, and nothing of its audio."""

    def __init__(
        self, owner: LoadPhones, url: str, *arguments: Any, headers: Mapping[str, str] | None = None, **options: Any
    ) -> None:
        super().__init__(url, *arguments, headers=headers, **options)
        self._owner = owner
        self._url = url
        self._headers = headers or {}

    async def __aenter__(self) -> Self:
        url = urlsplit(self._url)
        path = f"{url.path}?{url.query}" if url.query else url.path
        opening = [text.decode() for text in (self._wire.connected(), self._wire.start()) if text]
        call = Call(self.call.stream_sid, path, dict(self._headers), dict(self.call.custom_parameters), opening)
        await self._owner.add(self.call.to, call)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._owner.hang_up(self.call.to)
