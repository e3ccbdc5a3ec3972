"""Answer documents: what Twilio's own library would write, whatever the texts in them."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element, canonicalize, fromstring

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from twilio.twiml.voice_response import Connect, VoiceResponse

from relay.providers.control import Document
from relay.providers.twilio_control import SAY_MAX_BYTES
from tests.providers.test_xml_document import ANY_TEXT, readable
from tests.providers.twilio_requests import control

MEDIA_URL, THEN_URL = "wss://relay.example.com/media/t0k3n", "https://relay.example.com/answer/1"


def tree(document: Document) -> Element:
    assert document.content_type == "text/xml; charset=utf-8"
    return fromstring(document.body)  # noqa: S314  # our own document


def by_twilio(media_url: str, then_url: str | None, say: str | None) -> str:
    response = VoiceResponse()
    if say:
        response.say(say)
    connect = Connect()
    connect.stream(url=media_url)
    response.append(connect)
    if then_url is not None:
        response.redirect(then_url, method="POST")
    return canonicalize(str(response))


@pytest.mark.parametrize("then_url", [None, THEN_URL])
@pytest.mark.parametrize("say", [None, "", "A caller wants a refund & <more>: Zoë 東京"])
def test_the_stream_document_is_what_twilios_library_writes(then_url: str | None, say: str | None) -> None:
    document = control().stream_document(MEDIA_URL, then_url=then_url, say=say)
    assert canonicalize(document.body.decode()) == by_twilio(MEDIA_URL, then_url, say)


def test_the_hang_up_document_is_what_twilios_library_writes() -> None:
    response = VoiceResponse()
    response.hangup()
    assert canonicalize(control().hang_up_document().body.decode()) == canonicalize(str(response))


@given(st.from_regex(r"\A[ -~]{1,40}\Z"), st.text(st.characters(codec="utf-8", categories=["L", "P", "S"]), min_size=1))
def test_t20_documents_are_what_twilios_library_writes_for_any_printable_text(url: str, say: str) -> None:
    document = control().stream_document(url, then_url=url, say=say)
    assert canonicalize(document.body.decode()) == by_twilio(url, url, say)


def shape(element: Element) -> Iterator[str]:
    for each in element.iter():
        yield " ".join([each.tag, *sorted(each.attrib)])


@given(ANY_TEXT, ANY_TEXT | st.none(), ANY_TEXT | st.none())
@example('"/></Connect><Dial>+19005550100</Dial>', "</Redirect><Hangup/>", "</Say><Dial>+19005550100</Dial><Say>")
@example("wss://a/\x00\r\n", "\ud800", "\x0b \t")
def test_t20_no_text_changes_the_tags(media_url: str, then_url: str | None, say: str | None) -> None:
    root = tree(control().stream_document(media_url, then_url=then_url, say=say))
    said = bool(readable(say or "").strip())
    expected = ["Response", *["Say"] * said, "Connect", "Stream url", *["Redirect method"] * (then_url is not None)]
    assert [*shape(root)] == expected
    assert root.find("Connect/Stream").get("url") == readable(media_url)  # type: ignore[union-attr]  # it is there
    assert (root.findtext("Redirect") or "") == readable(then_url or "")
    if said:
        assert root.findtext("Say") == readable(say or "")


@pytest.mark.parametrize("char", ["a", "é", "東", "\U0001f600"])
def test_t20_a_long_text_is_cut_where_twilio_still_takes_it(char: str) -> None:
    """Twilio takes 4500 characters URL-encoded: error 13521."""
    said = tree(control().stream_document(MEDIA_URL, then_url=None, say=char * 5000)).findtext("Say")
    assert said == char * (SAY_MAX_BYTES // len(char.encode()))
    assert len("".join(f"%{byte:02X}" for byte in said.encode())) <= 4500
