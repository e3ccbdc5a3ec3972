"""Daily's meeting tokens (T11): read by another implementation, they open one room for a while and nothing more."""

import base64
import hashlib
import hmac
import json

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.rooms.daily_token import meeting_token

API_KEY = "an-api-key-of-a-domain-at-daily.co"
DOMAIN_ID = "30f866c3-9123-452a-8723-ff58322d09c5"
NOW_S = 1_610_596_413.75


def token(
    *,
    api_key: str = API_KEY,
    domain_id: str | None = DOMAIN_ID,
    room_name: str = "blue",
    lifetime_s: float = 3600.0,
    user_name: str = "relay",
    owner: bool = False,
) -> str:
    return meeting_token(
        api_key=api_key,
        domain_id=domain_id,
        room_name=room_name,
        now_s=NOW_S,
        lifetime_s=lifetime_s,
        user_name=user_name,
        owner=owner,
    )


def claims(signed: str, api_key: str = API_KEY) -> dict[str, object]:
    """Verified by PyJWT, but for its times: those are compared."""
    content: dict[str, object] = jwt.decode(
        signed, api_key, algorithms=["HS256"], options={"verify_exp": False, "verify_iat": False}
    )
    return content


def test_a_token_is_of_one_room_and_ends() -> None:
    assert claims(token()) == {
        "r": "blue",
        "iat": 1_610_596_413,
        "exp": 1_610_600_013,
        "ejt": True,
        "u": "relay",
        "d": DOMAIN_ID,
    }


def test_a_token_makes_nobody_an_owner_unless_asked_to() -> None:
    assert "o" not in claims(token())
    assert claims(token(owner=True))["o"] is True


def test_a_domain_without_an_id_is_not_in_it() -> None:
    assert "d" not in claims(token(domain_id=None))


def test_its_three_parts_are_those_of_rfc_7515() -> None:
    """By hand: no padding, the signature is over the encoded parts."""
    header, payload, signature = token().split(".")
    expected = hmac.new(API_KEY.encode(), f"{header}.{payload}".encode(), hashlib.sha256).digest()
    assert base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4)) == expected
    assert json.loads(base64.urlsafe_b64decode(header + "==")) == {"alg": "HS256", "typ": "JWT"}
    assert "=" not in token()


def test_another_key_does_not_verify_it() -> None:
    with pytest.raises(jwt.InvalidSignatureError):
        claims(token(), API_KEY + "x")


@given(st.text(min_size=1), st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_name_comes_out_as_it_went_in(room_name: str, user_name: str) -> None:
    content = claims(token(room_name=room_name, user_name=user_name))
    assert (content["r"], content["u"]) == (room_name, user_name)


@pytest.mark.parametrize("missing", ["api_key", "room_name"])
def test_a_token_for_every_room_or_by_nobody_is_not_made(missing: str) -> None:
    with pytest.raises(ValueError, match="an API key and a room's name"):
        token(**{missing: ""})  # type: ignore[arg-type] # both are texts


@pytest.mark.parametrize("lifetime_s", [0.0, 0.5, -1.0, float("nan")])
def test_a_token_that_does_not_live_is_not_made(lifetime_s: float) -> None:
    with pytest.raises(ValueError, match="a lifetime of 1 s or more"):
        token(lifetime_s=lifetime_s)
