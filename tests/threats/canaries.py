"""Secrets that stand out, planted wherever a service knows one, and the search for them in all that it puts out."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from redis.asyncio import Redis

from tests.threats.stage import typed

ADMIN, READ = "canary-admin-key-5e1f0a", "canary-read-key-77b2c9"
REDIS_PASSWORD: Final = "canary/redis+password-31d"  # noqa: S105 - of a server of the tests' own
TWILIO_TOKEN: Final = "canary-twilio-token-9c4e"  # noqa: S105 - of nobody
SHARED_KEY: Final = "canary-shared-secret-60aa"
DAILY_KEY: Final = "canary-daily-key-f00d-with-32-bytes"
ROOM_TOKEN: Final = "canary-room-token-b4b4"  # noqa: S105 - opens nothing
WRONG_KEY: Final = "canary-wrong-key-0dd0"
SUMMARY: Final = "canary summary: the customer wants to cancel"
TO, FROM, AGENT, AGENT_FROM, OURS = "+14152870188", "+14152870177", "+14152870166", "+14152870155", "+14152870144"

NUMBERS: Final = {"to": TO, "from": FROM, "agent": AGENT, "agent's from": AGENT_FROM, "our number": OURS}
SECRETS: Final = {
    "API key": ADMIN,
    "another API key": READ,
    "wrong key": WRONG_KEY,
    "Redis password": REDIS_PASSWORD,
    "Twilio token": TWILIO_TOKEN,
    "shared key": SHARED_KEY,
    "Daily key": DAILY_KEY,
    "room token": ROOM_TOKEN,
}
ENV: Final = {
    "API_KEYS": f"{ADMIN},read:{READ}",
    "ALLOWED_NUMBERS": "+1415287",
    "DESTINATIONS": json.dumps({"billing": {"to": AGENT, "from": AGENT_FROM, "accept": "detection"}}),
    "TWILIO_AUTH_TOKEN": TWILIO_TOKEN,
    "TWILIO_SHARED_KEY": f"key_1:{SHARED_KEY}",
    "TWILIO_FROM": OURS,
    "DAILY_DOMAINS": "canaries",
    "DAILY_API_KEY": DAILY_KEY,
    "DAILY_DOMAIN_ID": "30f866c3-9123-452a-8723-ff58322d09c5",
    "LOG_LEVEL": "debug",
}
"""Of a service with all of them, but for ``REDIS_URL``."""


def redis_url(url: str) -> str:
    """The URL of a server on a Unix socket, with the password."""
    return url.replace("unix://", f"unix://:{quote(REDIS_PASSWORD, safe='')}@")


def leaks(text: str, *, more: Iterable[str] = (), is_callers: bool = False) -> set[str]:
    """
    The names of the canaries in a text.

    Args:
        text: where they should not be.
        more: canaries that are made while the service runs: tokens of media.
        is_callers: what is put out goes back to the caller, whose own the metadata are.
    """
    wanted = {name: spellings(secret) for name, secret in SECRETS.items()}
    wanted |= {f"number: {name}": [number[-7:]] for name, number in NUMBERS.items()}
    wanted |= {f"media token {number}": [token[:16]] for number, token in enumerate(more)}
    if not is_callers:
        wanted["summary"] = [SUMMARY[:16]]
    return {name for name, each in wanted.items() if any(spelling in text for spelling in each)}


def spellings(secret: str) -> list[str]:
    """A secret as it is, as in a URL, and as in a header of Basic authentication, wherever it begins there."""
    encoded = [base64.b64encode(b"x" * shift + secret.encode()).decode()[4:-4] for shift in range(3)]
    return [secret[:16], quote(secret, safe="")[:16], *encoded]


async def stored(redis: Redis) -> str:
    """Everything in a Redis, as text: each key, its value, and the value as Redis itself writes it down."""
    content = [(key, await typed(redis, key), await redis.dump(key)) async for key in redis.scan_iter()]
    assert content
    return repr(content)
