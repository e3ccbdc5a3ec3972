"""The scenarios that ``relay demo`` plays, by name."""

from __future__ import annotations

from typing import Final

from relay.dev.demo.talks import TALKS
from relay.dev.demo.unanswered import UNANSWERED

SCENARIOS: Final = (*TALKS, *UNANSWERED)
BY_NAME: Final = {scenario.name: scenario for scenario in SCENARIOS}
DEFAULT: Final = SCENARIOS[0].name
