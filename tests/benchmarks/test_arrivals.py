"""The table of docs/latency.md is what the simulation gives."""

import pytest

from benchmarks.arrivals import BLOCK, PAGE, SCENARIOS, row, run, table


def test_the_steady_row_of_the_page_is_what_the_simulation_gives() -> None:
    block = BLOCK.search(PAGE.read_text())
    assert block is not None
    assert row(SCENARIOS[0], run(SCENARIOS[0])) in block[2].splitlines()


@pytest.mark.long
def test_every_row_of_the_page_is_what_the_simulation_gives() -> None:
    block = BLOCK.search(PAGE.read_text())
    assert block is not None
    assert block[2] == table()
