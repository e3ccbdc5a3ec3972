"""Which carriers' media adapters there are: relay's own, and those of any other package that is installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Final

from relay.errors import LocalProtocolError
from relay.providers.base import MediaAdapter
from relay.providers.fields import shown

GROUP: Final = "relay.providers"
"""The entry point group in which another package names the class of each of its adapters."""

OWN: Final[Mapping[str, str]] = {
    "asterisk": "AsteriskAdapter",
    "exotel": "ExotelAdapter",
    "jambonz": "JambonzAdapter",
    "plivo": "PlivoAdapter",
    "signalwire": "SignalWireAdapter",
    "telnyx": "TelnyxAdapter",
    "twilio": "TwilioAdapter",
    "vonage": "VonageAdapter",
}
"""Relay's own: the class in the module that is called as the carrier. No other package's takes the place of one."""


def carrier_names() -> list[str]:
    """In alphabetical order."""
    return sorted({*OWN, *entry_points(group=GROUP).names})


def adapter_class(carrier: str) -> Callable[[], MediaAdapter]:
    """
    What makes an adapter for one new stream of this carrier; its module is imported now.

    Raises:
        LocalProtocolError: no package has it, or several have.
    """
    made: Callable[[], MediaAdapter]
    if carrier in OWN:
        made = getattr(import_module(f"relay.providers.{carrier}"), OWN[carrier])
        return made
    found = entry_points(group=GROUP, name=carrier)
    if len(found) != 1:
        expected = f"one package that has it, of the carriers {', '.join(carrier_names())}"
        raise LocalProtocolError("carrier", shown(carrier), expected=expected, got=f"{len(found)}")
    [entry] = found
    made = entry.load()
    return made
