"""XML documents: any text goes in, and comes back, without a tag more."""

import re
from xml.etree.ElementTree import Element, fromstring

from hypothesis import example, given
from hypothesis import strategies as st

from relay.providers.xml_document import (
    SAY_MAX_BYTES,
    XML_TYPE,
    add_element,
    hang_up_document,
    spoken_text,
    xml_document,
    xml_text,
)

ANY_TEXT = st.text(st.characters(exclude_categories=()))  # lone surrogates too


def readable(text: str) -> str:
    """What a parser makes of a text, by the standard: the definition that the code is compared with."""

    def allowed(char: str) -> bool:  # XML 1.0, section 2.2
        code = ord(char)
        return code in {9, 10, 13} or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000

    return "".join(filter(allowed, re.sub("\r\n|\r", "\n", text)))


@given(ANY_TEXT)
@example("\x00\x08\x0b\x1f\ufffe\uffff\ud800\udfff\r\n\t\x7f\x85\ue000\U0010ffff")
def test_only_what_xml_forbids_is_dropped(text: str) -> None:
    assert xml_text(text) == readable(text)


@given(ANY_TEXT, ANY_TEXT)
@example("</Say><Hangup/>", '"/><Dial>+14155550123</Dial><Say a="')
@example("]]>", "<!-- & -->")
def test_t20_no_text_becomes_a_tag(text: str, attribute: str) -> None:
    root = Element("Response")
    add_element(root, "Say", {"voice": attribute}, text)
    document = xml_document(root)
    [say] = parsed = list(fromstring(document.body))  # noqa: S314  # our own document
    assert [each.tag for each in parsed] == ["Say"]
    assert list(say) == []
    assert say.attrib == {"voice": readable(attribute)}
    assert (say.text or "") == readable(text)


def test_elements_keep_their_order_and_depth() -> None:
    root = Element("A")
    add_element(add_element(root, "B"), "C")
    add_element(root, "D", text="é")
    document = xml_document(root)
    assert document.content_type == XML_TYPE == "text/xml; charset=utf-8"
    assert document.body == "<?xml version='1.0' encoding='utf-8'?>\n<A><B><C /></B><D>é</D></A>".encode()


@given(ANY_TEXT)
@example("\x00 \n")
@example("é" * 1000)
def test_what_is_spoken_is_the_start_of_a_text_or_nothing(say: str) -> None:
    said, text = spoken_text(say), xml_text(say)
    assert text.startswith(said)
    assert len(said.encode()) <= SAY_MAX_BYTES
    assert bool(said) == bool(text.encode()[:SAY_MAX_BYTES].decode(errors="ignore").strip())
    assert spoken_text(None) == ""


def test_a_call_is_ended_by_one_word() -> None:
    assert hang_up_document().body.endswith(b"<Response><Hangup /></Response>")
