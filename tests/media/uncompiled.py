"""A plugin of pytest: relay.media as the Python that it is, also where it has been compiled."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final

FOLDER: Final = Path(__file__).parents[2] / "relay" / "media"
TYPED: Final = tuple(sorted(types.stem for types in FOLDER.glob("*.pxd")))
"""The modules that are compiled."""


class SourceFinder:
    """Finds the sources of ``TYPED``."""

    @staticmethod
    def find_spec(name: str, _path: Sequence[str] | None, _target: ModuleType | None = None) -> ModuleSpec | None:
        package, _, module = name.rpartition(".")
        if package != "relay.media" or module not in TYPED:
            return None
        return spec_from_file_location(name, FOLDER / f"{module}.py")


def pytest_load_initial_conftests() -> None:
    """Before anything of relay is imported."""
    sys.meta_path.insert(0, SourceFinder)
