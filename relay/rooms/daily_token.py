"""Meeting tokens for Daily rooms, signed here: neither a request to Daily nor a token that opens more than one room."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode

import orjson

_HEADER = b'{"alg":"HS256","typ":"JWT"}'


def meeting_token(
    *,
    api_key: str,
    domain_id: str | None,
    room_name: str,
    now_s: float,
    lifetime_s: float,
    user_name: str,
    owner: bool = False,
) -> str:
    """
    Sign a token that lets its bearer into one room for a while, and puts them out when it expires.

    Args:
        api_key: of the room's domain; the secret that signs.
        domain_id: Daily asks for it in tokens that it did not make itself.
        room_name: a token without one would open every room of the domain.
        now_s: seconds since 1970.
        lifetime_s: a token without an end would live for ever.
        user_name: what others in the room see.
        owner: may put others out, and record: nothing a bridge needs.

    Raises:
        ValueError: no key, no room, or no lifetime.

    Source: https://docs.daily.co/reference/rest-api/meeting-tokens/self-signing-tokens (read 2026-11-26); RFC 7519.
    """
    if not api_key or not room_name:
        raise ValueError("meeting_token: expected an API key and a room's name, got nothing for one of them")
    if not lifetime_s >= 1:
        raise ValueError(f"meeting_token: expected a lifetime of 1 s or more, got {lifetime_s} s")
    claims: dict[str, str | int | bool] = {
        "r": room_name,
        "iat": int(now_s),
        "exp": int(now_s + lifetime_s),
        "ejt": True,
        "u": user_name,
    }
    if domain_id is not None:
        claims["d"] = domain_id
    if owner:
        claims["o"] = True
    signed = _base64url(_HEADER) + b"." + _base64url(orjson.dumps(claims))
    return (signed + b"." + _base64url(hmac.digest(api_key.encode(), signed, "sha256"))).decode()


def _base64url(content: bytes) -> bytes:
    return urlsafe_b64encode(content).rstrip(b"=")
