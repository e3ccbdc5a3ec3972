"""What a document of the relay says to do, and TwiML, read strictly: no more of it than relay may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

Encoding: TypeAlias = Literal["pcmu", "pcma", "l16le", "l16be"]


class DocumentError(Exception):
    """The carrier cannot do what the document says: what was expected, and what came."""


@dataclass(frozen=True, slots=True)
class Say:
    """Speak to the one who answered."""

    text: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait."""

    duration_s: float


@dataclass(frozen=True, slots=True)
class Stream:
    """
    Open a media stream there, both ways, and go on when it has ended.

    Args:
        url: where, without credentials.
        parameters: what its first message tells the relay again.
        headers: of the upgrade, beside a signature: credentials.
        encoding, rate_hz: of the audio.
        options: what else the carrier was told, by its own names.
    """

    url: str
    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    encoding: Encoding = "pcmu"
    rate_hz: int = 8000
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Redirect:
    """Fetch another document and do that."""

    url: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call."""


Verb: TypeAlias = Say | Pause | Stream | Redirect | HangUp


def verbs_of(document: str) -> tuple[Verb, ...]:
    """
    What an answer document says to do, in order.

    Raises:
        DocumentError: it is no TwiML, or more of it than is simulated.
    """
    return read_response(document, TWIML)


def read_response(document: str, verbs: Mapping[str, Callable[[Element], Verb]]) -> tuple[Verb, ...]:
    """
    What a ``<Response>`` says to do, in order; ``verbs`` reads each element by its tag.

    Raises:
        DocumentError: it is none, or says more than ``verbs`` read.
    """
    try:
        # S314: nobody's but the relay under test writes it, on the same machine.
        root = ET.fromstring(document.encode())  # noqa: S314
    except ET.ParseError as error:
        raise DocumentError(f"expected XML, got {document[:80]!r}: {error}") from error
    if root.tag != "Response":
        raise DocumentError(f"expected <Response>, got <{root.tag}>")
    expect(root, attributes=set(), text=False)
    for element in root:
        if element.tag not in verbs:
            raise DocumentError(f"expected one of {', '.join(verbs)}, got <{element.tag}>")
    return tuple(verbs[element.tag](element) for element in root)


def _say(element: Element) -> Say:
    expect(element, attributes={"voice", "language", "loop"}, children=False)
    return Say((element.text or "").strip())


def _pause(element: Element) -> Pause:
    expect(element, attributes={"length"}, text=False, children=False)
    length = element.get("length", "1")
    if not length.isdecimal():
        raise DocumentError(f"<Pause length>: expected whole seconds, got {length!r}")
    return Pause(int(length))


def _connect(element: Element) -> Stream:
    expect(element, attributes=set(), text=False)
    if [child.tag for child in element] != ["Stream"]:
        raise DocumentError(f"<Connect>: expected one <Stream>, got {[child.tag for child in element]}")
    return stream_of(element[0])


def media_url(given: str, *, what: str) -> str:
    """
    The URL of a media stream.

    Raises:
        DocumentError: it is none; ``what`` names it.
    """
    url = urlsplit(given)
    if url.scheme not in {"ws", "wss"} or not url.netloc:
        raise DocumentError(f"{what}: expected wss://, or ws:// on one machine, got {given or None!r}")
    return given


def stream_of(element: Element, *, attributes: frozenset[str] = frozenset()) -> Stream:
    """
    The ``<Stream>`` of TwiML, or with more attributes that of who speaks its dialect.

    Raises:
        DocumentError: it cannot be opened so.
    """
    expect(element, attributes={"url", "name", *attributes}, text=False)
    url = urlsplit(media_url(element.get("url", ""), what="<Stream url>"))
    if url.query:
        # Twilio strips it before the upgrade (its warning 31920), and a token in it never comes.
        raise DocumentError(f"<Stream url>: expected no query string, got {element.get('url')!r}")
    parameters = {}
    for child in element:
        if child.tag != "Parameter" or set(child.attrib) != {"name", "value"}:
            raise DocumentError(f"<Stream>: expected <Parameter name value>, got <{child.tag}> with {[*child.attrib]}")
        parameters[child.attrib["name"]] = child.attrib["value"]
    return Stream(url.geturl(), MappingProxyType(parameters))


def _redirect(element: Element) -> Redirect:
    expect(element, attributes={"method"}, children=False)
    if element.get("method", "POST") != "POST":
        raise DocumentError(f"<Redirect method>: expected POST, got {element.get('method')!r}")
    if not (element.text or "").strip():
        raise DocumentError("<Redirect>: expected a URL, got nothing")
    return Redirect((element.text or "").strip())


def _hang_up(element: Element) -> HangUp:
    expect(element, attributes=set(), text=False, children=False)
    return HangUp()


def expect(element: Element, *, attributes: set[str], text: bool = True, children: bool = True) -> None:
    """
    Hold an element to what it may have.

    Raises:
        DocumentError: it has more.
    """
    if unknown := set(element.attrib) - attributes:
        raise DocumentError(f"<{element.tag}>: expected attributes of {sorted(attributes)}, got {sorted(unknown)}")
    if not children and len(element):
        raise DocumentError(f"<{element.tag}>: expected no elements in it, got <{element[0].tag}>")
    if not text and (element.text or "").strip():
        raise DocumentError(f"<{element.tag}>: expected no text in it, got {(element.text or '').strip()[:40]!r}")


TWIML: Final[Mapping[str, Callable[[Element], Verb]]] = {
    "Say": _say,
    "Pause": _pause,
    "Connect": _connect,
    "Redirect": _redirect,
    "Hangup": _hang_up,
}
