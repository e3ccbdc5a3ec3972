"""JSON Web Tokens: what PyJWT makes is read, what is made PyJWT reads, and nothing else is taken."""

import base64
import hmac
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from relay.providers.json_web_token import read_hs256, rsa_key, sign_rs256
from tests.providers.vonage_requests import VECTORS, pem
from tests.providers.vonage_requests import rsa_key as made_key

SECRET = VECTORS["signed_webhook_post"]["secret"]
CLAIMS: dict[str, Any] = {"iat": 1767225600, "jti": "1", "exp": 1767226500, "application_id": "é"}


def encoded(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")


def signed(header: bytes, claims: bytes) -> str:
    text = encoded(header) + b"." + encoded(claims)
    return (text + b"." + encoded(hmac.digest(SECRET.encode(), text, "sha256"))).decode()


# --- RS256 ---


def test_what_is_signed_is_read_by_pyjwt() -> None:
    token = sign_rs256(CLAIMS, rsa_key(pem()))
    read = jwt.decode(token, made_key().public_key(), algorithms=["RS256"], options={"verify_exp": False})
    assert read == CLAIMS
    assert jwt.get_unverified_header(token) == VECTORS["rest_application_jwt"]["header"]


def test_the_recorded_token_of_vonages_library_has_the_same_shape() -> None:
    """Its key was thrown away: what is signed can be compared, and its signature read."""
    vector = VECTORS["rest_application_jwt"]
    key = vector["public_key_pem"]
    assert jwt.decode(vector["jwt"], key, algorithms=["RS256"], options={"verify_exp": False}) == vector["claims"]
    assert sign_rs256(vector["claims"], made_key()).split(".")[:2] == vector["jwt"].split(".")[:2]


def private(key: Any, encryption: Any = None) -> str:
    made: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
    return made.decode()


def test_what_is_no_rsa_key_is_refused_and_not_shown() -> None:
    public = made_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    locked = private(made_key(), BestAvailableEncryption(b"a password"))
    for text in ("", "é", "-----BEGIN PRIVATE KEY-----", public, locked, private(Ed25519PrivateKey.generate())):
        with pytest.raises(ValueError, match=r"^rsa_key: expected an RSA private key in PEM") as refused:
            rsa_key(text)
        assert not text or text not in str(refused.value)
        assert refused.value.__cause__ is None


# --- HS256 ---


def test_what_pyjwt_signs_is_read() -> None:
    assert read_hs256(jwt.encode(CLAIMS, SECRET, algorithm="HS256"), SECRET.encode()) == CLAIMS


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "é.é.é",
        "\ud800.a.b",
        jwt.encode(CLAIMS, "another" + SECRET, algorithm="HS256"),
        jwt.encode(CLAIMS, SECRET * 2, algorithm="HS384"),
        jwt.encode(CLAIMS, "", algorithm="none"),
        jwt.encode(CLAIMS, SECRET, algorithm="HS256") + "=",
        jwt.encode(CLAIMS, SECRET, algorithm="HS256") + ".",
        " " + jwt.encode(CLAIMS, SECRET, algorithm="HS256"),
        jwt.encode(CLAIMS, SECRET, algorithm="HS256").rpartition(".")[0] + ".",
    ],
)
def test_t3_other_texts_are_refused(token: str) -> None:
    assert read_hs256(token, SECRET.encode()) is None


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        (b'{"alg":"none"}', b"{}"),
        (b'{"alg":"HS512"}', b"{}"),
        (b'{"alg":["HS256"]}', b"{}"),
        (b'{"alg":"HS256","crit":["b64"],"b64":false}', b"{}"),
        (b"{}", b"{}"),
        (b"[]", b"{}"),
        (b"", b"{}"),
        (b'{"alg":"HS256"}', b"[]"),
        (b'{"alg":"HS256"}', b"1"),
        (b'{"alg":"HS256"}', b"{"),
        (b'{"alg":"HS256"}', b""),
    ],
)
def test_t3_a_signature_alone_is_not_enough(header: bytes, claims: bytes) -> None:
    assert read_hs256(signed(header, claims), SECRET.encode()) is None


def test_a_signed_token_of_another_library_is_read() -> None:
    assert read_hs256(signed(b'{"typ": "JWT", "alg": "HS256", "kid": "1"}', b'{ "iat" : 1 }'), SECRET.encode()) == {
        "iat": 1
    }


@given(st.text() | st.lists(st.text(), min_size=3, max_size=3).map(".".join))
def test_no_text_whatever_raises(token: str) -> None:
    assert read_hs256(token, SECRET.encode()) is None


@given(st.binary(), st.binary())
def test_no_signed_text_whatever_raises(header: bytes, claims: bytes) -> None:
    read = read_hs256(signed(header, claims), SECRET.encode())
    assert read is None or read == json.loads(claims)


@given(st.dictionaries(st.text(), st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")) | st.none()))
def test_any_claims_are_read_as_pyjwt_wrote_them(claims: dict[str, Any]) -> None:
    text = json.dumps(claims)
    assert read_hs256(signed(b'{"alg":"HS256"}', text.encode()), SECRET.encode()) == json.loads(text)
