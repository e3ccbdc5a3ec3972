"""The carriers' settings: each account whole, in part, and wrong; what is secret; and which of several dials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, NoReturn, cast

import pytest

from relay.app.accounts import ACCOUNTS, AccountSettings
from relay.app.accounts.account import Account, text_of
from relay.app.settings import Provider, Settings, load_settings
from relay.app.settings_problems import env_name
from relay.errors import LocalProtocolError
from tests.app.configurations import problems
from tests.providers.telnyx_requests import PUBLIC_KEY
from tests.providers.vonage_requests import pem

PRIVATE_KEY: Final = pem()

SIMULATED: Final[Mapping[str, Mapping[str, str]]] = {
    "twilio": {
        "twilio_account_sid": "AC00000000000000000000000000000001",
        "twilio_auth_token": "twilio-token-canary",
        "twilio_from": "+14155550101",
        "twilio_api_url": "http://127.0.0.1:9001",
    },
    "plivo": {
        "plivo_auth_id": "MA" + 18 * "0",
        "plivo_auth_token": "plivo-token-canary",
        "plivo_from": "+14155550104",
        "plivo_api_url": "http://127.0.0.1:9004",
    },
    "signalwire": {
        "signalwire_space": "example",
        "signalwire_project_id": "b08dacad-d5f3-4a4f-9f0e-000000000001",
        "signalwire_api_token": "signalwire-token-canary",
        "signalwire_signing_key": "signalwire-key-canary",
        "signalwire_from": "+14155550105",
        "signalwire_api_url": "http://127.0.0.1:9005",
    },
    "telnyx": {
        "telnyx_api_key": "telnyx-key-canary",
        "telnyx_public_key": PUBLIC_KEY,
        "telnyx_connection_id": "1684641123236054244",
        "telnyx_from": "+14155550106",
        "telnyx_api_url": "http://127.0.0.1:9006",
    },
    "vonage": {
        "vonage_application_id": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
        "vonage_private_key": PRIVATE_KEY,
        "vonage_signature_secret": "vonage-secret-canary",
        "vonage_from": "+14155550107",
        "vonage_api_url": "http://127.0.0.1:9007",
    },
    "exotel": {
        "exotel_account_sid": "exoaccount1",
        "exotel_api_key": "exotel-key-canary",
        "exotel_api_token": "exotel-token-canary",
        "exotel_from": "+918012345678",
        "exotel_api_url": "http://127.0.0.1:9002",
    },
    "jambonz": {
        "jambonz_base_url": "http://127.0.0.1:9003/api",
        "jambonz_account_sid": "bd9f0d9a-0000-4000-8000-000000000002",
        "jambonz_api_key": "jambonz-key-canary",
        "jambonz_webhook_secret": "jambonz-secret-canary",
        "jambonz_from": "+14155550103",
    },
    "asterisk": {
        "asterisk_ari_url": "http://127.0.0.1:9008/ari",
        "asterisk_ari_user": "relay",
        "asterisk_ari_password": "ari-password-canary",
        "asterisk_endpoint": "PJSIP/{number}@trunk",
        "asterisk_media_user": "asterisk",
        "asterisk_media_password": "media-password-canary",
        "asterisk_from": "+14155550108",
    },
}
"""All that each needs, and where a simulated one is."""

WRONG: Final[Mapping[str, Mapping[str, str]]] = {
    "twilio": {
        "twilio_account_sid": "AC0",
        "twilio_auth_token": "can ary",
        "twilio_from": "4155550101",
        "twilio_shared_key": "canary",
        "twilio_api_url": "http://api.example.com",
    },
    "plivo": {
        "plivo_auth_id": "MA0",
        "plivo_auth_token": "can ary",
        "plivo_from": "4155550104",
        "plivo_wideband": "maybe",
        "plivo_api_url": "http://api.example.com",
    },
    "signalwire": {
        "signalwire_space": "https://example.signalwire.com",
        "signalwire_project_id": "b08dacad",
        "signalwire_api_token": "can ary",
        "signalwire_signing_key": "canary",
        "signalwire_from": "4155550105",
        "signalwire_wideband": "maybe",
        "signalwire_api_url": "",
    },
    "telnyx": {
        "telnyx_api_key": "can ary",
        "telnyx_public_key": PUBLIC_KEY[:-1],
        "telnyx_connection_id": "v3:1684641123236054244",
        "telnyx_from": "4155550106",
        "telnyx_wideband": "maybe",
        "telnyx_api_url": "http://api.example.com",
    },
    "vonage": {
        "vonage_application_id": "aaaaaaaa",
        "vonage_private_key": "/nowhere/canary.key",
        "vonage_signature_secret": "canary",
        "vonage_from": "4155550107",
        "vonage_api_url": "http://api.example.com",
    },
    "exotel": {
        "exotel_account_sid": "two words",
        "exotel_api_key": "can ary",
        "exotel_api_token": "canary",
        "exotel_from": "08012345678",
        "exotel_sample_rate_hz": "44100",
        "exotel_callback_networks": "192.0.2.7/24",
        "exotel_api_url": "api.exotel.com",
    },
    "jambonz": {
        "jambonz_base_url": "http://jambonz.example.com",
        "jambonz_account_sid": "bd9f0d9a",
        "jambonz_api_key": "can ary",
        "jambonz_webhook_secret": "canary",
        "jambonz_from": "4155550103",
        "jambonz_sample_rate_hz": "true",
        "jambonz_speech_vendor": "two words",
        "jambonz_speech_language": "",
        "jambonz_speech_voice": "",
    },
    "asterisk": {
        "asterisk_ari_url": "http://asterisk.example.com:8088/ari",
        "asterisk_ari_user": "with:colon",
        "asterisk_ari_password": "can ary",
        "asterisk_app": "two,apps",
        "asterisk_endpoint": "PJSIP/trunk",
        "asterisk_websocket_client": "a/b",
        "asterisk_media_user": "",
        "asterisk_media_password": "canary",
        "asterisk_media_format": "g729",
        "asterisk_from": "4155550108",
    },
}
"""For each of the settings a value that it does not take."""

OTHERS: Final = {
    "RELAY_LOCAL_ROOMS": "http://127.0.0.1:8090",
    "RELAY_DESTINATIONS": '{"billing": {"to": "+14155550123"}}',
}


def env_of(*names: str) -> dict[str, str]:
    """All that these need, and nothing else."""
    accounts = {env_name(setting): value for name in names for setting, value in SIMULATED[name].items()}
    return {**OTHERS, **accounts}


every_account = pytest.mark.parametrize("name", list(ACCOUNTS))


def test_every_carrier_of_the_settings_has_an_account_of_its_name() -> None:
    assert list(ACCOUNTS) == list(Provider)
    assert list(SIMULATED) == list(WRONG) == list(ACCOUNTS)
    together = [name for account in ACCOUNTS.values() for name in account.settings.model_fields]
    assert sorted(together) == sorted(AccountSettings.model_fields)
    for name, account in ACCOUNTS.items():
        assert account.name == name
        assert all(setting.startswith(f"{name}_") for setting in account.settings.model_fields)
        assert {*account.needed, account.api_url, account.from_setting} <= account.settings.model_fields.keys()
        assert account.needed[-1] == account.from_setting


@every_account
def test_an_account_is_made_of_what_it_needs(name: str, tmp_path: Path) -> None:
    settings = load_settings(env_of(name), tmp_path)
    assert settings.providers == (name,)
    control = ACCOUNTS[name].control(settings)
    assert (control.name, type(control)) == (name, ACCOUNTS[name].kind)
    assert settings.from_number(name) == SIMULATED[name][f"{name}_from"]


@every_account
def test_each_thing_that_it_lacks_is_told(name: str, tmp_path: Path) -> None:
    for setting in ACCOUNTS[name].needed:
        (problem,) = problems({env_name(setting): None}, tmp_path, base=env_of(name))
        assert (problem.name, problem.got) == (env_name(setting), "nothing")


@every_account
def test_each_thing_that_is_wrong_is_told_and_nothing_secret_is_shown(name: str, tmp_path: Path) -> None:
    assert ACCOUNTS[name].settings.model_fields.keys() == WRONG[name].keys()
    found = problems({env_name(setting): value for setting, value in WRONG[name].items()}, tmp_path, base=env_of(name))
    assert sorted(each.name.partition(",")[0] for each in found) == sorted(map(env_name, WRONG[name]))
    text = "\n".join(map(str, found))
    assert "canary" not in text
    assert "can ary" not in text


@every_account
def test_its_secrets_are_seen_nowhere_and_kept_out_of_logs(name: str, tmp_path: Path) -> None:
    settings = load_settings(env_of(name), tmp_path)
    planted = {value for value in SIMULATED[name].values() if "canary" in value}
    assert planted
    assert planted <= settings.secrets()
    assert SIMULATED[name][f"{name}_from"].removeprefix("+") in settings.secrets()
    for text in (repr(settings), settings.model_dump_json()):
        assert "canary" not in text


@every_account
def test_a_carrier_that_is_no_simulated_one_must_reach_relay(name: str, tmp_path: Path) -> None:
    api_url = env_name(ACCOUNTS[name].api_url)
    (problem,) = problems({api_url: "https://api.example.com"}, tmp_path, base=env_of(name))
    assert problem.name == "RELAY_PUBLIC_URL"
    assert ACCOUNTS[name].title in problem.expected


def test_what_is_not_there_has_no_text() -> None:
    with pytest.raises(ValueError, match="expected a setting that is there"):
        text_of(Settings().twilio_account_sid)


# --- Several of them ---


def test_the_carriers_without_a_default_must_be_chosen_from(tmp_path: Path) -> None:
    env = env_of("twilio", "exotel")
    (problem,) = problems({}, tmp_path, base=env)
    assert (problem.name, problem.got) == ("RELAY_DEFAULT_PROVIDER", "nothing, and several are configured")
    assert "twilio or exotel" in problem.fix
    settings = load_settings({**env, "RELAY_DEFAULT_PROVIDER": "exotel"}, tmp_path)
    assert set(settings.providers) == {"twilio", "exotel"}


def test_destinations_may_each_name_their_carrier(tmp_path: Path) -> None:
    env = env_of("twilio", "jambonz")
    named = '{"billing": {"to": "+14155550123", "provider": "jambonz"}}'
    assert load_settings({**env, "RELAY_DESTINATIONS": named}, tmp_path).default_provider is None
    open_to_all: dict[str, str | None] = {"RELAY_DESTINATIONS": named, "RELAY_ALLOWED_NUMBERS": "+1415"}
    assert [each.name for each in problems(open_to_all, tmp_path, base=env)] == ["RELAY_DEFAULT_PROVIDER"]


def test_a_carrier_that_is_named_must_be_there(tmp_path: Path) -> None:
    destinations = '{"billing": {"to": "+14155550123", "provider": "jambonz"}}'
    (problem,) = problems({"RELAY_DESTINATIONS": destinations}, tmp_path, base=env_of("exotel"))
    assert problem.name == "RELAY_DESTINATIONS, billing.provider"
    assert "RELAY_JAMBONZ_BASE_URL" in problem.fix


@pytest.mark.parametrize("named", [True, False])
def test_what_a_carrier_cannot_say_is_told_at_the_start(named: bool, tmp_path: Path) -> None:  # noqa: FBT001
    provider = ', "provider": "exotel"' if named else ""
    destinations = f'{{"billing": {{"to": "+14155550123", "say": "Hello, canary."{provider}}}}}'
    env: dict[str, str | None] = {"RELAY_DESTINATIONS": destinations}
    base = env_of("exotel", "jambonz") if named else env_of("exotel")
    (problem,) = problems(env, tmp_path, base=base)
    assert problem.name == "RELAY_DESTINATIONS, billing.say"
    assert problem.got == "a text of 14 characters"
    load_settings({**env_of("jambonz"), "RELAY_DESTINATIONS": destinations.replace("exotel", "jambonz")}, tmp_path)


@pytest.mark.parametrize(
    "name", [name for name, account in ACCOUNTS.items() if not account.kind.capabilities.can_detect]
)
def test_what_a_carrier_cannot_find_out_is_told_at_the_start(name: str, tmp_path: Path) -> None:
    env: dict[str, str | None] = {"RELAY_DESTINATIONS": '{"billing": {"to": "+14155550123", "accept": "detection"}}'}
    (problem,) = problems(env, tmp_path, base=env_of(name))
    assert (problem.name, problem.got) == ("RELAY_DESTINATIONS, billing.accept", "detection")


def test_what_only_the_control_can_tell_is_told_by_the_settings_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Settings) -> NoReturn:
        raise LocalProtocolError("exotel", "api_token", expected="a key that fits", got="another")

    monkeypatch.setitem(cast("dict[str, Account]", ACCOUNTS), "exotel", replace(ACCOUNTS["exotel"], control=refuse))
    (problem,) = problems({}, tmp_path, base=env_of("exotel"))
    assert (problem.name, problem.expected, problem.got) == ("RELAY_EXOTEL_API_TOKEN", "a key that fits", "another")


# --- Vonage's private key ---


def private_key_of(given: str, tmp_path: Path) -> str:
    return text_of(load_settings({**env_of("vonage"), "RELAY_VONAGE_PRIVATE_KEY": given}, tmp_path).vonage_private_key)


def test_a_private_key_may_be_itself_or_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "private.key").write_text(PRIVATE_KEY)
    written = (PRIVATE_KEY, PRIVATE_KEY.replace("\n", "\\n"), PRIVATE_KEY.replace("\n", "\r\n"), f"\n{PRIVATE_KEY}\n\n")
    for given in (*written, str(tmp_path / "private.key")):
        assert private_key_of(given, tmp_path) == PRIVATE_KEY


def test_no_line_of_a_private_key_is_logged(tmp_path: Path) -> None:
    """Nor the whole: an error may show one of them."""
    settings = load_settings(env_of("vonage"), tmp_path)
    lines = [line for line in PRIVATE_KEY.splitlines() if not line.startswith("---")]
    assert len(lines) > 10
    assert {PRIVATE_KEY, *lines} <= settings.secrets()
    assert "-----END PRIVATE KEY-----" not in settings.secrets(), "that is in every key"


@pytest.mark.parametrize(
    "content", ["", "no key", "-----BEGIN PUBLIC KEY-----\nMII=\n-----END PUBLIC KEY-----\n", None]
)
def test_a_file_without_a_private_key_is_told_and_not_shown(content: str | None, tmp_path: Path) -> None:
    path = tmp_path / "canary.key"
    if content is not None:
        path.write_text(content)
    (problem,) = problems({"RELAY_VONAGE_PRIVATE_KEY": str(path)}, tmp_path, base=env_of("vonage"))
    assert problem.name == "RELAY_VONAGE_PRIVATE_KEY"
    assert "canary" not in str(problem)


def test_a_private_key_that_is_none_of_rsas_is_told_by_its_setting(tmp_path: Path) -> None:
    broken = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"
    (problem,) = problems({"RELAY_VONAGE_PRIVATE_KEY": broken}, tmp_path, base=env_of("vonage"))
    assert problem.name == "RELAY_VONAGE_PRIVATE_KEY"
