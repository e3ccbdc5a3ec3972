"""Schemathesis asks the service everything that its OpenAPI document allows, and more."""

import asyncio
import sys
from pathlib import Path

import pytest

from relay.transfers.ports import Refused
from relay.transfers.reasons import Reason
from tests.app.conftest import RunServed
from tests.app.served import ADMIN_KEY, Served

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
# What the document allows may be refused all the same: which rooms, destinations and numbers there are is
# configuration. A transfer that was ended with DELETE can be read on: it is over, not gone.
CONFIGURATION = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "422", "429"]

[checks.use_after_free]
enabled = false
"""


@pytest.mark.long
def test_the_service_is_as_its_openapi_document_says(run_served: RunServed, tmp_path: Path) -> None:
    """Every check there is: no 5xx, and statuses, media types, headers and bodies as documented."""
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)

    async def scenario(served: Served) -> None:
        for _ in range(5000):
            served.carrier.script(Refused(Reason.BUSY, "486", "busy"))  # transfers are over soon: nobody waits long
        key = f"Authorization: Bearer {ADMIN_KEY}"
        options = "--max-examples 20 --generation-deterministic --no-color --continue-on-failure"
        process = await asyncio.create_subprocess_exec(
            SCHEMATHESIS,
            "run",
            f"{served.base_url}/openapi.json",
            "-H",
            key,
            *options.split(),
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, output.decode()
        operations = len(served.api_routes)
        assert f"{operations} selected / {operations} total" in output.decode()
        assert served.carrier.dials

    run_served(scenario)
