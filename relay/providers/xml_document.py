"""Answer documents in XML: built as a tree, so that no text in them can become a tag."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from relay.providers.control import Document

XML_TYPE: Final = "text/xml; charset=utf-8"
SAY_MAX_BYTES: Final = 1500
"""Of UTF-8, some 100 s of speech. Twilio takes 4500 characters URL-encoded, three for a byte at worst (error 13521)."""

_NEW_LINE: Final = re.compile("\r\n?")
_NOT_IN_XML: Final = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """``text`` as a parser gives it back: without what XML 1.0 forbids (section 2.2), every line's end LF (2.11)."""
    return _NOT_IN_XML.sub("", _NEW_LINE.sub("\n", text))


def spoken_text(say: str | None) -> str:
    """What of a text a carrier is told to speak: up to ``SAY_MAX_BYTES``; empty if there is nothing to say."""
    said = xml_text(say or "").encode()[:SAY_MAX_BYTES].decode(errors="ignore")
    return said if said.strip() else ""  # nothing to say is an error to Twilio, 13520


def add_element(parent: Element, tag: str, attributes: Mapping[str, str] | None = None, text: str = "") -> Element:
    """Add an element at the end of ``parent``; attributes and text may be anything."""
    element = SubElement(parent, tag, {name: xml_text(value) for name, value in (attributes or {}).items()})
    element.text = xml_text(text)
    return element


def xml_document(root: Element) -> Document:
    """The document of this tree."""
    return Document(XML_TYPE, tostring(root, encoding="utf-8", xml_declaration=True))


def hang_up_document() -> Document:
    """The document that ends a call, the same to each carrier that takes XML."""
    response = Element("Response")
    add_element(response, "Hangup")
    return xml_document(response)
