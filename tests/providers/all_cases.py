"""The cases of all carriers: every ``*_cases.py`` beside this file has a list of its own."""

import importlib
from pathlib import Path
from typing import Any

from relay.conformance import Case

_HERE = Path(__file__)
MODULES: dict[str, Any] = {
    path.stem: importlib.import_module(f"{__package__}.{path.stem}")
    for path in sorted(_HERE.parent.glob("*_cases.py"))
    if path != _HERE
}
CASES: list[Case] = [case for module in MODULES.values() for case in module.CASES]
