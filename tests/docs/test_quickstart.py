"""The quickstart, command by command, with real processes: what it says is printed is what is printed."""

from __future__ import annotations

import json
import re
import wave
from pathlib import Path
from typing import Any

import pytest

from tests.app.process import WHATEVER_THE_LOAD
from tests.docs.shell_pages import ROOT, Block, free_ports, run_blocks, shell_blocks

PAGE = ROOT / "docs" / "quickstart.md"
SETUP, *STEPS = shell_blocks(PAGE)
PORTS = {"ROOM_PORT": "8090", "CARRIER_PORT": "8091", "HTTP_PORT": "8080"}


def same_for_all(text: str) -> str:
    """Without what is another each time."""
    text = re.sub(r"tr_[0-9a-f]{32}", "tr_ID", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "TIME", text)
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)


def seen(shown_as: str, text: str) -> Any:
    """What a reader compares: of JSON the content, of text the lines."""
    return json.loads(same_for_all(text)) if shown_as == "json" else text.splitlines()


def test_the_first_block_is_what_made_this_environment() -> None:
    assert SETUP.commands.split()[0] == "scripts/setup"


def test_the_ports_on_the_page_are_those_of_the_commands() -> None:
    for name, port in PORTS.items():
        assert f"{name}=${{{name}:-{port}}}" in STEPS[0].commands


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("quickstart")


@pytest.fixture(scope="module")
def printed(folder: Path) -> list[str]:
    ports = [str(port) for port in free_ports(len(PORTS))]
    return run_blocks(STEPS, folder, dict(zip(PORTS, ports, strict=True)) | WHATEVER_THE_LOAD)


@pytest.mark.parametrize("number", range(len(STEPS)))
@pytest.mark.long
def test_a_block_prints_what_the_page_shows(printed: list[str], number: int) -> None:
    block: Block = STEPS[number]
    if block.shown_as:
        assert seen(block.shown_as, printed[number]) == seen(block.shown_as, block.shown)
    else:
        assert printed[number] == ""


@pytest.mark.long
def test_the_customer_has_heard_the_phone_ring(printed: list[str], folder: Path) -> None:
    with wave.open(str(folder / "customer.wav")) as recording:
        pcm = memoryview(recording.readframes(recording.getnframes())).cast("h")
    assert max(pcm, default=0) > 1000


@pytest.mark.long
def test_the_log_has_no_number_and_no_token(printed: list[str], folder: Path) -> None:
    log = (folder / "relay.log").read_text()
    assert "joined" in log
    for secret in ("4155550123", "4155550100", "simulated000"):
        assert secret not in log
