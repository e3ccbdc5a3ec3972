"""Each carrier that can be simulated has the name that it is found by."""

import pytest

from relay.dev.carriers.by_name import CARRIERS
from relay.providers.registry import carrier_names


@pytest.mark.parametrize("name", CARRIERS)
def test_a_carrier_is_found_by_its_name(name: str) -> None:
    dialect = CARRIERS[name]()
    assert dialect.name == name
    settings = dialect.settings("http://127.0.0.1:1", "+14155550100")
    assert all(each.startswith(f"RELAY_{name.upper()}_") for each in settings)
    assert "+14155550100" in settings.values()
    assert any(each.startswith("http://127.0.0.1:1") for each in settings.values())


def test_their_names_are_the_relays() -> None:
    assert set(CARRIERS) <= set(carrier_names())
