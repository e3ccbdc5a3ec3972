"""Answer documents in XML: built as a tree, so that no text in them can become a tag."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from relay.providers.control import Document

XML_TYPE: Final = "text/xml; charset=utf-8"

_NEW_LINE: Final = re.compile("\r\n?")
_NOT_IN_XML: Final = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """``text`` as a parser gives it back: without what XML 1.0 forbids (section 2.2), every line's end LF (2.11)."""
    return _NOT_IN_XML.sub("", _NEW_LINE.sub("\n", text))


def add_element(parent: Element, tag: str, attributes: Mapping[str, str] | None = None, text: str = "") -> Element:
    """Add an element at the end of ``parent``; attributes and text may be anything."""
    element = SubElement(parent, tag, {name: xml_text(value) for name, value in (attributes or {}).items()})
    element.text = xml_text(text)
    return element


def xml_document(root: Element) -> Document:
    """The document of this tree."""
    return Document(XML_TYPE, tostring(root, encoding="utf-8", xml_declaration=True))
