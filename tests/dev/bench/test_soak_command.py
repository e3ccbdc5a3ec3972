"""``relay bench soak``: whatever ends it is told."""

import asyncio
from pathlib import Path

import aiohttp
import pytest
import typer

from relay.dev.bench import soak_command


@pytest.mark.parametrize(
    "error", [aiohttp.ServerDisconnectedError(), ExceptionGroup("calls", [OSError("gone")])], ids=["answer", "calls"]
)
def test_what_ends_a_soak_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    async def soak(*_: object) -> None:
        await asyncio.sleep(0)
        raise error

    monkeypatch.setattr(soak_command, "soak", soak)
    monkeypatch.setattr(soak_command, "end_as_by_ctrl_c", lambda: None)
    monkeypatch.setattr("structlog.configure", lambda **_: None)
    with pytest.raises(typer.Exit):
        soak_command.run(out=tmp_path)
    assert "The soak came to nothing" in capsys.readouterr().out
