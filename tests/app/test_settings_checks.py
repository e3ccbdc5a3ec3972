"""What is wrong only together."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from relay.app.settings import load_settings
from tests.app.configurations import API_KEY, DAILY, REAL, SIMULATED, problems


def names(env: Mapping[str, str | None], cwd: Path, base: Mapping[str, str] = REAL) -> list[str]:
    return [each.name for each in problems(env, cwd, base=base)]


def test_with_a_key_the_service_may_be_seen_by_others(tmp_path: Path) -> None:
    settings = load_settings({**REAL, "RELAY_LISTEN": "0.0.0.0:8080"}, tmp_path)
    assert not settings.listen.is_loopback


@pytest.mark.parametrize("listen", ["0.0.0.0:8080", "[::]:8080", "192.168.0.5:8080", "relay.example.com:8080"])
def test_without_a_key_it_may_not(listen: str, tmp_path: Path) -> None:
    found = names({"RELAY_LISTEN": listen, "RELAY_API_KEYS": None}, tmp_path)
    assert found == ["RELAY_LISTEN", "RELAY_PUBLIC_URL"]


def test_a_key_that_is_wrong_is_told_once(tmp_path: Path) -> None:
    """There is one, so nobody needs to hear that there is none."""
    assert names({"RELAY_LISTEN": "0.0.0.0:8080", "RELAY_API_KEYS": "short"}, tmp_path) == [
        "RELAY_API_KEYS, entry 1, key"
    ]


def test_nothing_at_all_is_told_as_three_things_to_set(tmp_path: Path) -> None:
    assert names({}, tmp_path, {}) == ["RELAY_TWILIO_ACCOUNT_SID", "RELAY_DAILY_DOMAINS", "RELAY_DESTINATIONS"]


def test_half_a_carrier_says_what_it_lacks(tmp_path: Path) -> None:
    found = problems({"RELAY_TWILIO_FROM": None, "RELAY_TWILIO_AUTH_TOKEN": None}, tmp_path)
    assert [each.name for each in found] == ["RELAY_TWILIO_AUTH_TOKEN", "RELAY_TWILIO_FROM"]
    assert found[0].expected == "a value beside RELAY_TWILIO_ACCOUNT_SID"


@pytest.mark.parametrize("url", [None, "http://127.0.0.1:8080", "https://localhost"])
def test_the_real_carrier_must_reach_relay(url: str | None, tmp_path: Path) -> None:
    assert names({"RELAY_PUBLIC_URL": url}, tmp_path) == ["RELAY_PUBLIC_URL"]


def test_a_simulated_carrier_needs_no_public_url(tmp_path: Path) -> None:
    assert load_settings(SIMULATED, tmp_path).public_url is None


def test_a_carrier_that_is_named_must_be_configured(tmp_path: Path) -> None:
    no_twilio = {name: value for name, value in SIMULATED.items() if not name.startswith("RELAY_TWILIO_")}
    destinations = '{"billing": {"to": "+14155550123", "provider": "twilio"}}'
    env: dict[str, str | None] = {"RELAY_DEFAULT_PROVIDER": "twilio", "RELAY_DESTINATIONS": destinations}
    assert names(env, tmp_path, no_twilio) == [
        "RELAY_TWILIO_ACCOUNT_SID",
        "RELAY_DEFAULT_PROVIDER",
        "RELAY_DESTINATIONS, billing.provider",
    ]


def test_a_daily_key_signs_for_one_domain(tmp_path: Path) -> None:
    load_settings({**REAL, **DAILY}, tmp_path)
    assert names({**DAILY, "RELAY_DAILY_DOMAINS": "one,two"}, tmp_path) == ["RELAY_DAILY_DOMAINS"]
    assert names({**DAILY, "RELAY_DAILY_DOMAIN_ID": None}, tmp_path) == ["RELAY_DAILY_DOMAIN_ID"]
    assert names({**DAILY, "RELAY_DAILY_API_KEY": None}, tmp_path) == ["RELAY_DAILY_API_KEY"]
    assert names({**DAILY, "RELAY_DAILY_DOMAINS": None}, tmp_path, SIMULATED) == ["RELAY_DAILY_DOMAINS"]


def test_daily_is_asked_for_tokens_with_a_key_and_without_the_domains_id(tmp_path: Path) -> None:
    asked = {**REAL, **DAILY, "RELAY_DAILY_TOKENS": "rest"}
    del asked["RELAY_DAILY_DOMAIN_ID"]
    assert load_settings(asked, tmp_path).daily_domain_id is None
    nothing: dict[str, str | None] = {"RELAY_DAILY_API_KEY": None, "RELAY_DAILY_DOMAIN_ID": None}
    assert names({**asked, **nothing}, tmp_path) == ["RELAY_DAILY_TOKENS"]
    assert names({**DAILY, "RELAY_DAILY_TOKENS": "somebody", "RELAY_DAILY_DOMAIN_ID": None}, tmp_path) == [
        "RELAY_DAILY_TOKENS"
    ]


def test_without_a_key_requests_bring_tokens_for_any_domain(tmp_path: Path) -> None:
    settings = load_settings({**REAL, "RELAY_DAILY_DOMAINS": "one,two"}, tmp_path)
    assert settings.daily_domains == ("one", "two")


def test_allowed_numbers_are_enough_to_dial(tmp_path: Path) -> None:
    env = {**SIMULATED, "RELAY_ALLOWED_NUMBERS": "+1415,+4930"}
    del env["RELAY_DESTINATIONS"]
    assert load_settings(env, tmp_path).allowed_numbers == ("+1415", "+4930")


def test_a_prefix_that_is_allowed_and_denied_is_told(tmp_path: Path) -> None:
    env: dict[str, str | None] = {"RELAY_ALLOWED_NUMBERS": "+14155,+1", "RELAY_DENIED_NUMBERS": "+1415"}
    (problem,) = problems(env, tmp_path)
    assert problem.name == "RELAY_ALLOWED_NUMBERS, entry 1"
    assert problem.got == "+14155, denied by denied_numbers"


def test_no_problem_shows_a_secret(tmp_path: Path) -> None:
    """Whichever way it is wrong, or its name is."""
    secret = f"{API_KEY} canary"
    env: dict[str, str | None] = {
        "RELAY_API_KEYS": f"{secret},canary:{API_KEY},canary:{secret}",
        "RELAY_TWILIO_AUTH_TOKEN": secret,
        "RELAY_TWILIO_SHARED_KEY": secret,
        "RELAY_DAILY_API_KEY": secret,
        "RELAY_REDIS_URL": "redis://user:canary@host:port",
        "RELAY_PUBLIC_URL": "https://user:canary@host",
        "RELAY_TWILIO_AUTHTOKEN": secret,
        "RELAY_TWILIO_FROM": "14155550123",
        "RELAY_DESTINATIONS": '{"billing": {"to": "14155550123", "token": "canary"}, "sales": "+14155550999"}',
    }
    found = problems(env, tmp_path)
    assert len(found) >= len(env)
    text = "\n".join(str(each) for each in found)
    assert "canary" not in text
    assert API_KEY not in text
    assert "14155550123" not in text.replace("+14155550123", "")  # the fixes' example
    assert "14155550999" not in text
