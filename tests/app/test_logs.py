"""What is written (T12, T13): every event of structlog and of the standard library, one line each, without secrets."""

import contextlib
import io
import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import pytest
import structlog

from relay.app.logs import TALKATIVE, LogLines, configure_logging
from relay.app.settings import LogFormat, LogLevel

SECRET = "twilio-token-canary"  # noqa: S105 - of nobody
NUMBER = "+14155550123"


def fail(error: Exception) -> None:
    raise error


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Let the process log again as it did."""
    root, access = logging.getLogger(), logging.getLogger("uvicorn.access")
    handlers, level, levels = root.handlers, root.level, {name: logging.getLogger(name).level for name in TALKATIVE}
    yield
    structlog.reset_defaults()
    root.handlers = handlers
    root.setLevel(level)
    access.disabled = False
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def configured(log_format: LogFormat = LogFormat.JSON, level: LogLevel = LogLevel.INFO) -> io.StringIO:
    stream = io.StringIO()
    configure_logging(level, log_format, secrets=[SECRET], stream=stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_line_of_json() -> None:
    stream = configured()
    structlog.get_logger("relay").bind(transfer_id="tr_1").info("transfer.joined", delay_ms=25)
    (line,) = lines(stream)
    assert str(line.pop("timestamp")).endswith("Z")
    assert line == {"event": "transfer.joined", "level": "info", "transfer_id": "tr_1", "delay_ms": 25}


def test_the_standard_librarys_records_are_lines_like_these() -> None:
    stream = configured()
    logging.getLogger("uvicorn.error").warning("Shutting %s", "down")
    (line,) = lines(stream)
    assert str(line.pop("timestamp")).endswith("Z")
    assert line == {"event": "Shutting down", "level": "warning", "logger": "uvicorn.error"}


def test_what_is_bound_to_the_context_is_in_the_line() -> None:
    stream = configured()
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.get_logger().info("api.request")
    assert lines(stream)[0]["request_id"] == "r1"


@pytest.mark.parametrize("log_format", [LogFormat.JSON, LogFormat.CONSOLE])
def test_planted_secrets_are_in_no_line(log_format: LogFormat) -> None:
    stream = configured(log_format)
    log = structlog.get_logger()
    standard = logging.getLogger("aiohttp.client")
    log.info("dial %s", NUMBER, token=SECRET, order={"to": [NUMBER]})
    log.bind(token=SECRET).warning("refused")
    standard.warning("POST /Calls.json To=%s %s", NUMBER, {"token": SECRET})
    try:
        fail(ValueError(f"{SECRET} does not open {NUMBER}"))
    except ValueError as error:
        log.exception("failed", error=error)
        standard.exception("failed")
        log.info("kept", exc_info=error)
    log.info("stack", stack_info=True)
    text = stream.getvalue()
    assert text.count("Traceback (most recent call last)") == 3
    assert "does not open +*********23" in text
    assert SECRET not in text
    assert NUMBER[1:] not in text


def test_a_traceback_of_causes_and_notes_is_clean_too() -> None:
    stream = configured()
    try:
        try:
            fail(KeyError(SECRET))
        except KeyError as error:
            other = RuntimeError("outer")
            other.add_note(f"while dialling {NUMBER}")
            raise other from error
    except RuntimeError:
        structlog.get_logger().exception("failed")
    (line,) = lines(stream)
    assert "KeyError: '***'" in str(line["exception"])
    assert "while dialling +*********23" in str(line["exception"])


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError(SECRET)


@pytest.mark.parametrize("log_format", [LogFormat.JSON, LogFormat.CONSOLE])
@pytest.mark.parametrize("arguments", [(1, 2, 3), (Unprintable(),), ("\ud800",), ({"a": Unprintable()},)])
def test_a_record_that_cannot_be_shown_is_a_line_all_the_same(
    log_format: LogFormat, arguments: tuple[object, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """The standard library would print the record's own traceback, secrets included, past every filter."""
    stream = configured(log_format)
    logging.getLogger("x").warning("the event %r", *arguments)
    structlog.get_logger().warning("the event", value=arguments)
    assert stream.getvalue().count("the event") == 2
    assert SECRET not in stream.getvalue()
    assert capsys.readouterr() == ("", "")
    stream.getvalue().encode()


def test_the_level_is_that_of_both() -> None:
    stream = configured(level=LogLevel.WARNING)
    structlog.get_logger().info("quiet")
    logging.getLogger("x").info("quiet")
    structlog.get_logger().warning("loud")
    logging.getLogger("x").warning("loud")
    assert [line["event"] for line in lines(stream)] == ["loud", "loud"]


