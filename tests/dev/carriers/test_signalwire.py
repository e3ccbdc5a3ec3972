"""SignalWire is Twilio's interface with its own path, key and cXML."""

import json

import pytest

from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_document import DocumentError, Redirect, Stream
from relay.dev.carrier_outcomes import REJECTED
from relay.dev.carrier_webhooks import Kind, Webhook
from relay.dev.carriers.signalwire import SignalWire
from relay.dev.phone_wire import Call
from tests.dev.carriers.cases import SIGNALWIRE
from tests.dev.carriers.sessions import exchange, vectors
from tests.dev.carriers.stand_in import StandIn
from tests.dev.carriers.test_calls import dial
from tests.dev.conftest import Run


def verbs(document: str) -> tuple[object, ...]:
    return SignalWire().verbs_of(Webhook(kind=Kind.ANSWER, url="", form={}, headers={}, reply_body=document))


def test_its_own_example_is_read() -> None:
    (found,) = verbs(exchange("signalwire", "answer_webhook")["response"]["body"])
    assert isinstance(found, Stream)
    assert found.headers == {"Authorization": "Bearer t0k3n"}
    assert found.parameters == {"leg": "agent-7"}


@pytest.mark.parametrize(
    ("codec", "encoding", "rate_hz"),
    [("PCMU@8000h", "pcmu", 8000), ("L16@16000h", "l16le", 16000), ("L16@24000h", "l16le", 24000)],
)
def test_a_codec_says_format_and_rate(codec: str, encoding: str, rate_hz: int) -> None:
    (found,) = verbs(f'<Response><Connect><Stream url="wss://a/b" codec="{codec}"/></Connect></Response>')
    assert isinstance(found, Stream)
    wire = SignalWire().wire(Call(), found)
    told = json.loads(wire.start())["start"]["mediaFormat"]
    assert (found.encoding, told["sampleRate"]) == (encoding, rate_hz)
    assert told["encoding"] == {"pcmu": "audio/x-mulaw", "l16le": "audio/x-L16"}[encoding]


def test_what_follows_a_stream_is_twilios() -> None:
    stream = '<Connect><Stream url="wss://a/b" codec="PCMU@8000h"/></Connect>'
    assert verbs(f"<Response>{stream}<Redirect>/1</Redirect></Response>")[1] == Redirect("/1")


@pytest.mark.parametrize(
    ("attributes", "complaint"),
    [
        ("", "<Stream codec>: expected one of PCMU@8000h, L16@16000h, L16@24000h, got None"),
        ('codec="L16@8000h"', "got 'L16@8000h'"),
        ('codec="PCMU@8000h" track="both_tracks"', "<Stream track>: expected inbound_track"),
        ('codec="PCMU@8000h" colour="red"', "expected attributes of"),
    ],
)
def test_what_it_cannot_do_is_refused_with_a_reason(attributes: str, complaint: str) -> None:
    with pytest.raises(DocumentError, match=complaint):
        verbs(f'<Response><Connect><Stream url="wss://a/b" {attributes}/></Connect></Response>')


def test_a_vector_is_signed_to_the_same_value() -> None:
    (vector,) = [each for each in vectors("signalwire") if each["name"] == "cxml_answer_form_post"]
    headers = SignalWire().webhook(vector["url"], vector["params"], b"", secret=vector["secret"])
    assert headers["X-SignalWire-Signature"] == vector["signature"]


def test_an_upgrade_has_no_signature() -> None:
    assert SignalWire().upgrade("wss://a/b", secret="s") == {}  # noqa: S106 -- of nothing


def test_webhooks_are_signed_with_the_signing_key_and_name_sip_codes_as_it_does(run: Run) -> None:
    async def whole() -> None:
        async with SimulatedCarrier(dialect=SignalWire(), script=REJECTED) as carrier, StandIn(carrier) as here:
            await dial(SIGNALWIRE, here)
            await carrier.until_idle()
            last = here.at("/status")[-1]
            assert last.content["SipResultCode"] == "603"
            key = carrier.dialect.signing_key
            again = carrier.dialect.webhook(here.url + last.path, last.content, last.body, secret=key)
            assert last.headers["X-SignalWire-Signature"] == again["X-SignalWire-Signature"]

    run(whole)
