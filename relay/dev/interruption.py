"""Giving up, from outside, what a task awaits, without cancelling the task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Interrupted(Exception):
    """What was awaited has been given up."""


class Interruption:
    """For one task: ``interrupt`` ends what it awaits inside ``awaiting``, and all that it would await there later."""

    def __init__(self) -> None:
        self.is_interrupted = False
        self._scope: asyncio.Timeout | None = None

    def interrupt(self) -> None:
        """Give up; once and for all."""
        self.is_interrupted = True
        if self._scope is not None:
            self._scope.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def awaiting(self) -> AsyncIterator[None]:
        """
        What is awaited inside can be interrupted.

        Raises:
            Interrupted: it was, or had been before.
        """
        if self.is_interrupted:
            raise Interrupted
        scope = asyncio.timeout(None)
        try:
            async with scope:
                self._scope = scope
                yield
        except TimeoutError:
            if scope.expired():
                raise Interrupted from None
            raise
        finally:
            self._scope = None
