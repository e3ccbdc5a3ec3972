"""The carriers that can be simulated, by the names that the relay's registry has for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from relay.dev.carriers.asterisk import Asterisk
from relay.dev.carriers.dialect import Dialect
from relay.dev.carriers.exotel import Exotel
from relay.dev.carriers.jambonz import Jambonz
from relay.dev.carriers.plivo import Plivo
from relay.dev.carriers.signalwire import SignalWire
from relay.dev.carriers.telnyx import Telnyx
from relay.dev.carriers.twilio import Twilio
from relay.dev.carriers.vonage import Vonage

CARRIERS: Final[Mapping[str, Callable[[], Dialect]]] = MappingProxyType(
    {
        "twilio": Twilio,
        "plivo": Plivo,
        "signalwire": SignalWire,
        "telnyx": Telnyx,
        "vonage": Vonage,
        "exotel": Exotel,
        "jambonz": Jambonz,
        "asterisk": Asterisk,
    }
)
"""How one of each is made, with an account that is invented."""
