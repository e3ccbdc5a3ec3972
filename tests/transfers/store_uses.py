"""Every way to use a store, for tests of what may happen to any of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from relay.transfers.states import Event
from relay.transfers.store import TransferStore
from tests.transfers.stores import new_transfer

Use = Callable[[TransferStore, str], Awaitable[object]]
USES: dict[str, Use] = {
    "create": lambda store, _: store.create(new_transfer()),
    "apply": lambda store, transfer_id: store.apply(transfer_id, Event.DIALED, epoch=1),
    "get": lambda store, transfer_id: store.get(transfer_id),
    "recent": lambda store, _: store.recent(5),
    "events": lambda store, transfer_id: store.events(transfer_id),
    "wait": lambda store, transfer_id: store.wait(transfer_id, lambda _: True, timeout_s=5),
    "mint": lambda store, transfer_id: store.mint(transfer_id, epoch=1, stream=0, token_sha256="", ttl_s=30),
    "consume": lambda store, transfer_id: store.consume(transfer_id, token_sha256=""),
    "claim_request": lambda store, one: store.claim_request("k", fingerprint="f", transfer_id=one, ttl_s=30),
    "release_request": lambda store, one: store.release_request("k", transfer_id=one),
    "claim_room": lambda store, one: store.claim_room("r", transfer_id=one, ttl_s=30),
    "take_over_room": lambda store, one: store.take_over_room("r", holder=one, transfer_id=one, ttl_s=30),
    "release_room": lambda store, one: store.release_room("r", transfer_id=one, node="n"),
    "take_allowance": lambda store, _: store.take_allowance("a", per_minute=10, per_day=10),
    "give_allowance_back": lambda store, _: store.give_allowance_back("a", attempt="1"),
    "leases.renew": lambda store, _: store.leases.renew("n"),
    "leases.dead": lambda store, _: store.leases.dead(["n"]),
    "leases.in_hand": lambda store, _: store.leases.in_hand("n"),
    "leases.strike_off": lambda store, one: store.leases.strike_off("n", [one]),
    "leases.end": lambda store, _: store.leases.end("n"),
}
