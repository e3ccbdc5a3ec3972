"""jambonz's answer documents: the recorded one, and the same verbs whatever the texts in them."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.providers.jambonz_control import SAY_MAX_BYTES, JambonzControl
from tests.providers.jambonz_requests import EXCHANGES, MEDIA_URL, SECRET, control
from tests.providers.proofs import proven
from tests.providers.test_xml_document import ANY_TEXT, readable

THEN_URL = "https://relay.example.com/answer/1"


def verbs(made: JambonzControl, **asked: Any) -> Any:
    document = made.stream_document(MEDIA_URL, **{"then_url": None, **asked})
    assert document.content_type == "application/json"
    return json.loads(document.body)


def test_the_stream_document_is_the_recorded_one_but_for_what_the_url_says() -> None:
    [recorded] = EXCHANGES["call_hook"]["response"]["body"]
    expected = {name: value for name, value in recorded.items() if name not in ("metadata", "actionHook")}
    [stream] = verbs(control())
    assert stream == {**expected, "wsAuth": {"username": "relay", "password": "s3cret"}}
    assert list(stream) == list(expected)


def test_the_hang_up_document_is_one_verb() -> None:
    assert control().hang_up_document().body == b'[{"verb":"hangup"}]'


def test_words_come_before_the_stream_and_the_next_document_after_it() -> None:
    says = "A caller wants a refund & more: Zoë 東京"
    assert [each["verb"] for each in verbs(control(), then_url=THEN_URL, say=says)] == ["say", "stream", "redirect"]
    say, _, redirect = verbs(control(), then_url=THEN_URL, say=says)
    assert say == {"verb": "say", "text": says}
    assert redirect == {"verb": "redirect", "actionHook": proven(THEN_URL, SECRET)}
    assert [each["verb"] for each in verbs(control(), say=" \n")] == ["stream"]


@pytest.mark.parametrize("rate_hz", [8000, 16000, 24000, 48000])
def test_both_ways_have_the_same_rate(rate_hz: int) -> None:
    [stream] = verbs(control(sample_rate_hz=rate_hz))
    assert stream["sampleRate"] == stream["bidirectionalAudio"]["sampleRate"] == rate_hz


@given(ANY_TEXT, ANY_TEXT | st.none(), ANY_TEXT | st.none())
@example('"},{"verb":"dial"', '"}]', '"},{"verb":"dial","target":[{"type":"phone","number":"+19005550100"}]},{"a":"')
@example("wss://a/\x00\r\n", "\ud800", "\x0b \t")
@example("wss://a/", None, '<speak><audio src="https://evil.example/a.wav"/></speak>')
def test_t20_no_text_changes_the_verbs(media_url: str, then_url: str | None, say: str | None) -> None:
    made = json.loads(control().stream_document(media_url, then_url=then_url, say=say).body)
    said = readable(say or "").replace("<", " ")
    expected = [*["say"] * bool(said.strip()), "stream", *["redirect"] * (then_url is not None)]
    assert [each["verb"] for each in made] == expected
    by_verb = {each["verb"]: each for each in made}
    assert by_verb["stream"]["url"] == readable(media_url)
    assert set(by_verb.get("say", {})) <= {"verb", "text"}
    assert by_verb.get("say", {"text": said})["text"] == said
    if then_url is not None:
        assert by_verb["redirect"] == {"verb": "redirect", "actionHook": proven(readable(then_url), SECRET)}


@pytest.mark.parametrize("char", ["a", "é", "東", "\U0001f600"])
def test_t20_a_long_text_is_cut_between_characters(char: str) -> None:
    say, _ = verbs(control(), say=char * 5000)
    assert say["text"] == char * (SAY_MAX_BYTES // len(char.encode()))
