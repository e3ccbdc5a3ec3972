"""Relay and a simulated Asterisk: a real coordinator, a real store, real connections for requests and events."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvloop
from structlog.testing import capture_logs

from relay.app.ari import AriAccount
from relay.app.carrier_urls import CarrierUrls
from relay.app.carriers import CarrierAccount, carrier_session
from relay.app.metrics import Metrics
from relay.app.numbers import NumberPolicy
from relay.app.room_urls import RoomPolicy
from relay.app.services import Services
from relay.dev.until import Changes
from relay.providers.asterisk_control import AsteriskControl
from relay.transfers.coordinator import Caller, Coordinator
from relay.transfers.coordinator_settings import CoordinatorSettings
from relay.transfers.course_settings import CourseSettings
from relay.transfers.record import Transfer
from relay.transfers.states import State
from relay.transfers.store import TransferStore
from tests.app.served import settings_with
from tests.app.simulated_ari import MEDIA_PASSWORD, MEDIA_USER, PASSWORD, USER, SimulatedAri
from tests.transfers.coordinated import order_for
from tests.transfers.simulated import SimulatedBridges

TEST_MAX_S = 30.0
RECONNECT_S = (0.01,)
STRANGER = "tr_" + "9" * 32


@dataclass
class Case:
    """One relay and the Asterisk that it calls through."""

    ari: SimulatedAri
    account: AriAccount
    coordinator: Coordinator
    services: Services
    bridges: SimulatedBridges
    logs: Sequence[Any]
    latest: dict[str, Transfer] = field(default_factory=dict)
    changes: Changes = field(default_factory=Changes)

    async def request(self, **order: Any) -> str:
        made = await self.coordinator.request(order_for(provider="asterisk", **order), Caller(allowance="bot"))
        return made.transfer.transfer_id

    async def dialled(self, **order: Any) -> str:
        """A transfer whose call Asterisk has."""
        transfer_id = await self.request(**order)
        await self.ari.until(lambda ari: transfer_id in ari.channels, "a dial")
        return transfer_id

    async def answered(self, **order: Any) -> str:
        """A transfer whose phone has been answered, and is in one bridge with its media."""
        call_id = await self.dialled(**order)
        await self.ari.answer(call_id)
        await self.until_together(call_id)
        return call_id

    async def until_together(self, call_id: str) -> None:
        """The call is in one bridge with its media."""
        await self.ari.until(lambda ari: ari.bridges.get(f"{call_id}-bridge") == [call_id, f"{call_id}-media"])

    async def joined(self, **order: Any) -> str:
        call_id = await self.answered(**order)
        assert await self.coordinator.admits(call_id, "asterisk", self.token(call_id))
        self.bridges.of(call_id).connect(call_id)
        await self.until_state(call_id, State.JOINED)
        return call_id

    async def another_node_s(self, call_id: str = STRANGER, *, is_alive: bool = True) -> str:
        """A transfer that another relay has begun, with the same store."""
        store = self.services.store
        if is_alive:
            await store.leases.renew("n2")
        await store.create(Transfer.of(order_for(provider="asterisk"), call_id, owner="n2"))
        return call_id

    def token(self, call_id: str) -> str:
        """The last that Asterisk was given for a call's media."""
        asked = [each for each in self.ari.asked("POST", "channels/externalMedia") if call_id in each["channelId"]]
        return asked[-1]["transport_data"].removeprefix(f"f(json)v(transfer={call_id},token=").removesuffix(")")

    async def until_state(self, transfer_id: str, state: State) -> Transfer:
        await self.changes.until(
            lambda: transfer_id in self.latest and self.latest[transfer_id].state is state,
            state,
            timeout_s=10,
        )
        return self.latest[transfer_id]

    async def until_nothing_left(self) -> None:
        await self.ari.until(lambda ari: not ari.channels and not ari.bridges, "no channel and no bridge")

    def logged(self, what: str) -> list[Any]:
        return [each for each in self.logs if each["event"] == what]


def run_case(
    scenario: Callable[[Case], Awaitable[None]], store_url: str, *, is_heard: bool = True, **account: str
) -> None:
    """Run it with a relay that hears events, unless it is not to wait for that; see that nothing is left of it."""

    async def whole() -> None:
        with capture_logs() as logs:
            async with asyncio.timeout(TEST_MAX_S), standing(store_url, logs, **account) as case:
                if is_heard:
                    await case.account.until_heard()
                await scenario(case)
        assert case.bridges.taken == []
        assert case.ari.channels == {}, case.ari.channels
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(whole())


@asynccontextmanager
async def standing(store_url: str, logs: Sequence[Any], **account: str) -> AsyncIterator[Case]:
    metrics, urls, bridges = Metrics(), CarrierUrls("https://relay.example.com"), SimulatedBridges()
    async with SimulatedAri() as ari, carrier_session() as session:
        store = TransferStore(store_url, prefix=uuid.uuid4().hex)
        await store.open()
        given = {
            "ari_url": ari.url,
            "ari_user": USER,
            "ari_password": PASSWORD,
            "app": "relay",
            "endpoint": "PJSIP/{number}@trunk",
            "websocket_client": "relay",
            "media_user": MEDIA_USER,
            "media_password": MEDIA_PASSWORD,
        }
        control = AsteriskControl(**(given | account))
        plain = CarrierAccount(control, session, urls, metrics=metrics, timeout_s=2.0)
        carrier = AriAccount(control, plain, session, urls, reconnect_s=RECONNECT_S)
        case: Case

        def note(transfer: Transfer) -> None:
            case.latest[transfer.transfer_id] = transfer
            case.changes.changed()

        coordinator = Coordinator(
            store,
            bridges,
            {"asterisk": carrier},
            node_id="n1",
            settings=CoordinatorSettings(course=CourseSettings()),
            on_change=note,
        )
        settings = settings_with()
        services = Services(
            settings=settings,
            store=store,
            coordinator=coordinator,
            controls={"asterisk": control},
            urls=urls,
            rooms=RoomPolicy(settings.daily_domains, settings.local_rooms),
            numbers=NumberPolicy(settings.allowed_numbers, settings.denied_numbers),
            metrics=metrics,
        )
        case = Case(ari, carrier, coordinator, services, bridges, logs)
        async with carrier.listening(coordinator):
            yield case
            ari.may_answer.set()
            ari.statuses.clear()
            await coordinator.shut_down(drain_timeout_s=0)
        await store.close()
