"""What the log and the answer have of an upgrade of which its control side says more than yes or no."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from relay.providers.upgrade_verdict import UpgradeVerdict
from tests.app.conftest import RunServed
from tests.app.made_up_control import MadeUpControl
from tests.app.served import Served
from tests.app.test_other_carriers import CALL, dialled, using
from tests.threats.raw import connected, upgrade


@pytest.mark.parametrize(
    ("verdict", "status", "said"),
    [
        (UpgradeVerdict(is_true=False, how="signature missing"), 403, "upgrade_refused"),
        (UpgradeVerdict(is_true=False, how="credentials wrong", asks_for="Basic"), 401, "upgrade_refused"),
        (UpgradeVerdict(is_true=True, how="signed as http://.../websocket"), 101, "upgrade_signed"),
    ],
)
def test_the_log_has_what_a_control_says_of_an_upgrade(
    run_served: RunServed, verdict: UpgradeVerdict, status: int, said: str
) -> None:
    """Which form of the URL was signed, or whether a signature is missing or wrong: nothing else tells so."""

    async def scenario(served: Served) -> None:
        control = using(served, MadeUpControl())
        control.judge_upgrade = lambda _: verdict  # type: ignore[attr-defined] # what few carriers have
        transfer_id = await dialled(served)
        grant = await served.coordinator.answer(transfer_id, "twilio", stream=0, call_id=CALL)
        assert grant is not None
        target = f"/carriers/twilio/{transfer_id}/media/{grant.token}"
        with capture_logs() as logged:
            async with connected(urlsplit(served.base_url).port or 0) as carrier:
                carrier.send(upgrade(target))
                if verdict.is_true:
                    await served.bridges.last.until(lambda bridge: bridge.handed != [])
                    os.close(served.bridges.last.handed.pop().descriptor)
                else:
                    head = await carrier.head()
                    assert head.startswith(b"HTTP/1.1 %d " % status)
                    assert (b"\r\nWWW-Authenticate: Basic\r\n" in head) is (status == 401)
        (line,) = [line for line in logged if line["event"].startswith("upgrade_")]
        assert (line["event"], line["how"]) == (said, verdict.how)

    run_served(scenario)
