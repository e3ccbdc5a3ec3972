"""Plivo's XML, read strictly, and no more of it than relay may use; see plivo.com/docs/voice/xml."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final
from xml.etree.ElementTree import Element

from relay.dev.carrier_document import (
    TWIML,
    DocumentError,
    Encoding,
    Pause,
    Redirect,
    Say,
    Stream,
    Verb,
    expect,
    media_url,
)

HEADERS_MAX_BYTES: Final = 512

_CONTENT_TYPES: Final[Mapping[str, tuple[Encoding, int]]] = {
    "audio/x-mulaw;rate=8000": ("pcmu", 8000),
    "audio/x-l16;rate=8000": ("l16le", 8000),
    "audio/x-l16;rate=16000": ("l16le", 16000),
}
_STREAM_ATTRIBUTES: Final = {
    "bidirectional",
    "audioTrack",
    "streamTimeout",
    "statusCallbackUrl",
    "statusCallbackMethod",
    "contentType",
    "extraHeaders",
    "keepCallAlive",
}


def _stream(element: Element) -> Stream:
    expect(element, attributes=_STREAM_ATTRIBUTES, children=False)
    if element.get("bidirectional") != "true":
        raise DocumentError(f"<Stream bidirectional>: expected true, got {element.get('bidirectional')!r}")
    if element.get("audioTrack", "inbound") != "inbound":
        raise DocumentError(
            f"<Stream audioTrack>: expected inbound with bidirectional, got {element.get('audioTrack')!r}"
        )
    # Its default is documented in two ways: a document that leaves it out may be played as noise.
    if (content_type := element.get("contentType", "")) not in _CONTENT_TYPES:
        raise DocumentError(f"<Stream contentType>: expected one of {', '.join(_CONTENT_TYPES)}, got {content_type!r}")
    if element.get("keepCallAlive") != "true":
        raise DocumentError("<Stream keepCallAlive>: expected true, got a stream that does not hold the call")
    encoding, rate_hz = _CONTENT_TYPES[content_type]
    return Stream(
        media_url((element.text or "").strip(), what="<Stream>"),
        MappingProxyType(_extra_headers(element.get("extraHeaders", ""))),
        encoding=encoding,
        rate_hz=rate_hz,
        options=MappingProxyType({"statusCallbackUrl": element.get("statusCallbackUrl", "")}),
    )


def _extra_headers(text: str) -> dict[str, str]:
    if len(text.encode()) > HEADERS_MAX_BYTES:
        raise DocumentError(
            f"<Stream extraHeaders>: expected at most {HEADERS_MAX_BYTES} bytes, got {len(text.encode())}"
        )
    headers = {}
    for pair in filter(None, text.split(",")):
        name, _, value = pair.partition("=")
        if not all(part.isascii() and part.isalnum() for part in (name, value)):
            raise DocumentError(f"<Stream extraHeaders>: expected letters and digits, got {pair[:20]!r}")
        headers[name] = value
    return headers


def _speak(element: Element) -> Say:
    expect(element, attributes={"voice", "language", "loop"}, children=False)
    return Say((element.text or "").strip())


def _wait(element: Element) -> Pause:
    expect(element, attributes={"length"}, text=False, children=False)
    length = element.get("length", "1")
    if not length.isdecimal() or not int(length):
        raise DocumentError(f"<Wait length>: expected whole seconds, at least 1, got {length!r}")
    return Pause(int(length))


def _redirect(element: Element) -> Redirect:
    return _as_redirect(TWIML["Redirect"](element))


def _as_redirect(verb: Verb) -> Redirect:
    if not isinstance(verb, Redirect) or not verb.url.startswith(("http://", "https://")):
        raise DocumentError("<Redirect>: expected a whole URL, got a part of one")
    return verb


PLIVO_XML: Final[Mapping[str, Callable[[Element], Verb]]] = {
    "Speak": _speak,
    "Wait": _wait,
    "Stream": _stream,
    "Redirect": _redirect,
    "Hangup": TWIML["Hangup"],
}
