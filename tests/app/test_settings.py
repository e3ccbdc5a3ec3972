"""Settings from the environment and relay.toml, and what is said of broken ones."""

import os
from pathlib import Path

import pytest

from relay.app.settings import Scope, Settings, load_settings
from relay.errors import ConfigurationError
from tests.app.configurations import API_KEY, DAILY, REAL, SIMULATED, problems

NUMBER_FIX = "+ and the country code first"

# What is set (None: is not set), the name in the problem, a part of the fix. Based on SIMULATED.
BROKEN = [
    ({"RELAY_LISTEN": "8080"}, "RELAY_LISTEN", "127.0.0.1:8080"),
    ({"RELAY_LISTEN": "127.0.0.1:65536"}, "RELAY_LISTEN", "127.0.0.1:8080"),
    ({"RELAY_LISTEN": "300.0.0.1:8080"}, "RELAY_LISTEN", "127.0.0.1:8080"),
    ({"RELAY_LISTEN": "::1:8080"}, "RELAY_LISTEN", "127.0.0.1:8080"),
    ({"RELAY_LISTEN": ""}, "RELAY_LISTEN", "127.0.0.1:8080"),
    ({"RELAY_LISTEN": "0.0.0.0:8080"}, "RELAY_LISTEN", "RELAY_API_KEYS"),
    ({"RELAY_PUBLIC_URL": "https://relay.example.com"}, "RELAY_PUBLIC_URL", "RELAY_API_KEYS"),
    ({"RELAY_PUBLIC_URL": "http://relay.example.com"}, "RELAY_PUBLIC_URL", "http:// is for this machine only"),
    ({"RELAY_PUBLIC_URL": "relay.example.com"}, "RELAY_PUBLIC_URL", "the URL at which the carrier reaches relay"),
    ({"RELAY_PUBLIC_URL": "http://localhost/?a=1"}, "RELAY_PUBLIC_URL", "the URL at which the carrier reaches relay"),
    ({"RELAY_REDIS_URL": "127.0.0.1:6379"}, "RELAY_REDIS_URL", "redis://127.0.0.1:6379/0"),
    ({"RELAY_REDIS_URL": "redis://127.0.0.1:port"}, "RELAY_REDIS_URL", "redis://127.0.0.1:6379/0"),
    ({"RELAY_REDIS_URL": ""}, "RELAY_REDIS_URL", "or remove it"),
    ({"RELAY_REDIS_PREFIX": "a{b}"}, "RELAY_REDIS_PREFIX", "relay"),
    ({"RELAY_API_KEYS": "secret"}, "RELAY_API_KEYS, entry 1, key", "openssl rand -hex 32"),
    ({"RELAY_API_KEYS": f"{API_KEY},reed:{API_KEY}"}, "RELAY_API_KEYS, entry 2, scopes", "trigger+read:KEY"),
    ({"RELAY_API_KEYS": f"{API_KEY},"}, "RELAY_API_KEYS, entry 2, key", "openssl rand -hex 32"),
    ({"RELAY_API_KEYS": ""}, "RELAY_API_KEYS", "or remove it"),
    ({"RELAY_DESTINATIONS": "billing"}, "RELAY_DESTINATIONS", '{"NAME": {"to": "+14155550123"}}'),
    ({"RELAY_DESTINATIONS": "[]"}, "RELAY_DESTINATIONS", '{"NAME": {"to": "+14155550123"}}'),
    ({"RELAY_DESTINATIONS": '{"billing": {}}'}, "RELAY_DESTINATIONS, billing.to", "The number to dial"),
    ({"RELAY_DESTINATIONS": '{"billing": "+14155550123"}'}, "RELAY_DESTINATIONS, billing", "[destinations.NAME]"),
    ({"RELAY_DESTINATIONS": '{"billing": {"to": "4155550123"}}'}, "RELAY_DESTINATIONS, billing.to", NUMBER_FIX),
    (
        {"RELAY_DESTINATIONS": '{"billing": {"to": "+14155550123", "ring_timeout": 20}}'},
        "RELAY_DESTINATIONS, billing.ring_timeout",
        "did you mean ring_timeout_s?",
    ),
    (
        {"RELAY_DESTINATIONS": '{"billing": {"to": "+14155550123", "provider": "plivvo"}}'},
        "RELAY_DESTINATIONS, billing.provider",
        "write twilio",
    ),
    (
        {"RELAY_DESTINATIONS": '{"billing": {"to": "+14155550123", "accept": "press_2"}}'},
        "RELAY_DESTINATIONS, billing.accept",
        "write none, press_1 or detection",
    ),
    ({"RELAY_DESTINATIONS": '{"the bills": {"to": "+14155550123"}}'}, "RELAY_DESTINATIONS, the bills", "billing"),
    ({"RELAY_DESTINATIONS": None}, "RELAY_DESTINATIONS", "RELAY_ALLOWED_NUMBERS"),
    ({"RELAY_DEFAULT_PROVIDER": "twillio"}, "RELAY_DEFAULT_PROVIDER", "write twilio"),
    ({"RELAY_ALLOWED_NUMBERS": "+1415,4930"}, "RELAY_ALLOWED_NUMBERS, entry 2", "country code first"),
    ({"RELAY_ALLOWED_NUMBERS": "+1415,+1900"}, "RELAY_ALLOWED_NUMBERS, entry 2", "remove it"),
    ({"RELAY_DENIED_NUMBERS": "*"}, "RELAY_DENIED_NUMBERS, entry 1", "country code first"),
    ({"RELAY_LOCAL_ROOMS": "http://127.0.0.1:8090/rooms/blue"}, "RELAY_LOCAL_ROOMS", "without /rooms/NAME"),
    ({"RELAY_LOCAL_ROOMS": None}, "RELAY_DAILY_DOMAINS", "RELAY_LOCAL_ROOMS"),
    ({"RELAY_DAILY_DOMAINS": "https://mycompany.daily.co"}, "RELAY_DAILY_DOMAINS, entry 1", "write mycompany for"),
    ({**DAILY, "RELAY_DAILY_DOMAIN_ID": "mycompany"}, "RELAY_DAILY_DOMAIN_ID", "api.daily.co"),
    ({**DAILY, "RELAY_DAILY_API_KEY": "short"}, "RELAY_DAILY_API_KEY", "copy it whole"),
    ({"RELAY_TWILIO_ACCOUNT_SID": "SK00000000000000000000000000000001"}, "RELAY_TWILIO_ACCOUNT_SID", "console.twilio"),
    ({"RELAY_TWILIO_ACCOUNT_SID": None}, "RELAY_TWILIO_ACCOUNT_SID", "Twilio's Account SID"),
    ({"RELAY_TWILIO_AUTH_TOKEN": ""}, "RELAY_TWILIO_AUTH_TOKEN", "copy it whole"),
    ({"RELAY_TWILIO_AUTH_TOKEN": None}, "RELAY_TWILIO_AUTH_TOKEN", "checks webhooks"),
    ({"RELAY_TWILIO_FROM": "415-555-0123"}, "RELAY_TWILIO_FROM", NUMBER_FIX),
    ({"RELAY_TWILIO_FROM": None}, "RELAY_TWILIO_FROM", "The number that calls come from"),
    ({"RELAY_TWILIO_API_URL": "http://api.twilio.com"}, "RELAY_TWILIO_API_URL", "http:// is for this machine only"),
    ({"RELAY_TWILIO_API_URL": None}, "RELAY_PUBLIC_URL", "https://HOST"),
    ({"RELAY_RING_TIMEOUT_S": "3"}, "RELAY_RING_TIMEOUT_S", "digits only"),
    ({"RELAY_RING_TIMEOUT_S": "30s"}, "RELAY_RING_TIMEOUT_S", "without a unit"),
    ({"RELAY_RING_TIMEOUT_S": "nan"}, "RELAY_RING_TIMEOUT_S", "digits only"),
    ({"RELAY_MAX_TRANSFERS": "0"}, "RELAY_MAX_TRANSFERS", "digits only"),
    ({"RELAY_MAX_TRANSFERS": "2.5"}, "RELAY_MAX_TRANSFERS", "digits only"),
    ({"RELAY_RINGBACK": "maybe"}, "RELAY_RINGBACK", "write true or false"),
    ({"RELAY_LOG_LEVEL": "INFO"}, "RELAY_LOG_LEVEL", "write debug, info, warning or error"),
    ({"RELAY_LOG_FORMAT": "text"}, "RELAY_LOG_FORMAT", "write json, console or auto"),
    ({"RELAY_LISTN": "127.0.0.1:8080"}, "RELAY_LISTN", "did you mean RELAY_LISTEN?"),
    ({"RELAY_COLOUR": "blue"}, "RELAY_COLOUR", "docs/configuration.md"),
    ({"RELAY_CONFIG": "absent.toml"}, "RELAY_CONFIG", "correct the path"),
    ({"RELAY_CONFIG": ""}, "RELAY_CONFIG", "name the file"),
    ({"RELAY_CONFIG": "."}, ".", "correct its permissions, or the path"),
]

