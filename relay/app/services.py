"""What the routes of the service work with, made once at its start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from relay.app.admission import Admission
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
    parts: Mapping[str, Callable[[], bool]] = field(default_factory=dict)
    """What else has to be well for the service to be ready, by the names that ``/readyz`` has for it."""
