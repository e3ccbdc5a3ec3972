"""What the service counts, for Prometheus; no label holds an id, a number or a name from outside."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from relay.bridge.stats import BridgeStats
from relay.transfers.record import Transfer
from relay.transfers.states import State

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_WAITS_S: Final = (0.5, 1, 2, 3, 5, 8, 12, 20, 30, 45, 60, 120)
_REST_S: Final = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_HTTP_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2, 30)
_DELAYS_MS: Final = (20, 30, 40, 60, 80, 100, 150, 200, 400, 800)


class Metrics:
    """
    One service's counters.

    Args:
        now_s: the clock, monotonic.
    """

    def __init__(self, *, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self.registry = CollectorRegistry()
        registry = self.registry
        self._ended = Counter(
            "relay_transfers_ended", "Transfers that ended", ["provider", "state", "reason"], registry=registry
        )
        self._joined_s = Histogram(
            "relay_transfer_joined_seconds", "From request to joined", ["provider"], buckets=_WAITS_S, registry=registry
        )
        self._http_s = Histogram(
            "relay_http_request_seconds",
            "HTTP requests but for streams and waiting ones",
            ["method", "route", "status"],
            buckets=_HTTP_S,
            registry=registry,
        )
        self._webhooks = Counter(
            "relay_webhooks", "Webhooks of carriers", ["provider", "kind", "verdict"], registry=registry
        )
        self._upgrades = Counter(
            "relay_media_upgrades", "Media WebSocket upgrades", ["provider", "verdict"], registry=registry
        )
        self._carrier_s = Histogram(
            "relay_carrier_request_seconds",
            "Requests to carriers",
            ["provider", "operation", "outcome"],
            buckets=_REST_S,
            registry=registry,
        )
        self._faults = Counter("relay_bridge_faults", "What went wrong on bridges", ["kind"], registry=registry)
        self._wait_ms = Histogram(
            "relay_agent_to_room_wait_milliseconds",
            "p99 of each second, socket to room, jitter buffer included",
            buckets=_DELAYS_MS,
            registry=registry,
        )
        self._refused = Counter(
            "relay_admission_refused", "Transfers refused for want of machine", ["shortage"], registry=registry
        )
        self._requested_s: dict[str, float] = {}
        self._faults_seen: dict[str, Mapping[str, int]] = {}

    def render(self) -> bytes:
        """All of them, in Prometheus' text format."""
        return generate_latest(self.registry)

    def watch(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        """Report ``value()`` as a gauge, whenever somebody asks."""
        Gauge(name, help_text, registry=self.registry).set_function(value)

    def changed(self, transfer: Transfer) -> None:
        """Count a new version of a transfer; the id is only to tell transfers apart."""
        # Not from the record's own times: while the store is away it has none, and is joined all the same.
        if transfer.state is State.REQUESTED:
            self._requested_s[transfer.transfer_id] = self._now_s()
        elif transfer.state is State.JOINED or transfer.is_terminal:
            requested_s = self._requested_s.pop(transfer.transfer_id, None)
            if requested_s is not None and transfer.state is State.JOINED:
                self._joined_s.labels(transfer.provider).observe(self._now_s() - requested_s)
        if transfer.is_terminal:
            reason = transfer.reason.value if transfer.reason is not None else ""
            self._ended.labels(transfer.provider, transfer.state.value, reason).inc()

    def http(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one HTTP request by its route's template."""
        self._http_s.labels(method, route, str(status)).observe(seconds)

    def webhook(self, provider: str, kind: str, verdict: str) -> None:
        """Count one webhook of a configured carrier."""
        self._webhooks.labels(provider, kind, verdict).inc()

    def upgrade(self, provider: str, verdict: str) -> None:
        """Count one WebSocket upgrade."""
        self._upgrades.labels(provider, verdict).inc()

    def carrier(self, provider: str, operation: str, outcome: str, seconds: float) -> None:
        """Count one request to a carrier."""
        self._carrier_s.labels(provider, operation, outcome).observe(seconds)

    def refused(self, shortage: str) -> None:
        """Count one shortage that a transfer was refused for."""
        self._refused.labels(shortage).inc()

    def bridge(self, transfer_id: str, stats: BridgeStats) -> None:
        """Count what a bridge reports once a second; the id is only to tell bridges apart."""
        self._count_faults(transfer_id, stats)
        if stats.joined and stats.agent_to_room is not None:
            self._wait_ms.observe(stats.agent_to_room.wait.p99_ms)

    def bridge_ended(self, transfer_id: str, stats: BridgeStats) -> None:
        """Count what went wrong since its last report, and forget it."""
        self._count_faults(transfer_id, stats)
        del self._faults_seen[transfer_id]

    def _count_faults(self, transfer_id: str, stats: BridgeStats) -> None:
        seen = self._faults_seen.get(transfer_id, {})
        for kind, count in stats.faults.items():
            self._faults.labels(kind).inc(max(count - seen.get(kind, 0), 0))
        self._faults_seen[transfer_id] = dict(stats.faults)
