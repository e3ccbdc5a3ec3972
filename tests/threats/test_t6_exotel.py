"""T6: Exotel signs nothing. What stands for a signature, on a whole service over real sockets."""

from __future__ import annotations

import pytest
import structlog

from relay.dev.carrier_webhooks import Kind
from relay.dev.carriers.exotel import Exotel
from tests.threats.any_carrier import opening, true_webhooks, written
from tests.threats.conftest import OnStage
from tests.threats.raw import connected, status_of
from tests.threats.stage import RINGS, Stage

pytestmark = pytest.mark.usefixtures("in_process")

ELSEWHERE, THEIRS = "192.0.2.0/24", "203.0.113.0/24"


@pytest.mark.parametrize("proxies", ["", "127.0.0.1"])
def test_t6_a_callback_from_outside_the_list_is_refused(on_stage: OnStage, proxies: str) -> None:
    """The proof of its URL is right. What the request says of its address counts behind our own proxy only."""

    async def scenario(stage: Stage) -> None:
        transfer_id, call = await stage.transfer()
        before = await stage.record(transfer_id)
        true = true_webhooks(stage, call)[Kind.STATUS]
        outside = [written(true), written(true, X_Forwarded_For="198.51.100.1")]
        outside.append(written(true, X_Forwarded_For="203.0.113.7, 198.51.100.1"))
        inside = written(true, X_Forwarded_For="198.51.100.1, 203.0.113.7")
        with structlog.testing.capture_logs() as logs:
            assert [await status_of(stage.port, data) for data in outside] == [403] * 3
        refused = [log["detail"] for log in logs if log["event"] == "webhook_refused"]
        assert "198.51.100.1" in refused[-1] if proxies else "not of trusted_proxies" in refused[-1]
        assert await stage.record(transfer_id) == before
        assert await status_of(stage.port, inside) == (204 if proxies else 403)
        await stage.end(transfer_id) if not proxies else await stage.until_over(transfer_id)
        call.hang_up()

    networks = f"{ELSEWHERE},{THEIRS}"
    on_stage(scenario, RINGS, dialect=Exotel(), EXOTEL_CALLBACK_NETWORKS=networks, TRUSTED_PROXIES=proxies)


def test_t6_a_callback_from_the_list_is_taken(on_stage: OnStage) -> None:
    async def scenario(stage: Stage) -> None:
        transfer_id, call = await stage.transfer()
        assert await status_of(stage.port, written(true_webhooks(stage, call)[Kind.STATUS])) == 204
        await stage.until_over(transfer_id)
        call.hang_up()

    on_stage(scenario, RINGS, dialect=Exotel(), EXOTEL_CALLBACK_NETWORKS="127.0.0.0/8")


@pytest.mark.parametrize("shown", [None, "", "Basic", "Basic cmVsYXk6d3Jvbmc=", "Bearer x"])
def test_t6_wrong_or_missing_credentials_at_a_stream_are_asked_for(on_stage: OnStage, shown: str | None) -> None:
    async def scenario(stage: Stage) -> None:
        _, call = await stage.ringing()
        true = await opening(stage, call)
        more = [] if shown is None else [("Authorization", shown)]
        async with connected(stage.port) as stranger:
            stranger.send(true.written(*more, without="Authorization") + true.start)
            head = await stranger.head()
            assert head.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
            assert b'\r\nWWW-Authenticate: Basic realm="relay"\r\n' in head
            assert await stranger.rest() == b""
        assert await status_of(stage.port, true.written()) == 101  # the token was not used up
        call.hang_up()
        await stage.carrier.until_idle()

    on_stage(scenario, RINGS, dialect=Exotel())
