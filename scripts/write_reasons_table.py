"""
Print how each reason ends a transfer and what can be said of it, or write that into docs/what-the-caller-hears.md.

    python scripts/write_reasons_table.py            # print
    python scripts/write_reasons_table.py --write    # and rewrite the page
"""

from __future__ import annotations

from pathlib import Path

from marked_blocks import write_or_print

from relay.bridge.endings import is_noticed
from relay.transfers.reasons import UNANSWERED, Reason
from relay.transfers.states import UNJOINED, closing_event, next_state

PAGE = Path(__file__).parents[1] / "docs" / "what-the-caller-hears.md"
HEAD = "| reason | leads to | retryable | what a bot can say | the agent hears |\n" + 5 * "|---" + "|\n"


def _leads_to(reason: Reason) -> str:
    """Where a transfer ends that was never joined: in one state, wherever it was, says the table."""
    (after,) = {next_state(state, closing_event(reason)) for state in UNJOINED}
    return f"`{after}`"


def _heard(reason: Reason) -> str:
    if reason in UNANSWERED:
        return ""
    return "the notice" if is_noticed(reason) else "nothing"


def _row(reason: Reason) -> str:
    retryable = "yes" if reason.retryable else "no"
    return f"| `{reason}` | {_leads_to(reason)} | {retryable} | {reason.sentence} | {_heard(reason)} |\n"


def blocks() -> dict[str, str]:
    """What the page has of the code, by the names of its marks."""
    return {"reasons": HEAD + "".join(_row(reason) for reason in Reason)}


if __name__ == "__main__":
    write_or_print(PAGE, blocks())
