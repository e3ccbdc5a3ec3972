"""The page and the sample of the configuration say what the settings are."""

import re
import tomllib
from pathlib import Path

from marked_blocks import with_blocks
from write_settings_table import tables

from relay.app.accounts import ACCOUNTS
from relay.app.settings import Destination, Settings, load_settings
from tests.app.configurations import problems
from tests.providers.vonage_requests import pem

DOCS = Path(__file__).parents[2] / "docs"
SAMPLE = DOCS / "relay.sample.toml"


def switched_on(folder: Path) -> str:
    """The sample with every line that is switched off in it, and with the file that it names."""
    key = folder / "private.key"
    key.write_text(pem())
    text = re.sub(r"^#(?=[a-z_]+ = )", "", SAMPLE.read_text(), flags=re.MULTILINE)
    return text.replace("/etc/relay/private.key", str(key))


def test_the_tables_of_the_page_are_those_of_the_settings() -> None:
    page = (DOCS / "configuration.md").read_text()
    assert with_blocks(page, tables()) == page, "run: python scripts/write_settings_table.py --write"
    assert page.count("`RELAY_LISTEN`") >= 1


def test_the_sample_is_a_configuration(tmp_path: Path) -> None:
    load_settings({"RELAY_CONFIG": str(SAMPLE)}, tmp_path)


def test_the_sample_with_everything_switched_on_is_one_too(tmp_path: Path) -> None:
    (tmp_path / "relay.toml").write_text(switched_on(tmp_path))
    load_settings({}, tmp_path)


def test_the_sample_has_every_setting(tmp_path: Path) -> None:
    content = tomllib.loads(switched_on(tmp_path))
    assert set(content) == set(Settings.model_fields)
    known = {field.alias or name for name, field in Destination.model_fields.items()}
    assert set(content["destinations"]["billing"]) == known


def test_what_the_sample_has_switched_off_is_the_default(tmp_path: Path) -> None:
    (tmp_path / "relay.toml").write_text(switched_on(tmp_path))
    sample = load_settings({}, tmp_path)
    examples = {"redis_url", "default_provider", "daily_api_key", "daily_domain_id", "local_rooms"}
    examples |= {name for account in ACCOUNTS.values() for name in account.choices}
    examples |= {"allowed_numbers", "denied_numbers", *tomllib.loads(SAMPLE.read_text())}
    others = set(Settings.model_fields) - examples
    assert {name: getattr(sample, name) for name in others} == {name: getattr(Settings(), name) for name in others}


def test_the_problems_shown_on_the_page_are_what_is_said(tmp_path: Path) -> None:
    shown = re.search(r"```\n(RELAY_LISTN.*?)```", (DOCS / "configuration.md").read_text(), re.DOTALL)
    assert shown is not None
    found = problems(
        {"RELAY_LISTN": "x", "RELAY_TWILIO_FROM": None, "RELAY_DESTINATIONS": None},
        tmp_path,
        toml="[destinations.billing]\nto = '4155550123'\n",
    )
    assert "".join(f"{each}\n" for each in found) == shown[1]
