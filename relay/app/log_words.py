"""The words that say how the process logs. They are apart from the settings, which a worker does not load."""

from __future__ import annotations

from enum import StrEnum


class LogLevel(StrEnum):
    """From what on events are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How an event becomes a line."""

    JSON = "json"
    CONSOLE = "console"
    AUTO = "auto"
    """For people at a terminal, else JSON."""
