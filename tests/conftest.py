"""What every test shares: deterministic hypothesis and the choice of instruction set."""

import os
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

from relay import _codec

# Before numpy is imported: its threads wait in loops, for matrices that are too small for them; where others use the
# processors too, designing the filters takes four times as long with them.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

settings.register_profile("relay", derandomize=True, deadline=None, database=None)
settings.load_profile("relay")


@pytest.fixture(params=_codec.instruction_sets())
def instruction_set(request: pytest.FixtureRequest) -> Iterator[str]:
    """Let the test's new objects use each instruction set of this processor in turn."""
    before = _codec.instruction_set()
    _codec.use_instruction_set(request.param)
    yield request.param
    _codec.use_instruction_set(before)


@pytest.fixture(autouse=True)
def idle_machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    No service in this process refuses a transfer for what the machine is like: its loop is that of carrier, customer
    and test too, all of which keep it busy. A test of that asks for ``real_machine``.
    """
    watch = sys.modules.get("relay.app.machine_watch")
    if watch is not None and "real_machine" not in request.fixturenames:
        monkeypatch.setattr(watch.MachineWatch, "start", lambda _: None)


@pytest.fixture
def real_machine() -> None:
    """Services in this process look at the machine, as they do elsewhere."""
