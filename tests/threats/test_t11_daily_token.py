"""T11: what relay signs for itself opens one room for a while, and makes nobody its owner."""

import jwt

from relay.app.settings import load_settings
from relay.rooms.daily_token import meeting_token
from tests.threats.canaries import DAILY_KEY, ENV

NOW_S = 1_800_000_000.0
LIFETIME_S = 3600.0
ROOMS = {"RELAY_LOCAL_ROOMS": "http://127.0.0.1:9", "RELAY_TWILIO_ACCOUNT_SID": "AC" + "0" * 32}


def test_t11_the_token_of_a_configured_domain_is_of_one_room_ends_and_owns_nothing() -> None:
    """Read by another implementation. The key that signs it is in no text that settings turn into."""
    keys = {f"RELAY_{name}": value for name, value in ENV.items()} | {"RELAY_PUBLIC_URL": "https://relay.example.com"}
    settings = load_settings(keys | ROOMS)
    assert settings.daily_api_key is not None
    token = meeting_token(
        api_key=settings.daily_api_key.get_secret_value(),
        domain_id=settings.daily_domain_id,
        room_name="support-42",
        now_s=NOW_S,
        lifetime_s=LIFETIME_S,
        user_name="relay",
    )
    claims = jwt.decode(token, DAILY_KEY, algorithms=["HS256"], options={"verify_exp": False, "verify_iat": False})
    assert claims["r"] == "support-42"
    assert claims["exp"] - claims["iat"] == LIFETIME_S
    assert claims["ejt"] is True
    assert "o" not in claims
    assert DAILY_KEY not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
