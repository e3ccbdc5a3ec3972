"""
SignalWire's Compatibility API: Twilio's interface under another path, UUIDs, a signing key, cXML.

Written from signalwire.com/docs (Compatibility API, cXML ``<Stream>``, webhook security) alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final
from uuid import uuid4
from xml.etree.ElementTree import Element

from relay.dev.carrier_call import CallIds
from relay.dev.carrier_document import TWIML, DocumentError, Encoding, Stream, Verb, expect, read_response, stream_of
from relay.dev.carrier_order import Order
from relay.dev.carrier_webhooks import Webhook
from relay.dev.carriers.signalwire_wire import SignalWireWire
from relay.dev.carriers.twilio import Twilio
from relay.dev.phone_wire import Call, PhoneWire

PROJECT_ID: Final = "b08dacad-d5f3-4a4f-9f0e-000000000001"
API_TOKEN: Final = "PTsimulated"  # noqa: S105 -- of a simulated project
SIGNING_KEY: Final = "PSK_simulated"
CODECS: Final[Mapping[str | None, tuple[Encoding, int]]] = {
    "PCMU@8000h": ("pcmu", 8000),
    "L16@16000h": ("l16le", 16000),
    "L16@24000h": ("l16le", 24000),
}

_ATTRIBUTES: Final = frozenset({"codec", "authBearerToken", "realtime", "track"})


class SignalWire(Twilio):
    """A project of SignalWire's; ``signing_key`` is the one that webhooks are signed with."""

    name = "signalwire"
    title = "SignalWire"
    signature_header = "X-SignalWire-Signature"
    sip_code_field = "SipResultCode"
    base_path = "/api/laml"

    def __init__(self, account: str = PROJECT_ID, secret: str = API_TOKEN, signing_key: str = SIGNING_KEY) -> None:
        super().__init__(account, secret)
        self.signing_key = signing_key

    def settings(self, api_url: str, number: str) -> Mapping[str, str]:
        """What an operator sets."""
        return {
            "RELAY_SIGNALWIRE_SPACE": "simulated",
            "RELAY_SIGNALWIRE_PROJECT_ID": self.account,
            "RELAY_SIGNALWIRE_API_TOKEN": self.secret,
            "RELAY_SIGNALWIRE_SIGNING_KEY": self.signing_key,
            "RELAY_SIGNALWIRE_FROM": number,
            "RELAY_SIGNALWIRE_API_URL": api_url,
        }

    def upgrade(self, url: str, *, secret: str) -> dict[str, str]:
        """Nothing: no signature of upgrades is documented; a token is in the stream's own headers."""
        return {}

    def new_ids(self, order: Order) -> CallIds:
        """A UUID."""
        sid = str(uuid4())
        return CallIds(sid, sid)

    def verbs_of(self, fetched: Webhook) -> tuple[Verb, ...]:
        """CXML."""
        return read_response(fetched.reply_body, {**TWIML, "Connect": _connect})

    def wire(self, call: Call, stream: Stream) -> PhoneWire:
        """Its own form of Media Streams."""
        return SignalWireWire(replace(call, stream_sid=str(uuid4())), stream.encoding, stream.rate_hz)


def _connect(element: Element) -> Stream:
    expect(element, attributes=set(), text=False)
    if [child.tag for child in element] != ["Stream"]:
        raise DocumentError(f"<Connect>: expected one <Stream>, got {[child.tag for child in element]}")
    child = element[0]
    stream = stream_of(child, attributes=_ATTRIBUTES)
    # Which codec is the default is not documented.
    if (codec := child.get("codec")) not in CODECS:
        raise DocumentError(f"<Stream codec>: expected one of {', '.join(map(str, CODECS))}, got {codec!r}")
    if child.get("track", "inbound_track") != "inbound_track":
        raise DocumentError(f"<Stream track>: expected inbound_track in <Connect>, got {child.get('track')!r}")
    token = child.get("authBearerToken")
    headers = MappingProxyType({"Authorization": f"Bearer {token}"} if token else {})
    encoding, rate_hz = CODECS[codec]
    return replace(stream, headers=headers, encoding=encoding, rate_hz=rate_hz)
