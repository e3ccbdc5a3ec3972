"""A service that is asked to end before anybody can listen, as a real process."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import uvloop

from tests.app.process import settings_with, started

ASKED_EARLY = """
import importlib, os, signal
from relay.__main__ import main

load = importlib.import_module

def asked_before(name, *package, **others):
    if name == "relay.app.cli":
        os.kill(os.getpid(), signal.{signal})
    return load(name, *package, **others)

importlib.import_module = asked_before
main()
"""


@pytest.mark.parametrize("number", ["SIGTERM", pytest.param("SIGINT", marks=pytest.mark.long)])
def test_a_service_that_is_asked_to_end_while_its_code_is_loaded_does_so(number: str) -> None:
    async def scenario() -> None:
        with tempfile.TemporaryDirectory(prefix="relay-") as folder:
            program = ("-c", ASKED_EARLY.format(signal=number), "serve")
            async with started(Path(folder), settings_with(), program) as service:
                await service.until("serving")
                await service.until("draining")
                assert await service.ended() == 0

    uvloop.run(scenario())
