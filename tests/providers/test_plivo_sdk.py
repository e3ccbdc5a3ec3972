"""Plivo's own library as the oracle for signatures and documents, where it is installed."""

import importlib
from typing import Any
from urllib.parse import parse_qsl
from xml.etree.ElementTree import canonicalize, fromstring, tostring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.providers.plivo_requests import AUTH_TOKEN, NONCE, SIGNATURE, control, recorded_webhook, signature, webhook

WHY = "plivo, the SDK, is not installed: the vectors that it has computed are tested all the same"
pytest.importorskip("plivo", reason=WHY)
utils: Any = importlib.import_module("plivo.utils")  # not skipped where only this is missing: it would be in silence
plivoxml: Any = importlib.import_module("plivo.xml")

URL = "https://relay.example.com/plivo/status"
NAME = st.text("abcXYZ019_", min_size=1, max_size=8)
ASCII = st.text(st.characters(codec="ascii"), max_size=6)  # of the rest the SDK for Python signs the UTF-8 of the UTF-8
FIELDS = st.dictionaries(NAME, st.lists(ASCII, min_size=1, max_size=3), max_size=5)


def validates(url: str, signed: str, fields: dict[str, list[str]]) -> bool:
    return bool(utils.validate_v3_signature("POST", url, NONCE, AUTH_TOKEN, signed, dict(fields)))


@given(FIELDS, st.sampled_from(["", "?a=b", "?b=2&a=1&b=", "?x=a%20b"]))
def test_t3_what_relay_takes_is_what_the_sdk_validates(fields: dict[str, list[str]], query: str) -> None:
    url = URL + query
    signed = signature(url, fields)
    assert validates(url, signed, fields)
    assert control().verify(webhook(url, fields, signed))
    other = {**fields, "more": ["x"]}
    assert not validates(url, signed, other)
    assert not control().verify(webhook(url, other, signed))


def test_a_recorded_callback_is_what_the_sdk_validates() -> None:
    received = recorded_webhook("hangup_callback")
    assert control().verify(received)
    fields = {name: [value] for name, value in parse_qsl(received.body.decode(), keep_blank_values=True)}
    assert validates(received.url, received.headers[SIGNATURE], fields)


def test_the_stream_document_is_what_the_sdk_writes_but_for_what_not_every_sdk_has() -> None:
    media_url, then_url, say = "wss://relay.example.com/m/t", "https://relay.example.com/answer/1", "A refund & <more>"
    response = plivoxml.ResponseElement()
    response.add(plivoxml.SpeakElement(say))
    response.add(plivoxml.StreamElement(media_url, bidirectional=True, contentType="audio/x-l16;rate=16000"))
    response.add(plivoxml.RedirectElement(then_url, method="POST"))
    ours = fromstring(control(wideband=True).stream_document(media_url, then_url=then_url, say=say).body)  # noqa: S314  # our own
    [stream] = ours.iter("Stream")
    del stream.attrib["keepCallAlive"]
    theirs = canonicalize(response.to_string(), strip_text=True)
    assert canonicalize(tostring(ours, encoding="unicode"), strip_text=True) == theirs
