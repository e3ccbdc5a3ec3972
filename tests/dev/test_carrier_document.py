"""The simulated carrier does what a document of Twilio's says, and refuses the rest with a reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.twiml.voice_response import Connect, VoiceResponse

from relay.dev.carrier_document import DocumentError, HangUp, Pause, Redirect, Say, Stream, verbs_of

URL = "wss://relay.example.com/media/t0k3n"
PRINTABLE = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40)


def test_a_document_by_twilios_sdk_is_read_in_order() -> None:
    response = VoiceResponse()
    response.say("One moment.", voice="alice")
    response.pause(length=2)
    connect = Connect()
    connect.stream(url=URL, name="agent").parameter(name="leg", value="agent-7")
    response.append(connect)
    response.redirect("/answer/1", method="POST")
    response.hangup()
    assert verbs_of(str(response)) == (
        Say("One moment."),
        Pause(2),
        Stream(URL, {"leg": "agent-7"}),
        Redirect("/answer/1"),
        HangUp(),
    )


@given(PRINTABLE, PRINTABLE)
def test_values_come_as_they_were_written(name: str, value: str) -> None:
    connect = Connect()
    connect.stream(url=URL).parameter(name=name, value=value)
    response = VoiceResponse()
    response.append(connect)
    assert verbs_of(str(response)) == (Stream(URL, {name: value}),)


def test_a_document_may_be_empty() -> None:
    assert verbs_of("<Response/>") == ()


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ("", "expected XML, got ''"),
        ("<Response>", "expected XML"),
        ("<response/>", "expected <Response>, got <response>"),
        ("<Response>hello</Response>", "<Response>: expected no text in it, got 'hello'"),
        ("<Response version='2'/>", r"<Response>: expected attributes of \[\], got \['version'\]"),
        ("<Response><Dial>+15550100001</Dial></Response>", "expected one of Say, Pause, .*, got <Dial>"),
        ("<Response><Start><Stream url='wss://a/b'/></Start></Response>", "got <Start>"),
        ("<Response><Connect/></Response>", r"<Connect>: expected one <Stream>, got \[\]"),
        ("<Response><Connect><Room>a</Room></Connect></Response>", r"expected one <Stream>, got \['Room'\]"),
        ("<Response><Connect><Stream/></Connect></Response>", "<Stream url>: expected wss://, .*, got None"),
        ("<Response><Connect><Stream url='https://a/b'/></Connect></Response>", "got 'https://a/b'"),
        ("<Response><Connect><Stream url='wss://a/b?token=c'/></Connect></Response>", "expected no query string"),
        ("<Response><Connect><Stream url='wss://a/b' track='both_tracks'/></Connect></Response>", r"got \['track'\]"),
        (
            "<Response><Connect><Stream url='wss://a/b'><Parameter name='a'/></Stream></Connect></Response>",
            r"expected <Parameter name value>, got <Parameter> with \['name'\]",
        ),
        ("<Response><Redirect method='GET'>/a</Redirect></Response>", "<Redirect method>: expected POST, got 'GET'"),
        ("<Response><Redirect/></Response>", "<Redirect>: expected a URL, got nothing"),
        ("<Response><Pause length='-1'/></Response>", "expected whole seconds, got '-1'"),
        ("<Response><Hangup reason='busy'/></Response>", r"<Hangup>: .* got \['reason'\]"),
        ("<Response><Say>a<break/></Say></Response>", "<Say>: expected no elements in it, got <break>"),
    ],
)
def test_what_is_not_simulated_is_refused_with_what_came(document: str, complaint: str) -> None:
    with pytest.raises(DocumentError, match=complaint):
        verbs_of(document)