BROKEN_FILES = [
    ("listen = 8080", "listen in relay.toml", "127.0.0.1:8080"),
    ("listen = 127.0.0.1", "relay.toml", "a text has quotes around it"),
    ("listn = '127.0.0.1:8080'", "listn in relay.toml", "did you mean listen?"),
    ("ringback = 1", "ringback in relay.toml", "write true or false"),
    ("max_transfers = true", "max_transfers in relay.toml", "digits only"),
    ("api_keys = 5", "api_keys in relay.toml", "[VALUE, VALUE]"),
    ("api_keys = [{ key = 'short' }]", "api_keys, entry 1, key in relay.toml", "openssl rand -hex 32"),
    ("api_keys = [{ scopes = ['read'] }]", "api_keys, entry 1, key in relay.toml", "Authorization: Bearer KEY"),
    ("api_keys = [[]]", "api_keys, entry 1 in relay.toml", 'write "KEY"'),
    ("[twilio]\nfrom = '+14155550100'", "twilio in relay.toml", "did you mean twilio_from?"),
    ("daily_domains = ['UPPER']", "daily_domains, entry 1 in relay.toml", "write mycompany for"),
]


@pytest.mark.parametrize(
    ("env", "name", "fix"), BROKEN, ids=lambda each: " ".join(each) if isinstance(each, dict) else ""
)
def test_a_broken_setting_is_named_with_its_fix(
    env: dict[str, str | None], name: str, fix: str, tmp_path: Path
) -> None:
    """One thing is broken, so one problem is told: nothing that follows from it."""
    (problem,) = problems(env, tmp_path)
    assert problem.name == name
    assert fix in problem.fix
    assert problem.expected
    assert problem.got


