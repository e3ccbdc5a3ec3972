"""jambonz' verbs as they come in JSON, read strictly, and no more of them than relay may use."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from relay.dev.carrier_document import DocumentError, HangUp, Pause, Redirect, Say, Stream, Verb, media_url

RATES_HZ: Final = (8000, 16000, 24000, 48000)

_STREAM: Final = {
    "url",
    "sampleRate",
    "mixType",
    "passDtmf",
    "bidirectionalAudio",
    "wsAuth",
    "metadata",
    "actionHook",
    "maxLength",
}


def verbs_of_json(document: str) -> tuple[Verb, ...]:
    """
    What a list of verbs says to do, in order.

    Raises:
        DocumentError: it is none, or more of it than is simulated.
    """
    try:
        verbs = json.loads(document)
    except ValueError as error:
        raise DocumentError(f"expected JSON, got {document[:80]!r}: {error}") from error
    if not isinstance(verbs, list) or not all(isinstance(verb, dict) for verb in verbs):
        raise DocumentError(f"expected a list of verbs, got {document[:80]!r}")
    return tuple(done for verb in verbs for done in _verbs(verb))


def _verbs(verb: Mapping[str, Any]) -> tuple[Verb, ...]:
    match verb:
        case {"verb": "say", "text": str(text)}:
            _expect(verb, {"text", "synthesizer", "loop", "earlyMedia"})
            return (Say(text),)
        case {"verb": "pause", "length": int(length)}:
            _expect(verb, {"length"})
            return (Pause(length),)
        case {"verb": "redirect", "actionHook": str(url)}:
            _expect(verb, {"actionHook"})
            return (Redirect(url),)
        case {"verb": "hangup"}:
            _expect(verb, {"headers"})
            return (HangUp(),)
        case {"verb": "stream" | "listen", "url": str(url)}:
            _expect(verb, _STREAM)
            stream = _stream(verb, url)
            # What its answer says takes the place of all that follows.
            return (stream, Redirect(verb["actionHook"])) if "actionHook" in verb else (stream,)
    raise DocumentError(f"expected say, pause, redirect, hangup or stream, got {json.dumps(verb)[:80]}")


def _stream(verb: Mapping[str, Any], url: str) -> Stream:
    both_ways = verb.get("bidirectionalAudio")
    if (
        not isinstance(both_ways, dict)
        or both_ways.get("enabled") is not True
        or both_ways.get("streaming") is not True
    ):
        raise DocumentError("stream bidirectionalAudio: expected enabled and streaming, got another")
    rate_hz = verb.get("sampleRate", 8000)
    if rate_hz not in RATES_HZ or both_ways.get("sampleRate", 8000) != rate_hz:
        raise DocumentError(f"stream sampleRate: expected one of {RATES_HZ}, both ways, got {rate_hz!r}")
    if verb.get("mixType", "mono") != "mono":
        raise DocumentError(f"stream mixType: expected mono, got {verb.get('mixType')!r}: not simulated")
    headers = {}
    match verb.get("wsAuth"):
        case {"username": str(user), "password": str(password)}:
            headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
        case None:
            pass
        case _:
            raise DocumentError("stream wsAuth: expected username and password, got another")
    metadata = verb.get("metadata", {})
    return Stream(
        media_url(url, what="stream url"),
        MappingProxyType({str(name): str(value) for name, value in metadata.items()}),
        headers=MappingProxyType(headers),
        encoding="l16le",
        rate_hz=rate_hz,
        options=MappingProxyType({"passDtmf": "true"} if verb.get("passDtmf") is True else {}),
    )


def _expect(verb: Mapping[str, Any], names: set[str]) -> None:
    if unknown := verb.keys() - names - {"verb", "id"}:
        raise DocumentError(f"{verb['verb']}: expected {sorted(names)}, got {sorted(unknown)}")
