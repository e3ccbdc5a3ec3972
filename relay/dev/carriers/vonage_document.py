"""The NCCO as Vonage reads it, strictly, and no more of it than relay may use: ``talk`` and ``connect``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from relay.dev.carrier_document import DocumentError, Say, Stream, Verb, media_url

HEADERS_MAX_BYTES: Final = 512
RATES_HZ: Final[Mapping[object, int]] = {f"audio/l16;rate={rate_hz}": rate_hz for rate_hz in (8000, 16000, 24000)}

_CONNECT: Final = {"action", "from", "endpoint", "eventUrl", "eventMethod", "eventType", "timeout", "limit"}
_ENDPOINT: Final = {"type", "uri", "content-type", "headers", "authorization"}


def verbs_of_ncco(document: str, *, token: Callable[[], str]) -> tuple[Verb, ...]:
    """
    What an NCCO says to do, in order; ``token`` makes one for an endpoint that wants Vonage's.

    Raises:
        DocumentError: it is none, or more of it than is simulated.
    """
    try:
        actions = json.loads(document)
    except ValueError as error:
        raise DocumentError(f"expected JSON, got {document[:80]!r}: {error}") from error
    if not isinstance(actions, list) or not all(isinstance(action, dict) for action in actions):
        raise DocumentError(f"expected a list of actions, got {document[:80]!r}")
    verbs: list[Verb] = []
    for number, action in enumerate(actions):
        match action.get("action"):
            case "talk":
                verbs.append(_talk(action))
            case "connect" if number == len(actions) - 1:
                verbs.append(_connect(action, token))
            case "connect":
                # It runs as soon as the WebSocket is up, and not after its end.
                raise DocumentError(
                    f"connect: expected to be the last action, got {len(actions) - number - 1} behind it"
                )
            case other:
                raise DocumentError(f"expected talk or connect, got {other!r}")
    return tuple(verbs)


def _talk(action: Mapping[str, Any]) -> Say:
    _expect(action, {"action", "text", "bargeIn", "loop", "level", "language", "style", "premium"}, "talk")
    if not isinstance(action.get("text"), str) or not action["text"]:
        raise DocumentError("talk: expected a text, got none")
    return Say(action["text"])


def _connect(action: Mapping[str, Any], token: Callable[[], str]) -> Stream:
    _expect(action, _CONNECT, "connect")
    endpoints = action.get("endpoint")
    if not isinstance(endpoints, list) or len(endpoints) != 1 or not isinstance(endpoints[0], dict):
        raise DocumentError(f"connect: expected one endpoint, got {endpoints!r}")
    endpoint = endpoints[0]
    _expect(endpoint, _ENDPOINT, "endpoint")
    if endpoint.get("type") != "websocket":
        raise DocumentError(f"endpoint type: expected websocket, got {endpoint.get('type')!r}")
    if (content_type := endpoint.get("content-type")) not in RATES_HZ:
        raise DocumentError(
            f"endpoint content-type: expected one of {', '.join(map(str, RATES_HZ))}, got {content_type!r}"
        )
    headers = endpoint.get("headers", {})
    if not isinstance(headers, dict) or len(json.dumps(headers).encode()) > HEADERS_MAX_BYTES:
        raise DocumentError(f"endpoint headers: expected an object of at most {HEADERS_MAX_BYTES} bytes, got another")
    urls = action.get("eventUrl", [])
    return Stream(
        media_url(str(endpoint.get("uri", "")), what="endpoint uri"),
        MappingProxyType({str(name): str(value) for name, value in headers.items()}),
        headers=MappingProxyType(_authorization(endpoint.get("authorization"), token)),
        encoding="l16le",
        rate_hz=RATES_HZ[content_type],
        options=MappingProxyType({"eventUrl": urls[0]} if urls else {}),
    )


def _authorization(given: object, token: Callable[[], str]) -> dict[str, str]:
    match given:
        case None:
            return {}
        case {"type": "vonage"}:
            return {"Authorization": f"Bearer {token()}"}
        case {"type": "custom", "value": str(value)}:
            return {"Authorization": value}
    raise DocumentError("endpoint authorization: expected type vonage, or custom with a value, got another")


def _expect(action: Mapping[str, Any], names: set[str], what: str) -> None:
    if unknown := action.keys() - names:
        raise DocumentError(f"{what}: expected {sorted(names)}, got {sorted(unknown)}")
