"""Configurations that work, to be broken in one place, and what was said of them."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from relay.app.settings import load_settings
from relay.errors import ConfigurationError, Problem

AUTH_TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105 - of nobody
API_KEY = "k3y-of-sixteen-characters-or-more"

SIMULATED: Mapping[str, str] = {
    "RELAY_TWILIO_ACCOUNT_SID": "AC00000000000000000000000000000001",
    "RELAY_TWILIO_AUTH_TOKEN": AUTH_TOKEN,
    "RELAY_TWILIO_FROM": "+14155550100",
    "RELAY_TWILIO_API_URL": "http://127.0.0.1:9000",
    "RELAY_LOCAL_ROOMS": "http://127.0.0.1:8090",
    "RELAY_DESTINATIONS": '{"billing": {"to": "+14155550123"}}',
}
"""All that a simulated carrier and local rooms need."""

DAILY: Mapping[str, str] = {
    "RELAY_DAILY_DOMAINS": "mycompany",
    "RELAY_DAILY_API_KEY": "daily-key-canary",
    "RELAY_DAILY_DOMAIN_ID": "30f866c3-9123-452a-8723-ff58322d09c5",
}
"""What signs tokens for Daily rooms."""

REAL: Mapping[str, str] = {
    **{name: value for name, value in SIMULATED.items() if name not in ("RELAY_TWILIO_API_URL", "RELAY_LOCAL_ROOMS")},
    "RELAY_PUBLIC_URL": "https://relay.example.com",
    "RELAY_API_KEYS": API_KEY,
    "RELAY_DAILY_DOMAINS": "mycompany",
}
"""All that Twilio and Daily need."""


def problems(
    env: Mapping[str, str | None], cwd: Path, *, base: Mapping[str, str] = SIMULATED, toml: str | None = None
) -> tuple[Problem, ...]:
    """Everything wrong with ``base`` changed by ``env`` (None: not set), and with ``relay.toml``."""
    if toml is not None:
        (cwd / "relay.toml").write_text(toml)
    together = {name: value for name, value in {**base, **env}.items() if value is not None}
    with pytest.raises(ConfigurationError) as caught:
        load_settings(together, cwd)
    return caught.value.problems