@pytest.mark.parametrize(("toml", "name", "fix"), BROKEN_FILES, ids=lambda each: each.partition("\n")[0])
def test_a_broken_line_of_the_file_is_named_with_its_fix(toml: str, name: str, fix: str, tmp_path: Path) -> None:
    (problem,) = problems({}, tmp_path, toml=toml)
    assert problem.name == name
    assert fix in problem.fix


def test_there_are_more_than_thirty_of_these() -> None:
    assert len(BROKEN) + len(BROKEN_FILES) > 60


def test_what_the_tables_break_works() -> None:
    """Else the problems above could be another's."""
    load_settings(SIMULATED, Path("/nowhere"))
    load_settings(REAL, Path("/nowhere"))


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    found = problems(
        {"RELAY_LISTEN": "x", "RELAY_LISTN": "x", "RELAY_TWILIO_FROM": None, "RELAY_RING_TIMEOUT_S": "1"},
        tmp_path,
        toml="[destinations.billing]\nto = '1'\n[destinations.sales]\nto = '2'\nextra = 1\n[more]\n",
        base={name: value for name, value in SIMULATED.items() if name != "RELAY_DESTINATIONS"},
    )
    assert {each.name for each in found} == {
        "RELAY_LISTEN",
        "RELAY_LISTN",
        "RELAY_TWILIO_FROM",
        "RELAY_RING_TIMEOUT_S",
        "destinations.billing.to in relay.toml",
        "destinations.sales.to in relay.toml",
        "destinations.sales.extra in relay.toml",
        "more in relay.toml",
    }
    assert str(ConfigurationError(found)).count("\n") == len(found) - 1


