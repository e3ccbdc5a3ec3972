"""A stream that opens when nobody wants its call any longer: for some carriers only its end ends the call (S2)."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest

from relay.app import media_upgrade
from relay.providers.telnyx import TelnyxAdapter
from relay.transfers.record import new_transfer_id
from tests.app.conftest import RunServed
from tests.app.made_up_control import MadeUpControl
from tests.app.served import Served
from tests.app.test_media_upgrade import verdicts
from tests.app.test_other_carriers import AUTHORIZED, CALL, TOKEN, dialled, using
from tests.threats.raw import connected, status_of, upgrade

CLOSE_1000 = b"\x88\x02\x03\xe8"
OTHERS = ("Authorization", "Basic another")


def target(transfer_id: str, token: str = TOKEN) -> str:
    return f"/carriers/twilio/{transfer_id}/media/{token}"


def port_of(served: Served) -> int:
    return urlsplit(served.base_url).port or 0


async def is_dismissed(served: Served, transfer_id: str, token: str = TOKEN) -> bool:
    """Whether the carrier is let in, and told at once that it is over; nothing of it gets to a bridge."""
    async with asyncio.timeout(10), connected(port_of(served)) as carrier:
        carrier.send(upgrade(target(transfer_id, token), AUTHORIZED))
        status = await carrier.status()
        if status == 101:
            carrier.send(b"\x88\x82" + bytes(4) + b"\x03\xe8")
            assert await carrier.rest() == CLOSE_1000
        assert [bridge.handed for bridge in served.bridges.made] == [[] for _ in served.bridges.made]
        return status == 101


async def is_refused(
    served: Served, transfer_id: str, token: str = TOKEN, credentials: tuple[str, str] = OTHERS
) -> bool:
    return await status_of(port_of(served), upgrade(target(transfer_id, token), credentials)) == 403


def test_stream_of_a_transfer_that_is_closing_is_let_in_and_closed(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        using(served, MadeUpControl(opens_stream="dial"))
        transfer_id = await dialled(served)
        token = served.carrier.dials[0].media_token or ""
        served.carrier.may_hang_up.clear()
        await served.ask("DELETE", f"/v1/transfers/{transfer_id}")
        await served.carrier.until(lambda carrier: carrier.hang_ups == [CALL])
        assert await is_dismissed(served, transfer_id, token)
        assert await is_refused(served, transfer_id, token)
        assert verdicts(served) == {("twilio", "dismissed"): 1, ("twilio", "forged"): 1}
        served.carrier.may_hang_up.set()

    run_served(scenario)


def test_stream_that_was_being_looked_at_as_the_transfer_ended_is_let_in_and_closed(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        using(served, MadeUpControl(opens_stream="dial"))
        transfer_id = await dialled(served)
        token = served.carrier.dials[0].media_token or ""
        served.store.may_consume.clear()
        coming = asyncio.create_task(is_dismissed(served, transfer_id, token))
        await served.store.until_consuming(1)
        await served.ask("DELETE", f"/v1/transfers/{transfer_id}")
        served.store.may_consume.set()
        assert await coming

    run_served(scenario)


def test_stream_of_a_transfer_that_is_over_is_let_in_and_closed(run_served: RunServed) -> None:
    """That of a process before this one, too, whose tokens nobody knows any longer: the credentials are good."""

    async def scenario(served: Served) -> None:
        using(served, MadeUpControl(opens_stream="dial"))
        over = await dialled(served)
        await served.ask("DELETE", f"/v1/transfers/{over}")
        await served.carrier.until(lambda carrier: carrier.alive == {})
        for transfer_id in (over, new_transfer_id(1, b"0123456789")):
            assert await is_dismissed(served, transfer_id)
            assert await is_refused(served, transfer_id)

    run_served(scenario)


def test_stream_that_could_not_be_dismissed_is_answered_and_counted_as_such(
    run_served: RunServed, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(served: Served) -> None:
        using(served, MadeUpControl(opens_stream="dial"))
        over = await dialled(served)
        await served.ask("DELETE", f"/v1/transfers/{over}")
        await served.carrier.until(lambda carrier: carrier.alive == {})
        monkeypatch.setattr(media_upgrade, "MediaDismissal", None)
        assert await status_of(port_of(served), upgrade(target(over), AUTHORIZED)) == 500
        assert verdicts(served) == {("twilio", "broke"): 1}

    run_served(scenario)


def test_stranger_at_a_transfer_that_goes_on_is_refused(run_served: RunServed) -> None:
    async def scenario(served: Served) -> None:
        using(served, MadeUpControl(opens_stream="dial"))
        transfer_id = await dialled(served)
        assert await is_refused(served, transfer_id, credentials=AUTHORIZED)  # with a token that is none
        assert await is_refused(served, transfer_id, served.carrier.dials[0].media_token or "")
        assert served.carrier.alive.keys() == {CALL}

    run_served(scenario)


@pytest.mark.parametrize("what", ["asks for a document", "goes on without a stream"])
def test_stream_of_a_carrier_that_can_be_told_otherwise_is_refused(
    run_served: RunServed, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(served: Served) -> None:
        control = using(served, MadeUpControl(opens_stream="answer" if what == "asks for a document" else "dial"))
        if what == "goes on without a stream":
            monkeypatch.setattr(control, "media_adapter", TelnyxAdapter)
        transfer_id = await dialled(served)
        await served.ask("DELETE", f"/v1/transfers/{transfer_id}")
        await served.carrier.until(lambda carrier: carrier.alive == {})
        assert await is_refused(served, transfer_id, credentials=AUTHORIZED)

    run_served(scenario)
