"""The carriers that there are settings for: one file for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from relay.app.accounts.account import Account
from relay.app.accounts.twilio import TWILIO, TwilioSettings

ACCOUNTS: Final[Mapping[str, Account]] = {each.name: each for each in (TWILIO,)}
"""By the carriers' names, the best known first."""


class AccountSettings(TwilioSettings):
    """The settings of all of them."""
