"""Plivo does what a document of its own says, and refuses the rest with a reason."""

import pytest

from relay.dev.carrier_document import DocumentError, HangUp, Pause, Redirect, Say, Stream, read_response
from relay.dev.carriers.plivo_document import PLIVO_XML
from tests.dev.carriers.sessions import exchange

URL = "wss://relay.example.com/media/t0k3n"
HELD = 'bidirectional="true" keepCallAlive="true" contentType="audio/x-mulaw;rate=8000"'


def stream(attributes: str = HELD, url: str = URL) -> str:
    return f"<Response><Stream {attributes}>{url}</Stream></Response>"


def test_plivos_own_example_is_read() -> None:
    (found,) = read_response(exchange("plivo", "answer_webhook")["response"]["body"], PLIVO_XML)
    assert isinstance(found, Stream)
    assert found.url == "wss://relay.example.com/plivo/media"
    assert found.parameters == {"leg": "agent7", "token": "t0k3n"}
    assert (found.encoding, found.rate_hz) == ("pcmu", 8000)
    assert found.options == {"statusCallbackUrl": "https://relay.example.com/plivo/stream-status"}


def test_verbs_are_read_in_order() -> None:
    document = (
        f"<Response><Speak>One moment.</Speak><Wait length='2'/><Stream {HELD}>\n {URL} </Stream>"
        "<Redirect>https://relay.example.com/answer/1</Redirect><Hangup/></Response>"
    )
    said, waited, streamed, redirected, hung_up = read_response(document, PLIVO_XML)
    assert (said, waited, hung_up) == (Say("One moment."), Pause(2), HangUp())
    assert isinstance(streamed, Stream)
    assert streamed.url == URL
    assert redirected == Redirect("https://relay.example.com/answer/1")


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [("audio/x-l16;rate=8000", ("l16le", 8000)), ("audio/x-l16;rate=16000", ("l16le", 16000))],
)
def test_linear_audio_may_be_asked_for(content_type: str, expected: tuple[str, int]) -> None:
    (found,) = read_response(stream(HELD.replace("audio/x-mulaw;rate=8000", content_type)), PLIVO_XML)
    assert isinstance(found, Stream)
    assert (found.encoding, found.rate_hz) == expected


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ("", "expected XML"),
        ("<Response><Say>hello</Say></Response>", "expected one of Speak, Wait, .*, got <Say>"),
        (stream('bidirectional="true"'), "<Stream contentType>: expected one of audio/x-mulaw;rate=8000"),
        (stream(HELD.replace(";rate=8000", "")), "got 'audio/x-mulaw'"),
        (stream(HELD.replace('bidirectional="true"', "")), "<Stream bidirectional>: expected true, got None"),
        (stream(HELD.replace('keepCallAlive="true"', "")), "a stream that does not hold the call"),
        (stream(HELD + ' audioTrack="both"'), "<Stream audioTrack>: expected inbound"),
        (stream(HELD + ' url="wss://a"'), "expected attributes of"),
        (stream(url="https://relay.example.com"), "<Stream>: expected wss://"),
        (stream(HELD + ' extraHeaders="token=a-b"'), "expected letters and digits"),
        (stream(HELD + f' extraHeaders="token={600 * "a"}"'), "expected at most 512 bytes"),
        ("<Response><Redirect>/answer/1</Redirect></Response>", "expected a whole URL"),
        ("<Response><Wait length='0'/></Response>", "<Wait length>"),
    ],
)
def test_what_plivo_cannot_do_is_refused_with_a_reason(document: str, complaint: str) -> None:
    with pytest.raises(DocumentError, match=complaint):
        read_response(document, PLIVO_XML)
