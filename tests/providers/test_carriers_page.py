"""docs/carriers.md says what the adapters do."""

from dataclasses import fields

from relay.providers.base import Capabilities
from relay.providers.twilio import TwilioAdapter
from tests.providers.carriers_page import PAGE, ROWS, TABLES, block, with_tables


def test_the_tables_are_those_of_the_code() -> None:
    """If this fails: python -m tests.providers.carriers_page."""
    assert PAGE.read_text() == with_tables(PAGE.read_text())


def test_the_page_has_every_table() -> None:
    assert [name for name in TABLES if len(block(name).findall(PAGE.read_text())) != 1] == []


def test_every_capability_has_its_row() -> None:
    can = TwilioAdapter.capabilities
    assert [of(can) for of in ROWS.values()] == [getattr(can, field.name) for field in fields(Capabilities)]
