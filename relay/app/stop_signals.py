"""
The signals that ask the service to end, from its first moment on.

While the code is loaded, which takes seconds, nobody listens yet; and a container's first process is not ended by a
signal without a handler, which Linux drops.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Final

STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_early: Final[list[int]] = []
"""Those that came before ``tell``. The process's handlers are one for all, and so is this."""


def remember() -> None:
    """Keep them until somebody listens."""
    for number in STOP_SIGNALS:
        signal.signal(number, lambda number, _: _early.append(number))


def tell(asked: Callable[[], None]) -> None:
    """Call ``asked`` for each that has come, and on the running loop for each that comes."""
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, asked)
    while _early:
        _early.pop()
        asked()
