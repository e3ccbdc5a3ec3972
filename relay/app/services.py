"""What the routes of the service work with, made once at its start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from relay.app.admission import Admission
from relay.app.ari import AriAccount
from relay.app.bridging import Bridging
from relay.app.carrier_urls import CarrierUrls
from relay.app.metrics import Metrics
from relay.app.numbers import NumberPolicy
from relay.app.room_urls import RoomPolicy
from relay.app.settings import Settings
from relay.providers.control import CarrierControl
from relay.transfers.coordinator import Coordinator
from relay.transfers.store import TransferStore


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a route may need."""

    settings: Settings
    store: TransferStore
    coordinator: Coordinator
    controls: Mapping[str, CarrierControl]
    """The carriers that are configured, by name."""
    urls: CarrierUrls
    rooms: RoomPolicy
    numbers: NumberPolicy
    metrics: Metrics
    admission: Admission = field(default_factory=Admission)
    """Whether there is room for one more; without readings there is."""
    bridging: Bridging | None = None
    """What carries calls, where that is workers."""
    asterisk: AriAccount | None = None
    """Where it is the only carrier: nothing can be dialled unless it is heard."""
