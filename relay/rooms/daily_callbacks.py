"""Where the threads of Daily's SDK cross to the event loop: in this one place, which can be shut."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

import structlog

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger(__name__)


class Crossing:
    """
    Calls on the loop's thread what the SDK says on its own, in the order in which it says it.

    What comes after ``shut``, or after the loop has closed, is dropped: the SDK goes on calling back while a client is
    being released. It holds the GIL and a lock of its own meanwhile, so that nothing here may wait.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._is_shut = False

    def shut(self) -> None:
        """Nothing arrives from here on, not even what is on its way."""
        self._is_shut = True

    def call(self, function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Call it on the loop's thread. From any thread."""
        if self._is_shut:
            return
        try:
            self._loop.call_soon_threadsafe(lambda: self._arrive(function, *args, **kwargs))
        except RuntimeError:  # the loop has closed
            self._is_shut = True

    def once(self, function: Callable[P, object]) -> Callable[P, None]:
        """A completion for the SDK that calls ``function`` on the loop's thread: the first time it is called."""
        is_over = False

        def first(*args: P.args, **kwargs: P.kwargs) -> None:
            nonlocal is_over  # on the loop's thread only, however many threads complete it
            if not is_over:
                is_over = True
                function(*args, **kwargs)

        def completion(*args: P.args, **kwargs: P.kwargs) -> None:
            self.call(first, *args, **kwargs)

        return completion

    def _arrive(self, function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        if self._is_shut:
            return
        try:
            function(*args, **kwargs)
        except Exception:  # the next callback must find the room as it was
            log.exception("daily.callback_failed")


class SdkThread:
    """
    The calls into the SDK that may block: one after the other, in a thread of their own.

    A daemon, and no executor's: ``release()`` may hang for good, and neither the loop nor the process may wait for it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, name: str) -> None:
        self._loop = loop
        self._crossing = Crossing(loop)
        self._jobs: Final[queue.SimpleQueue[Callable[[], None] | None]] = queue.SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def run(self, call: Callable[[], T]) -> asyncio.Future[T]:
        """What ``call`` returns or raises, after everything that was to run before. It runs even if nobody waits."""
        answer: asyncio.Future[T] = self._loop.create_future()

        def job() -> None:
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 - a panic of the SDK's is no Exception
                self._crossing.call(_fail, answer, error)
            else:
                self._crossing.call(_answer, answer, result)

        self._jobs.put(job)
        return answer

    def end(self) -> None:
        """End it after what it has to do."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


def _answer(answer: asyncio.Future[T], result: T) -> None:
    if not answer.done():
        answer.set_result(result)


def _fail(answer: asyncio.Future[T], error: BaseException) -> None:
    if not answer.done():
        answer.set_exception(error if isinstance(error, Exception) else RuntimeError(repr(error)))
        answer.exception()  # nobody may be waiting, which is not worth a warning
