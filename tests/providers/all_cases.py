"""The cases of all carriers: every ``*_cases.py`` beside this file has a list of its own."""

import importlib
from pathlib import Path

from relay.conformance import Case


def _found() -> list[Case]:
    here = Path(__file__)
    modules = (importlib.import_module(f"{__package__}.{path.stem}") for path in here.parent.glob("*_cases.py"))
    return [case for module in modules if module.__name__ != __name__ for case in module.CASES]


CASES = sorted(_found(), key=str)
