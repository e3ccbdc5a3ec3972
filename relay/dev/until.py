"""Waiting for what a stand-in has come to, without polling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Changes:
    """Wakes those that wait for a condition; its owner calls ``changed`` whenever one may have come true."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[bool]]] = []
        self._ended: str | None = None

    def changed(self) -> None:
        """Look at all conditions again."""
        for met, future in self._waiting:
            if not future.done() and met():
                future.set_result(True)

    def end(self, why: str) -> None:
        """Nothing will change any more: fail those that wait."""
        self._ended = why
        self.changed()
        for _, future in self._waiting:
            if not future.done():
                future.set_result(False)

    async def until(self, met: Callable[[], bool], what: str, *, timeout_s: float) -> None:
        """
        Return when ``met()``; ``what`` names it in errors.

        Raises:
            TimeoutError: it was not, for so long.
            ConnectionError: it can not come true any more.
        """
        if met():
            return
        if self._ended is not None:
            raise ConnectionError(f"{what}: {self._ended}")
        entry = (met, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(timeout_s):
                came = await entry[1]
        except TimeoutError as error:
            raise TimeoutError(f"{what}: not within {timeout_s} s") from error
        finally:
            self._waiting.remove(entry)
        if not came:
            raise ConnectionError(f"{what}: {self._ended}")
