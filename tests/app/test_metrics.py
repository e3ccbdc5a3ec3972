"""What is counted: each thing once, under labels that a closed list of words is enough for."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from relay.app.metrics import Metrics
from relay.bridge.stats import NO_SPREAD, AgentToRoomStats, BridgeStats, Spread
from relay.media.playout import PlayoutStats
from relay.transfers.ports import PhoneEnded, PhoneRang
from relay.transfers.reasons import Reason
from relay.transfers.record import Transfer
from relay.transfers.states import State
from tests.app.conftest import RunServed
from tests.app.served import Served

CANARIES = {
    "transfer_id": "tr_019acf0a1b2c4d5e6f708192a3b4c5d6",
    "owner": "node-canary",
    "room_url": "https://example.daily.co/room-canary",
    "to_masked": "+*********23",
    "customer_id": "customer-canary",
    "bot_id": "bot-canary",
    "provider_call_id": "CA0123456789abcdef0123456789abcdef",
    "provider_code": "21211",
}


PLAYOUT = PlayoutStats(*(0 for _ in dataclasses.fields(PlayoutStats)))


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def transfer(state: State, **changes: Any) -> Transfer:
    given: dict[str, Any] = {
        **CANARIES,
        "state": state,
        "version": 1,
        "epoch": 1,
        "provider": "twilio",
        "ring_timeout_s": 30.0,
        "max_duration_s": 60.0,
    }
    return Transfer(**(given | changes))


def value(metrics: Metrics, name: str, **labels: str) -> float:
    """One sample; 0 if there is none."""
    return metrics.registry.get_sample_value(name, labels) or 0.0


def stats(faults: dict[str, int] | None = None, *, joined: bool = True, wait_ms: float | None = None) -> BridgeStats:
    wait = Spread(1.0, wait_ms, wait_ms) if wait_ms is not None else NO_SPREAD
    agent_to_room = AgentToRoomStats(1, NO_SPREAD, NO_SPREAD, wait, PLAYOUT) if wait_ms is not None else None
    return BridgeStats(1.0, joined, 2, agent_to_room, None, 0.0, faults or {})


def joined(metrics: Metrics) -> tuple[float, float]:
    """How many were joined, and the seconds they took together."""
    name = "relay_transfer_joined_seconds"
    return tuple(value(metrics, f"{name}_{which}", provider="twilio") for which in ("count", "sum"))  # type: ignore[return-value] # two of them


def ended(metrics: Metrics, state: State, reason: Reason) -> float:
    return value(metrics, "relay_transfers_ended_total", provider="twilio", state=state, reason=reason)


# --- Transfers ---


def test_a_transfer_is_joined_once_however_often_it_changes_then() -> None:
    clock = Clock()
    metrics = Metrics(now_s=clock)
    metrics.changed(transfer(State.REQUESTED))
    clock.now_s += 2.5
    for state in (State.DIALING, State.RINGING, State.ANSWERED, State.JOINED):
        metrics.changed(transfer(state, times_ms={State.JOINED: 5}, updated_ms=5))
    clock.now_s += 60
    metrics.changed(transfer(State.JOINED, times_ms={State.JOINED: 5}, updated_ms=5))  # it got its call's id then
    metrics.changed(transfer(State.JOINED, reconnecting=True, updated_ms=6))
    metrics.changed(transfer(State.JOINED, updated_ms=7))
    assert joined(metrics) == (1, 2.5)


def test_a_transfer_that_is_joined_while_the_store_is_away_is_counted() -> None:
    """Its record has no time of that, and never will have."""
    clock = Clock()
    metrics = Metrics(now_s=clock)
    metrics.changed(transfer(State.REQUESTED, times_ms={State.REQUESTED: 1}, updated_ms=1))
    clock.now_s += 4
    metrics.changed(transfer(State.JOINED, times_ms={State.REQUESTED: 1}, updated_ms=1))
    assert joined(metrics) == (1, 4.0)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (State.FAILED, Reason.BUSY),
        (State.CANCELED, Reason.CUSTOMER_LEFT),
        (State.DISCONNECTED, Reason.AGENT_HUNG_UP),
    ],
)
def test_an_end_is_counted_by_state_and_reason_and_forgotten(state: State, reason: Reason) -> None:
    metrics = Metrics()
    metrics.changed(transfer(State.REQUESTED))
    metrics.changed(transfer(state, reason=reason))
    assert ended(metrics, state, reason) == 1
    metrics.changed(transfer(State.JOINED))
    assert joined(metrics) == (0, 0)


def test_a_transfer_of_a_process_that_is_gone_is_an_end_alone() -> None:
    metrics = Metrics()
    metrics.changed(transfer(State.JOINED))
    metrics.changed(transfer(State.DISCONNECTED, reason=Reason.NODE_LOST))
    assert (joined(metrics), ended(metrics, State.DISCONNECTED, Reason.NODE_LOST)) == ((0, 0), 1)


def test_a_whole_transfer_is_joined_once_and_ends_once(run_served: RunServed) -> None:
    """Callbacks that come late or again included."""

    async def scenario(served: Served) -> None:
        transfer_id = await served.make()
        for _ in range(2):
            await served.report(transfer_id, PhoneRang())
            await served.coordinator.answer(transfer_id, "twilio", stream=0, call_id="CA1")
        served.bridges.last.connect("CA1")
        await served.store.wait(transfer_id, lambda transfer: transfer.state is State.JOINED, timeout_s=10)
        assert joined(served.services.metrics)[0] == 1
        await served.report(transfer_id, PhoneEnded(Reason.AGENT_HUNG_UP))
        await served.store.wait(transfer_id, lambda transfer: transfer.is_terminal, timeout_s=10)
        assert (await served.ask("DELETE", f"/v1/transfers/{transfer_id}")).json["state"] == "disconnected"
        metrics = served.services.metrics
        assert (joined(metrics)[0], ended(metrics, State.DISCONNECTED, Reason.AGENT_HUNG_UP)) == (1, 1)

    run_served(scenario)


# --- Requests ---


def test_requests_are_counted_both_ways() -> None:
    metrics = Metrics()
    metrics.http("POST", "/v1/transfers", 201, 0.004)
    metrics.carrier("twilio", "dial", "2xx", 0.3)
    metrics.webhook("twilio", "status", "ok")
    metrics.upgrade("twilio", "forged")
    labels = {"method": "POST", "route": "/v1/transfers", "status": "201"}
    assert value(metrics, "relay_http_request_seconds_bucket", le="0.005", **labels) == 1
    assert value(metrics, "relay_http_request_seconds_bucket", le="0.0025", **labels) == 0
    asked = {"provider": "twilio", "operation": "dial", "outcome": "2xx"}
    assert value(metrics, "relay_carrier_request_seconds_sum", **asked) == 0.3
    assert value(metrics, "relay_webhooks_total", provider="twilio", kind="status", verdict="ok") == 1
    assert value(metrics, "relay_media_upgrades_total", provider="twilio", verdict="forged") == 1


def test_a_refusal_is_counted_by_what_was_short() -> None:
    metrics = Metrics()
    metrics.refused("memory")
    assert value(metrics, "relay_admission_refused_total", shortage="memory") == 1


# --- Bridges ---


def test_what_goes_wrong_on_a_bridge_is_counted_once_though_it_is_reported_every_second() -> None:
    metrics = Metrics()
    metrics.bridge("one", stats({"stall": 1}))
    metrics.bridge("one", stats({"stall": 3}))
    metrics.bridge("other", stats({"stall": 1, "late": 2}))
    metrics.bridge_ended("one", stats({"stall": 4}))
    metrics.bridge_ended("other", stats({"stall": 1, "late": 2}))
    assert value(metrics, "relay_bridge_faults_total", kind="stall") == 5
    assert value(metrics, "relay_bridge_faults_total", kind="late") == 2


def test_a_bridge_that_never_reported_may_end() -> None:
    metrics = Metrics()
    metrics.bridge_ended("one", stats({"stall": 1}))
    assert value(metrics, "relay_bridge_faults_total", kind="stall") == 1


def test_a_bridge_that_has_ended_is_forgotten() -> None:
    """Another of the same name begins at nothing."""
    metrics = Metrics()
    for _ in range(2):
        metrics.bridge_ended("one", stats({"stall": 2}))
    assert value(metrics, "relay_bridge_faults_total", kind="stall") == 4


@pytest.mark.parametrize(
    ("reported", "count"),
    [(stats(wait_ms=45.0), 1), (stats(wait_ms=45.0, joined=False), 0), (stats(), 0)],
    ids=["joined", "not joined", "no stream"],
)
def test_the_delay_is_that_of_people_who_hear_each_other(reported: BridgeStats, count: int) -> None:
    metrics = Metrics()
    metrics.bridge("one", reported)
    name = "relay_agent_to_room_wait_milliseconds"
    assert value(metrics, f"{name}_bucket", le="60.0") == count
    assert value(metrics, f"{name}_bucket", le="40.0") == 0


# --- The text ---


def everything_counted() -> Metrics:
    metrics = Metrics()
    metrics.watch("relay_transfers_live", "Transfers", lambda: 7)
    for state in State:
        metrics.changed(transfer(state, reason=Reason.BUSY if state.is_terminal else None))
    metrics.http("GET", "/v1/transfers/{transfer_id}", 200, 0.1)
    metrics.carrier("twilio", "dial", "2xx", 0.3)
    metrics.webhook("twilio", "status", "ok")
    metrics.upgrade("twilio", "ok")
    metrics.refused("cpu")
    metrics.bridge(CANARIES["transfer_id"], stats({"stall": 1}, wait_ms=45.0))
    return metrics


def test_every_metric_is_in_the_text_with_a_sample() -> None:
    metrics = everything_counted()
    text = metrics.render().decode()
    families = re.findall(r"^# TYPE (relay_\w+) (?:counter|gauge|histogram)$", text, re.MULTILINE)
    names = [name for name in families if not name.endswith("_created")]
    assert len(names) == 10
    for name in names:
        assert re.search(rf"^{name}\w*(\{{.*\}})? [0-9.e+]+$", text, re.MULTILINE), name
    assert "\nrelay_transfers_live 7.0\n" in text


def test_no_label_tells_transfers_people_or_numbers_apart() -> None:
    text = everything_counted().render().decode()
    assert [canary for canary in CANARIES.values() if canary in text] == []
    labels = {name: found for found, name in re.findall(r'[{,]((\w+)="[^"]*")', text)}
    assert labels.keys() == {"provider", "state", "reason", "method", "route", "status", "le"} | {
        *("operation", "outcome", "kind", "verdict", "shortage")
    }


def test_what_is_watched_is_asked_anew_every_time() -> None:
    metrics = Metrics()
    values = iter([1, 2])
    metrics.watch("relay_transfers_live", "Transfers", lambda: next(values))
    assert "relay_transfers_live 1.0" in metrics.render().decode()
    assert "relay_transfers_live 2.0" in metrics.render().decode()
