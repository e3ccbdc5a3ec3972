"""Owns what broke in a run: a step that does is told and left out, and the others are measured and reported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Breaks:
    """
    What broke.

    Args:
        kinds: of errors that are a step's and no mistake of ours.
    """

    def __init__(self, *kinds: type[Exception]) -> None:
        self.found: list[str] = []
        """A line each."""
        self._kinds = kinds

    @contextmanager
    def noted(self, step: str) -> Iterator[None]:
        """Within the block, such an error is noted instead of raised."""
        try:
            yield
        except self._kinds as error:
            self.found.append(f"{step} broke: {type(error).__name__}: {error}")
