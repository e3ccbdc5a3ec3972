"""Whether Redis answers, as those found who asked it last."""

from __future__ import annotations

import structlog

_log = structlog.get_logger(__name__)


class Health:
    """
    Good while there are answers; bad at first. A change is logged: ``<what>_available``, ``<what>_unavailable``.

    Args:
        what: is asked for.
    """

    def __init__(self, what: str) -> None:
        self.is_good = False
        self._what = what

    def note(self, error: Exception | None) -> None:
        """Take note of how asking ended; None: with an answer."""
        if self.is_good == (error is None):
            return
        self.is_good = error is None
        if error is None:
            _log.info(f"{self._what}_available")
        else:
            _log.warning(f"{self._what}_unavailable", error=f"{type(error).__name__} {error}")
