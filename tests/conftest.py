"""What every test shares: the design scripts on the path, deterministic hypothesis, the choice of instruction set."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from relay import _codec

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))  # design_filters and write_tables, for the twin

settings.register_profile("relay", derandomize=True, deadline=None, database=None)
settings.load_profile("relay")


@pytest.fixture(params=_codec.instruction_sets())
def instruction_set(request: pytest.FixtureRequest) -> Iterator[str]:
    """Let the test's new objects use each instruction set of this processor in turn."""
    before = _codec.instruction_set()
    _codec.use_instruction_set(request.param)
    yield request.param
    _codec.use_instruction_set(before)
