"""Plivo's answer documents: its recorded one, and any text in them."""

from xml.etree.ElementTree import Element, canonicalize, fromstring

import pytest
from hypothesis import example, given

from relay.providers.control import Document
from relay.providers.xml_document import SAY_MAX_BYTES
from tests.providers.plivo_requests import EXCHANGES, control
from tests.providers.test_xml_document import ANY_TEXT, readable

MEDIA_URL, THEN_URL = "wss://relay.example.com/plivo/media", "https://relay.example.com/answer/1"


def tree(document: Document) -> Element:
    assert document.content_type == "text/xml; charset=utf-8"
    return fromstring(document.body)  # noqa: S314  # our own document


def test_the_recorded_document_is_made_but_for_what_is_not_asked_for() -> None:
    recorded = fromstring(EXCHANGES["answer_webhook"]["response"]["body"])  # noqa: S314  # a sample
    [stream] = recorded
    for name in ("statusCallbackUrl", "statusCallbackMethod", "extraHeaders"):
        del stream.attrib[name]
    [ours] = tree(control().stream_document(MEDIA_URL, then_url=None))
    assert (ours.tag, ours.attrib, ours.text) == (stream.tag, stream.attrib, stream.text)


def test_a_stream_is_between_what_is_said_and_what_comes_next() -> None:
    document = control().stream_document(MEDIA_URL, then_url=THEN_URL, say="A refund & <more>")
    assert canonicalize(document.body.decode()) == (
        "<Response><Speak>A refund &amp; &lt;more&gt;</Speak>"
        '<Stream bidirectional="true" contentType="audio/x-mulaw;rate=8000" keepCallAlive="true">'
        f'{MEDIA_URL}</Stream><Redirect method="POST">{THEN_URL}</Redirect></Response>'
    )


def test_wideband_is_asked_for_as_plivos_page_writes_it() -> None:
    [stream] = tree(control(wideband=True).stream_document(MEDIA_URL, then_url=None))
    assert stream.get("contentType") == "audio/x-l16;rate=16000"


@pytest.mark.parametrize("say", [None, "", " \n", "\x00"])
def test_nothing_to_say_is_not_said(say: str | None) -> None:
    assert [each.tag for each in tree(control().stream_document(MEDIA_URL, then_url=None, say=say))] == ["Stream"]


def test_the_hang_up_document_ends_the_call() -> None:
    assert canonicalize(control().hang_up_document().body.decode()) == "<Response><Hangup></Hangup></Response>"


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
@example("</Stream><Dial>+19005550100</Dial>", "</Redirect><Hangup/>", "</Speak><Dial>+19005550100</Dial><Speak>")
def test_t20_no_text_becomes_an_element(media_url: str, then_url: str, say: str) -> None:
    root = tree(control().stream_document(media_url, then_url=then_url, say=say))
    said = [each for each in root if each.tag == "Speak"]
    assert [each.tag for each in root.iter()] == ["Response", *(["Speak"] if said else []), "Stream", "Redirect"]
    assert (root.findtext("Stream"), root.findtext("Redirect")) == (readable(media_url), readable(then_url))


def test_t20_a_long_text_is_cut() -> None:
    said = tree(control().stream_document(MEDIA_URL, then_url=None, say="é" * 5000)).findtext("Speak")
    assert said == "é" * (SAY_MAX_BYTES // 2)
