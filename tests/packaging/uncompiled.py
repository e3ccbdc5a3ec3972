"""A plugin of pytest: the modules that are compiled with C types as the Python that they are."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final

ROOT: Final = Path(__file__).parents[2]
SOURCES: Final = {
    ".".join(types.relative_to(ROOT).with_suffix("").parts): types.with_suffix(".py")
    for types in sorted(ROOT.glob("relay/*/**/*.pxd"))
    if types.with_suffix(".py").exists()
}
"""Those of the modules that are compiled."""


class SourceFinder:
    """Finds ``SOURCES``."""

    @staticmethod
    def find_spec(name: str, _path: Sequence[str] | None, _target: ModuleType | None = None) -> ModuleSpec | None:
        source = SOURCES.get(name)
        return None if source is None else spec_from_file_location(name, source)


def pytest_load_initial_conftests() -> None:
    """Before anything of relay is imported."""
    sys.meta_path.insert(0, SourceFinder)
