"""The page of what is heard and said: its table is that of the reasons, and no state of a live transfer is left out."""

import re

import pytest
import write_reasons_table
from marked_blocks import with_blocks

from relay.transfers.reasons import Reason
from relay.transfers.states import LIVE, State, closing_event, next_state
from tests.docs.shell_pages import ROOT

PAGE = (ROOT / "docs" / "what-the-caller-hears.md").read_text()


def test_the_table_is_that_of_the_reasons() -> None:
    written = with_blocks(PAGE, write_reasons_table.blocks())
    assert written == PAGE, "run: python scripts/write_reasons_table.py --write"
    assert [row for row in re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) if row in set(Reason)] == list(Reason)


def test_every_live_state_is_on_the_page() -> None:
    rows = re.findall(r"^\| (`.*?) \|", PAGE.partition("## When it ends")[0], re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == {*LIVE, "accept", "reconnecting"}


@pytest.mark.parametrize("reason", Reason)
def test_one_that_was_joined_is_disconnected_whatever_the_reason(reason: Reason) -> None:
    assert next_state(State.JOINED, closing_event(reason)) is State.DISCONNECTED
