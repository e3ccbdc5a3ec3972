"""How settings are named: as their user wrote them."""

import pytest

from relay.app.settings_problems import Names, env_name, unknown

NAMES = Names(frozenset({"destinations", "api_keys", "listen"}), "/etc/relay.toml")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("listen",), "listen in /etc/relay.toml"),
        (("destinations", "billing", "to"), "destinations.billing.to in /etc/relay.toml"),
        (("api_keys", 0), "api_keys, entry 1 in /etc/relay.toml"),
        (("api_keys", 1, "key"), "api_keys, entry 2, key in /etc/relay.toml"),
        (("twilio_from",), "RELAY_TWILIO_FROM"),
        (("allowed_numbers", 1), "RELAY_ALLOWED_NUMBERS, entry 2"),
    ],
)
def test_a_setting_is_named_where_it_was_written(path: tuple[str, *tuple[str | int, ...]], expected: str) -> None:
    assert NAMES.of(*path) == expected


def test_what_is_in_a_variable_is_named_within_it() -> None:
    names = Names()
    assert names.of("destinations", "billing", "to") == "RELAY_DESTINATIONS, billing.to"
    assert names.of("api_keys", 1, "key") == "RELAY_API_KEYS, entry 2, key"


def test_a_name_that_is_nearly_right_is_corrected() -> None:
    known = ["listen", "public_url"]
    assert unknown("listne", "listne", known).fix == "did you mean listen? If not, remove it"
    assert (
        unknown("RELAY_LISTNE", "listne", known, spell=env_name).fix == "did you mean RELAY_LISTEN? If not, remove it"
    )
    assert unknown("RELAY_X", "x", known).fix == "remove it (docs/configuration.md has all names)"
