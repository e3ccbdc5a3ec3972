"""The settings as an object: nothing secret is seen in it, and everything secret is known."""

import pytest
from pydantic import ValidationError

from relay.app.settings import Destination, Provider, Settings

SECRETS: dict[str, object] = {
    "twilio_auth_token": "auth-token-canary",
    "twilio_shared_key": "KEY1:shared-key-canary",
    "daily_api_key": "daily-key-canary",
    "redis_url": "redis://user:redis%21canary@127.0.0.1:6379/0",
    "api_keys": ["read:api-key-one-canary", {"key": "api-key-two-canary"}],
}
NUMBERS: dict[str, object] = {
    "twilio_from": "+14155550100",
    "destinations": {"billing": {"to": "+14155550123", "from": "+14155550124"}},
}


def test_no_secret_and_no_number_is_seen_in_it() -> None:
    settings = Settings.model_validate(SECRETS | NUMBERS)
    for text in (repr(settings), str(settings)):
        assert "canary" not in text
        assert "4155550" not in text
    assert "canary" not in repr(settings.model_dump())
    assert "canary" not in settings.model_dump_json()


def test_it_knows_its_secrets_so_that_logs_can_be_kept_free_of_them() -> None:
    assert Settings.model_validate(SECRETS | NUMBERS).secrets() == {
        "auth-token-canary",
        "KEY1:shared-key-canary",
        "shared-key-canary",
        "daily-key-canary",
        "redis://user:redis%21canary@127.0.0.1:6379/0",
        "redis%21canary",
        "redis!canary",
        "api-key-one-canary",
        "api-key-two-canary",
        "14155550100",
        "14155550123",
        "14155550124",
    }
    assert Settings().secrets() == frozenset()


def test_an_error_of_its_own_shows_no_secret() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(
            {"twilio_auth_token": "can ary", "api_keys": "canary", "redis_url": "canary", "nothing": "canary"}
        )
    assert caught.value.error_count() == 4
    assert "canary" not in str(caught.value)
    assert "can ary" not in str(caught.value)


def test_it_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(Settings(), "max_transfers", 5)  # noqa: B010 - mypy knows that it cannot be


def test_a_carrier_is_there_when_all_of_its_account_is() -> None:
    account = {"twilio_account_sid": f"AC{'0' * 32}", "twilio_auth_token": "auth-token-canary"}
    assert Settings.model_validate(account).providers == ()
    assert Settings.model_validate({**account, "twilio_from": "+14155550100"}).providers == (Provider.TWILIO,)


def test_every_setting_says_what_it_means() -> None:
    for fields in (Settings.model_fields, Destination.model_fields):
        assert [name for name, field in fields.items() if not (field.description or "").endswith(".")] == []


def test_a_derived_key_is_of_its_purpose_and_its_secret_and_outlives_a_restart() -> None:
    settings = Settings.model_validate(SECRETS)
    other = Settings.model_validate(SECRETS | {"twilio_auth_token": "another-token"})
    assert settings.derived_key("a") == Settings.model_validate(SECRETS).derived_key("a")
    assert len({settings.derived_key("a"), settings.derived_key("b"), other.derived_key("a")}) == 3
    assert len(settings.derived_key("a")) == 32


def test_t12_what_a_carrier_shows_at_its_streams_changes_with_its_own_secrets_only() -> None:
    signing = {"jambonz_api_key": "jambonz-key-canary", "jambonz_webhook_secret": "jambonz-secret-canary"}
    shown = Settings.model_validate(SECRETS | signing).stream_secret("jambonz")
    for other in ({"twilio_auth_token": "another-token"}, {"telnyx_api_key": "another-key"}):
        assert Settings.model_validate(SECRETS | signing | other).stream_secret("jambonz") == shown
    for changed in signing:
        own = Settings.model_validate(SECRETS | signing | {changed: "another-secret"})
        assert own.stream_secret("jambonz") != shown
