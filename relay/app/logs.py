"""Logs: structlog's events and those of the standard library, one line each, nothing in them that must not be."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import stat
import sys
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from relay.app.log_words import LogFormat, LogLevel
from relay.app.redaction import Redactor, text_of

TALKATIVE: Final = ("aiohttp", "asyncio", "uvicorn", "websockets")
"""Libraries whose debug lines have whole requests, headers and frames in them: never below ``info``."""

_encode: Final = json.JSONEncoder(ensure_ascii=False).encode  # json.dumps would make an encoder for each line
_LEVELS: Final = {level: logging.getLevelNamesMapping()[level.upper()] for level in LogLevel}


def configure_logging(
    level: LogLevel, log_format: LogFormat, *, secrets: Iterable[str] = (), stream: TextIO | None = None
) -> Redactor:
    """
    Send every log line of the process to one stream.

    Uvicorn's access log is switched off, as its lines have whole paths, and paths of media have tokens.

    Args:
        level: from what on.
        log_format: ``auto`` looks at the stream.
        secrets: as ``Settings.secrets``.
        stream: standard error if there is none.

    Returns:
        What sees each line last. It can learn more secrets, which are in no line from then on, whoever writes it: a
        logger that is bound keeps it, also when this is called again.
    """
    stream = sys.stderr if stream is None else stream
    is_console = log_format is LogFormat.CONSOLE or (log_format is LogFormat.AUTO and stream.isatty())
    lines = LogLines(stream)
    redactor = Redactor(secrets)
    finish = _finishing(redactor, is_console=is_console, colors=stream.isatty())
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, *finish],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", lines)),
        cache_logger_on_first_use=False,  # modules hold loggers that must follow when this is called again
    )
    root = logging.getLogger()
    root.handlers = [StandardLogHandler(lines, finish)]
    root.setLevel(_LEVELS[level])
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(_LEVELS[level], logging.INFO))
    logging.getLogger("uvicorn.access").disabled = True
    return redactor


PIECE_BYTES: Final = select.PIPE_BUF
"""What a pipe that can be written to has room for, and takes as one: others write to it, too (pipe(7))."""


class LogLines:
    """
    Where lines go. One that is not taken is lost, and no more than that: calls go on, and end, when the disk of the log
    is full, or whoever reads it is gone, or stands still.
    """

    lost: ClassVar[int] = 0
    """Lines of this process that were not taken."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._ready: select.poll | None = None
        """Says whether a pipe, socket or terminal takes ``PIECE_BYTES`` now; a file always takes all."""
        with contextlib.suppress(OSError, ValueError):  # it is in memory, or closed
            descriptor = stream.fileno()
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                self._ready = select.poll()
                self._ready.register(descriptor, select.POLLOUT)

    def write(self, text: str) -> None:
        """Write a line, at once, if it can be; never raises, and never waits."""
        try:
            chars = len(text)
            if self._ready is not None:
                chars = PIECE_BYTES if text.isascii() else PIECE_BYTES // 4
            for at in range(0, len(text), chars):
                if self._ready is not None and not self._ready.poll(0):
                    raise BlockingIOError
                self._stream.write(text[at : at + chars])
                self._stream.flush()
        except (OSError, ValueError):  # ValueError: it is closed
            LogLines.lost += 1

    def flush(self) -> None:
        """Do nothing: each line is written at once."""


class StandardLogHandler(logging.Handler):
    """Writes the standard library's records as structlog's events are written: ``event`` is the message."""

    def __init__(self, lines: LogLines, finish: Sequence[Processor]) -> None:
        super().__init__()
        self._lines = lines
        self._finish = finish

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, whatever is wrong with the record."""
        event: EventDict = {"event": _message(record), "level": record.levelname.lower(), "logger": record.name}
        if record.exc_info and record.exc_info[0] is not None:
            event["exc_info"] = record.exc_info
        line: Any = event  # until the last of them makes a line of it
        for process in self._finish:
            line = process(None, record.levelname.lower(), line)
        self._lines.write(f"{line}\n")


def _finishing(redactor: Redactor, *, is_console: bool, colors: bool) -> list[Processor]:
    """From an event to its line. Tracebacks become text first: the redactor is the last that sees what is written."""
    renderer: Processor
    if is_console:
        renderer = structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)
    else:
        renderer = _as_json
    return [
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redactor,
        renderer,
    ]


def _as_json(_logger: WrappedLogger, _name: str, event: EventDict) -> str:
    return _encode(event)  # the redactor has left nothing in it that JSON does not know


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a message that does not fit its arguments is a line all the same
        return f"{text_of(record.msg)} {text_of(record.args)}"