def test_a_broken_file_does_not_hide_a_broken_variable(tmp_path: Path) -> None:
    found = problems({"RELAY_LISTEN": "x"}, tmp_path, toml="a = 1\nb = = 2\n", base={})
    assert [each.name for each in found] == ["relay.toml", "RELAY_LISTEN"]
    assert "line 2" in found[0].got


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "relay.toml").write_bytes(b"listen = '\xff'")
    (problem,) = problems({}, tmp_path)
    assert (problem.name, problem.expected) == ("relay.toml", "UTF-8")


def test_the_environment_comes_before_the_file_and_both_before_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "relay.toml").write_text("ring_timeout_s = 20\nmax_transfers = 7\n")
    settings = load_settings({**SIMULATED, "RELAY_RING_TIMEOUT_S": "40"}, tmp_path)
    assert (settings.ring_timeout_s, settings.max_transfers, settings.dial_timeout_s) == (40.0, 7, 10.0)


def test_the_file_may_have_any_name(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("listen = '[::1]:0'\nlog_level = 'noise'\n")
    (problem,) = problems({"RELAY_CONFIG": "other.toml"}, tmp_path)
    assert problem.name == "log_level in other.toml"


def test_a_file_can_have_everything(tmp_path: Path) -> None:
    (tmp_path / "relay.toml").write_text(
        "twilio_account_sid = 'AC00000000000000000000000000000001'\n"
        "twilio_auth_token = '0123456789abcdef0123456789abcdef'\n"
        "twilio_from = '+14155550100'\n"
        "twilio_api_url = 'http://[::1]:9000/'\n"
        "local_rooms = 'http://127.0.0.1:8090/'\n"
        f"api_keys = ['{API_KEY}', {{ key = 'another-{API_KEY}', scopes = ['read'] }}]\n"
        "[destinations.billing]\nto = '+14155550123'\nfrom = '+14155550124'\naccept = 'press_1'\n"
    )
    settings = load_settings({}, tmp_path)
    assert settings.local_rooms == "http://127.0.0.1:8090"
    assert settings.twilio_api_url == "http://[::1]:9000"
    assert [each.scopes for each in settings.api_keys] == [frozenset(Scope), {Scope.READ}]
    assert settings.destinations["billing"].from_number == "+14155550124"


def test_what_others_put_into_the_environment_is_no_setting(tmp_path: Path) -> None:
    """Kubernetes describes a Service called relay to every container; the codec has a switch of its own."""
    others = {
        "RELAY_SERVICE_HOST": "10.0.0.1",
        "RELAY_SERVICE_PORT_HTTP": "80",
        "RELAY_PORT": "tcp://10.0.0.1:80",
        "RELAY_PORT_80_TCP_ADDR": "10.0.0.1",
        "RELAY_INSTRUCTION_SET": "",
    }
    assert load_settings({**SIMULATED, **others}, tmp_path) == load_settings(SIMULATED, tmp_path)


def test_this_process_s_environment_and_directory_are_the_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [name for name in os.environ if name.startswith("RELAY_")]:
        monkeypatch.delenv(name)
    for name, value in {**SIMULATED, "RELAY_MAX_TRANSFERS": "3"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "relay.toml").write_text("transfers_per_day = 9\n")
    settings = load_settings()
    assert (settings.max_transfers, settings.transfers_per_day) == (3, 9)


def test_the_environment_does_not_change_what_is_made_from_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_MAX_TRANSFERS", "3")
    assert Settings().max_transfers == 50
