"""The files of a run are there, and none of an earlier one."""

import wave
from pathlib import Path

from relay.dev.demo.files import log_path, write_files
from relay.dev.demo.report import report_of
from relay.dev.demo.scenarios import BY_NAME
from tests.dev.demo.made_up import evidence

ANSWERED = BY_NAME["answered"]


def test_recordings_plot_and_log_are_named(tmp_path: Path) -> None:
    files = write_files(report_of(ANSWERED, evidence()), tmp_path)
    assert list(files) == ["customer_heard", "agent_heard", "delay_plot", "log"]
    assert Path(files["delay_plot"]).read_text().startswith("<svg ")
    with wave.open(files["customer_heard"]) as file:
        assert (file.getframerate(), file.getnframes(), file.getnchannels()) == (8000, 800, 1)
    assert files["log"] == str(log_path(tmp_path, "answered"))


def test_what_there_is_not_this_time_is_not_left_from_the_last(tmp_path: Path) -> None:
    write_files(report_of(ANSWERED, evidence()), tmp_path)
    files = write_files(report_of(ANSWERED, evidence(tapes={}, moments={})), tmp_path)
    assert list(files) == ["log"]
    assert list(tmp_path.iterdir()) == []
