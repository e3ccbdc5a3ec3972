"""What carriers answer and say over HTTP: every ``*_requests.py`` beside this file has the like of its carrier."""

import importlib
from pathlib import Path
from typing import Any

_HERE = Path(__file__)
MODULES: dict[str, Any] = {
    path.stem.removesuffix("_requests"): importlib.import_module(f"{__package__}.{path.stem}")
    for path in sorted(_HERE.parent.glob("*_requests.py"))
    if path != _HERE
}
"""By carrier; each has ``control()``, ``DIAL_ANSWERS`` and, but for Twilio's, ``STATUSES``, whose keys are Markdown."""
