"""What the end-to-end tests share: the bridge's loop, on which everything runs, and quiet logs."""

from collections.abc import Iterator

import pytest
import structlog

from tests.bridge.conftest import run

__all__ = ["few_logs", "run"]


@pytest.fixture(autouse=True)
def few_logs() -> Iterator[None]:
    """Drop what is logged: printing takes time on the loop that is being measured."""
    with structlog.testing.capture_logs():
        yield