def test_libraries_never_log_whole_requests() -> None:
    """The debug lines of websockets have the path of the upgrade in them, and that has the token."""
    stream = configured(level=LogLevel.DEBUG)
    logging.getLogger("websockets.server").debug("< GET /carriers/twilio/tr_1/media/x")
    logging.getLogger("relay").debug("seen")
    assert [line["event"] for line in lines(stream)] == ["seen"]


def test_uvicorns_access_log_is_silent() -> None:
    stream = configured()
    logging.getLogger("uvicorn.access").info("GET /carriers/twilio/tr_1/media/x")
    assert stream.getvalue() == ""


def test_at_a_terminal_lines_are_for_people() -> None:
    terminal = Terminal()
    configure_logging(LogLevel.INFO, LogFormat.AUTO, stream=terminal)
    structlog.get_logger().info("transfer.joined", transfer_id="tr_1")
    assert "transfer.joined" in terminal.getvalue()
    with pytest.raises(json.JSONDecodeError):
        json.loads(terminal.getvalue())


def test_elsewhere_lines_are_for_machines() -> None:
    stream = configured(LogFormat.AUTO)
    structlog.get_logger().info("transfer.joined")
    assert lines(stream)[0]["event"] == "transfer.joined"


def test_standard_error_is_where_lines_go(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogLevel.INFO, LogFormat.JSON)
    structlog.get_logger().info("transfer.joined")
    output = capsys.readouterr()
    assert output.out == ""
    assert json.loads(output.err)["event"] == "transfer.joined"


def full_disk() -> TextIO:
    return Path("/dev/full").open("w")


def pipe_without_a_reader() -> TextIO:
    reader, writer = os.pipe()
    os.close(reader)
    return os.fdopen(writer, "w", buffering=1)


def closed_stream() -> TextIO:
    stream = io.StringIO()
    stream.close()
    stream.isatty = lambda: False  # type: ignore[method-assign] # it was asked before
    return stream


@pytest.mark.parametrize("opened", [full_disk, pipe_without_a_reader, closed_stream])
def test_a_line_that_is_not_taken_is_counted_and_costs_nobody_anything(opened: Callable[[], TextIO]) -> None:
    stream = opened()
    configure_logging(LogLevel.INFO, LogFormat.JSON, stream=stream)
    before = LogLines.lost
    for _ in range(1000):  # more than a stream keeps
        structlog.get_logger().info("transfer.joined", detail="x" * 100)
        logging.getLogger("x").warning("x")
    assert LogLines.lost - before == 2000
    with contextlib.suppress(OSError):
        stream.close()


def test_a_pipe_that_nobody_reads_keeps_nobody_waiting() -> None:
    reader, writer = os.pipe()
    try:
        with os.fdopen(writer, "w", buffering=1) as stream:
            configure_logging(LogLevel.INFO, LogFormat.JSON, stream=stream)
            before = LogLines.lost
            for detail in (*["x" * 100] * 1000, "x" * 100_000):
                structlog.get_logger().info("transfer.joined", detail=detail)
            assert 0 < LogLines.lost - before < 1001
            os.read(reader, 1 << 20)
            structlog.get_logger().info("transfer.ended")
            assert b"transfer.ended" in os.read(reader, 1 << 20)
    finally:
        os.close(reader)


class CountedWrites(io.FileIO):
    """A file that knows how long each write to it was."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w")
        self.sizes: list[int] = []

    def write(self, data: Any) -> int:
        self.sizes.append(len(data))
        return super().write(data)


@pytest.mark.parametrize("chars", [100, 3000, 100_000])
def test_a_line_goes_to_a_file_at_once_and_whole(tmp_path: Path, chars: int) -> None:
    """A service and its workers write to one file: what comes in pieces, another's line may come between."""
    file = CountedWrites(tmp_path / "log")
    with io.TextIOWrapper(file, write_through=True) as stream:
        LogLines(stream).write(chars * "x" + "\n")
        assert file.sizes == [chars + 1]


def test_a_second_configuration_replaces_the_first() -> None:
    log = structlog.get_logger()
    first, second = configured(), configured()
    log.info("one")
    logging.getLogger("x").warning("two")
    assert first.getvalue() == ""
    assert [line["event"] for line in lines(second)] == ["one", "two"]


def test_a_secret_that_is_learnt_is_in_no_line_of_a_logger_that_was_there_before() -> None:
    stream = io.StringIO()
    redactor = configure_logging(LogLevel.INFO, LogFormat.JSON, secrets=[SECRET], stream=stream)
    bound, standard = structlog.get_logger().bind(room="blue"), logging.getLogger("x")
    redactor.learn("room-token-canary")
    bound.info(f"room-token-canary {SECRET}")
    standard.warning("room-token-canary %s", SECRET)
    assert [line["event"] for line in lines(stream)] == ["*** ***"] * 2
