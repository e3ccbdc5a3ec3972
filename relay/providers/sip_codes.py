"""What SIP's codes say of calls that nobody answered: most carriers hand on the one that ended the call."""

from __future__ import annotations

from typing import Final

from relay.providers.control import CallStatus

SIP_ENDS: Final = {
    "404": CallStatus.INVALID_NUMBER,
    "410": CallStatus.INVALID_NUMBER,
    "484": CallStatus.INVALID_NUMBER,
    "604": CallStatus.INVALID_NUMBER,
    "408": CallStatus.NO_ANSWER,
    "480": CallStatus.NO_ANSWER,
    "486": CallStatus.BUSY,
    "600": CallStatus.BUSY,
    "487": CallStatus.CANCELED,
    "500": CallStatus.UNAVAILABLE,
    "502": CallStatus.UNAVAILABLE,
    "503": CallStatus.UNAVAILABLE,
    "504": CallStatus.UNAVAILABLE,
    "603": CallStatus.REJECTED,
}
"""What has failed, and why: by the causes of the telephone network that RFC 3398 (7.2.4.1 and 8.2.6.1) has for each."""

_DECLINED: Final = "603"


def refined(status: CallStatus, sip_code: str) -> CallStatus:
    """
    Say more of an end than the carrier's own word does.

    A failure is whatever its code says. Any other end stays what it is, but for a phone that declines: few carriers
    have a word for that, and call it busy or no answer.
    """
    if status is CallStatus.FAILED:
        return SIP_ENDS.get(sip_code, status)
    return CallStatus.REJECTED if sip_code == _DECLINED else status
