"""Whether Redis answers, and what is logged of it."""

from __future__ import annotations

import structlog.testing

from relay.transfers.health import Health


def test_only_what_changes_is_logged() -> None:
    health = Health("store")
    seen = []
    with structlog.testing.capture_logs() as logs:
        for error in (OSError("gone"), None, None, OSError("gone"), OSError("gone"), None):
            health.note(error)
            seen.append(health.is_good)
    assert seen == [False, True, True, False, False, True]
    assert [entry["event"] for entry in logs] == ["store_available", "store_unavailable", "store_available"]
    assert logs[1]["error"] == "OSError gone"
