"""The carriers that there are settings for: one file for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from relay.app.accounts.account import Account
from relay.app.accounts.asterisk import ASTERISK, AsteriskSettings
from relay.app.accounts.exotel import EXOTEL, ExotelSettings
from relay.app.accounts.jambonz import JAMBONZ, JambonzSettings
from relay.app.accounts.plivo import PLIVO, PlivoSettings
from relay.app.accounts.signalwire import SIGNALWIRE, SignalWireSettings
from relay.app.accounts.telnyx import TELNYX, TelnyxSettings
from relay.app.accounts.twilio import TWILIO, TwilioSettings
from relay.app.accounts.vonage import VONAGE, VonageSettings

ACCOUNTS: Final[Mapping[str, Account]] = {
    each.name: each for each in (TWILIO, PLIVO, SIGNALWIRE, TELNYX, VONAGE, EXOTEL, JAMBONZ, ASTERISK)
}
"""By the carriers' names."""


class AccountSettings(
    TwilioSettings,
    PlivoSettings,
    SignalWireSettings,
    TelnyxSettings,
    VonageSettings,
    ExotelSettings,
    JambonzSettings,
    AsteriskSettings,
):
    """The settings of all of them."""
