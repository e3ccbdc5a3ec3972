"""The carriers that there are settings for: one file for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from relay.app.accounts.account import Account
from relay.app.accounts.exotel import EXOTEL, ExotelSettings
from relay.app.accounts.jambonz import JAMBONZ, JambonzSettings
from relay.app.accounts.twilio import TWILIO, TwilioSettings

ACCOUNTS: Final[Mapping[str, Account]] = {each.name: each for each in (TWILIO, EXOTEL, JAMBONZ)}
"""By the carriers' names."""


class AccountSettings(TwilioSettings, ExotelSettings, JambonzSettings):
    """The settings of all of them."""
