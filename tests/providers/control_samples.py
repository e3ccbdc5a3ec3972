"""Recorded requests and vectors of carriers' control sides, and what tests do to any of them."""

import json
from dataclasses import replace
from typing import Any

from relay.providers.control import HttpReply, Webhook
from tests.providers.samples import SAMPLES


def exchanges(name: str) -> dict[str, Any]:
    """By their names."""
    return {each["name"]: each for each in json.loads((SAMPLES / name).read_text())}


def vectors(name: str) -> dict[str, Any]:
    """By their names."""
    return {each["name"]: each for each in json.loads((SAMPLES / name).read_text())["vectors"]}


def reply(status: int, body: Any = None, **headers: str) -> HttpReply:
    """A reply of JSON, or of bytes as they are."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpReply(status, {name.replace("_", "-"): value for name, value in headers.items()}, data)


def recorded_reply(exchange: Any) -> HttpReply:
    response = exchange["response"]
    return reply(response["status"], response.get("body", b""))


def with_header(original: Webhook, name: str, value: str) -> Webhook:
    return replace(original, headers={**original.headers, name: value})
