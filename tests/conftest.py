"""What every test shares: deterministic hypothesis and the choice of instruction set."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from relay import _codec

settings.register_profile("relay", derandomize=True, deadline=None, database=None)
settings.load_profile("relay")


@pytest.fixture(params=_codec.instruction_sets())
def instruction_set(request: pytest.FixtureRequest) -> Iterator[str]:
    """Let the test's new objects use each instruction set of this processor in turn."""
    before = _codec.instruction_set()
    _codec.use_instruction_set(request.param)
    yield request.param
    _codec.use_instruction_set(before)
