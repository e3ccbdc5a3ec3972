"""
Draw the states of a transfer and what leads from one to another, from the one table that has them.

    python scripts/draw_transfer_diagram.py            # print the diagram, in Mermaid's words
    python scripts/draw_transfer_diagram.py --write    # and put it into docs/transfers.md
"""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Iterator

from relay.transfers.states import TERMINAL, TRANSITIONS, Event, State

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "transfers.md"
BEGIN, END = "<!-- diagram: python scripts/draw_transfer_diagram.py --write -->\n", "<!-- end of diagram -->"


def diagram() -> str:
    """Return the diagram: an arrow per pair of states, with all events that lead that way."""
    return "\n".join(["```mermaid", "stateDiagram-v2", *(f"    {line}" for line in _lines()), "```"]) + "\n"


def _lines() -> Iterator[str]:
    yield f"[*] --> {State.REQUESTED}"
    events: dict[tuple[State, State], list[Event]] = {}
    for (before, event), after in TRANSITIONS.items():
        events.setdefault((before, after), []).append(event)
    order = list(State)
    for before, after in sorted(events, key=lambda pair: (order.index(pair[0]), order.index(pair[1]))):
        yield f"{before} --> {after}: {', '.join(events[before, after])}"
    yield from (f"{state} --> [*]" for state in State if state in TERMINAL)


def with_diagram(page: str) -> str:
    """Return a page with its diagram drawn anew."""
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"expected a page with {BEGIN.strip()} and {END}, got one without")
    return head + begin + diagram() + end + tail


def main() -> None:
    """Print it, and write it where that was asked for."""
    parser = argparse.ArgumentParser(description="Draw the states of a transfer.")
    parser.add_argument("--write", action="store_true", help="put it into docs/transfers.md")
    if parser.parse_args().write:
        PAGE.write_text(with_diagram(PAGE.read_text()))
    print(diagram(), end="")


if __name__ == "__main__":
    main()
