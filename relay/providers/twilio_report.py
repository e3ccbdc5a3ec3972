"""What Twilio's callbacks say of a call."""

from __future__ import annotations

import re
from typing import Final

from relay.providers.control import CallReport
from relay.providers.forms import Form
from relay.providers.laml_report import STATUSES, LamlDialect, laml_report

__all__ = ["CALL_ID", "CALL_ID_TEXT", "STATUSES", "TWILIO", "call_report"]

CALL_ID: Final = re.compile("CA[0-9a-f]{32}")
CALL_ID_TEXT: Final = "CA and 32 hexadecimal digits in lower case"
TWILIO: Final = LamlDialect("twilio", CALL_ID, CALL_ID_TEXT, sip_code_key="SipResponseCode")


def call_report(form: Form) -> CallReport:
    """
    What the form says.

    Raises:
        RemoteProtocolError: it names no call.
    """
    return laml_report(TWILIO, form)
