"""The simulated Vonage's tokens are those of its own library, and the relay's are judged."""

import base64
import json

import jwt
import pytest

from relay.dev.carriers.vonage_tokens import complaint_about, private_key, signed_token, webhook_token
from tests.dev.carriers.sessions import vectors

NOW_S = 1767225600
CLAIMS = {"application_id": "an-id", "iat": NOW_S, "jti": "1", "exp": NOW_S + 900}


def complaint(claims: dict[str, object], *, now_s: float = NOW_S, algorithm: str = "RS256") -> str:
    key = private_key() if algorithm == "RS256" else 32 * "secret"
    token = jwt.encode(claims, key, algorithm=algorithm)
    return complaint_about(token, private_pem=private_key(), application_id="an-id", now_s=now_s)


def test_a_vector_is_signed_to_the_same_value() -> None:
    signed = [vector for vector in vectors("vonage") if vector["name"] == "signed_webhook_post"]
    for vector in signed:
        assert signed_token(vector["claims"], secret=vector["secret"]) == vector["jwt"]
    assert len(signed) == 1


def test_a_webhooks_token_has_the_hash_of_its_body() -> None:
    (vector,) = [vector for vector in vectors("vonage") if vector["name"] == "signed_webhook_post"]
    token = webhook_token(vector["raw_body"].encode(), secret=vector["secret"], claims={"api_key": "abcd1234"})
    claims = jwt.decode(token, vector["secret"], algorithms=["HS256"])
    assert claims["payload_hash"] == vector["claims"]["payload_hash"]
    assert {"iat", "jti", "iss", "api_key"} <= claims.keys()


def test_a_token_that_another_library_signs_is_taken() -> None:
    assert complaint(CLAIMS) == ""


@pytest.mark.parametrize(
    ("claims", "now_s", "says"),
    [
        (CLAIMS | {"application_id": "another"}, NOW_S, "application_id"),
        (CLAIMS, NOW_S + 900, "expected a token of now"),
        (CLAIMS, NOW_S - 61, "expected a token of now"),
        (CLAIMS | {"exp": NOW_S + 86401}, NOW_S, "for a day at most"),
        ({name: value for name, value in CLAIMS.items() if name != "jti"}, NOW_S, "expected iat, exp and jti"),
    ],
)
def test_a_token_of_another_time_or_application_is_not(claims: dict[str, object], now_s: float, says: str) -> None:
    assert says in complaint(claims, now_s=now_s)


def test_a_token_of_another_key_or_none_is_not() -> None:
    assert complaint(CLAIMS, algorithm="HS256") != ""
    head = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).decode().rstrip("=")
    for token in ("", "a.b", f"{head}.e30.", "a.b.c.d"):
        assert complaint_about(token, private_pem=private_key(), application_id="an-id") != ""
