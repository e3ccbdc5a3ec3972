"""jambonz does what verbs say, and refuses the rest with a reason."""

import json
from typing import Any

import pytest

from relay.dev.carrier_document import DocumentError, HangUp, Pause, Redirect, Say, Stream
from relay.dev.carriers.jambonz_document import verbs_of_json
from tests.dev.carriers.sessions import exchange

EXAMPLE = exchange("jambonz", "call_hook")["response"]["body"]


def stream(**changes: object) -> str:
    verb = {name: value for name, value in (EXAMPLE[0] | changes).items() if value is not None}
    return json.dumps([verb])


def test_jambonzs_own_example_is_read() -> None:
    found, then = verbs_of_json(json.dumps(EXAMPLE))
    assert isinstance(found, Stream)
    assert (found.url, found.encoding, found.rate_hz) == (EXAMPLE[0]["url"], "l16le", 8000)
    assert found.parameters == EXAMPLE[0]["metadata"]
    assert found.headers == {"Authorization": "Basic cmVsYXk6czNjcmV0"}
    assert found.options == {"passDtmf": "true"}
    assert then == Redirect("/jambonz/done")


def test_verbs_are_read_in_order() -> None:
    document = [
        {"verb": "say", "text": "One moment."},
        {"verb": "pause", "length": 2},
        {"verb": "redirect", "actionHook": "/answer/1"},
        {"verb": "hangup"},
    ]
    assert verbs_of_json(json.dumps(document)) == (Say("One moment."), Pause(2), Redirect("/answer/1"), HangUp())


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ("<Response/>", "expected JSON"),
        ("{}", "expected a list of verbs"),
        ('[{"verb": "dial"}]', "expected say, pause, redirect, hangup or stream"),
        ('[{"verb": "say"}]', "expected say"),
        ('[{"verb": "hangup", "colour": 1}]', r"hangup: expected .*, got \['colour'\]"),
        (stream(bidirectionalAudio={"enabled": True}), "expected enabled and streaming"),
        (stream(sampleRate=11025), "stream sampleRate"),
        (stream(sampleRate=16000), "stream sampleRate: expected .* both ways"),
        (stream(mixType="stereo"), "stream mixType: expected mono"),
        (stream(wsAuth="a:b"), "stream wsAuth"),
        (stream(url="https://a"), "stream url: expected wss://"),
        (stream(transcribe={}), "stream: expected"),
    ],
)
def test_what_jambonz_cannot_do_is_refused_with_a_reason(document: str, complaint: str) -> None:
    with pytest.raises(DocumentError, match=complaint):
        verbs_of_json(document)


def test_keys_and_credentials_are_left_out_if_the_verb_does() -> None:
    (found, _) = verbs_of_json(stream(passDtmf=None, wsAuth=None))
    assert isinstance(found, Stream)
    assert (dict(found.headers), dict(found.options)) == ({}, {})
    assert any(isinstance(each, Stream) for each in _verbs(stream(actionHook=None)))


def _verbs(document: str) -> tuple[Any, ...]:
    return verbs_of_json(document)
