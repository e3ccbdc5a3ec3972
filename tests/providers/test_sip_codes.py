"""What SIP's codes make of an end."""

from __future__ import annotations

import pytest

from relay.providers.control import CallStatus
from relay.providers.sip_codes import SIP_ENDS, refined


@pytest.mark.parametrize(
    ("code", "status"),
    [
        *((code, "invalid_number") for code in ("404", "410", "484", "604")),
        *((code, "unavailable") for code in ("500", "502", "503", "504")),
        *(("408", "no_answer"), ("480", "no_answer"), ("486", "busy"), ("600", "busy")),
        *(("487", "canceled"), ("603", "rejected")),
        *((code, "failed") for code in ("", "200", "403", "488", "5030", "0404")),
    ],
)
def test_a_failure_is_what_its_code_says(code: str, status: str) -> None:
    assert refined(CallStatus.FAILED, code) == status


@pytest.mark.parametrize("code", SIP_ENDS)
@pytest.mark.parametrize("status", sorted(set(CallStatus) - {CallStatus.FAILED}))
def test_another_end_stays_what_it_is_unless_the_phone_declined(status: CallStatus, code: str) -> None:
    assert refined(status, code) is (CallStatus.REJECTED if code == "603" else status)
