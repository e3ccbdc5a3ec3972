"""What carriers answer and say over HTTP: every ``*_requests.py`` beside this file has the like of its carrier."""

import importlib
from pathlib import Path
from typing import Any

from relay.conformance import ControlCase

_HERE = Path(__file__)
MODULES: dict[str, Any] = {
    path.stem.removesuffix("_requests"): importlib.import_module(f"{__package__}.{path.stem}")
    for path in sorted(_HERE.parent.glob("*_requests.py"))
    if path != _HERE
}
"""By carrier; each has ``control()``, its case ``CONTROL``, ``DIAL_ANSWERS`` and, of many, ``STATUSES``: Markdown."""
CONTROL_CASES: list[ControlCase] = [module.CONTROL for module in MODULES.values()]
