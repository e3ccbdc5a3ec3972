"""Keys for the agent's phone: when they are sent, which way, and what there is to say when they are not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import pytest

from relay.errors import CarrierFailed, DigitsInProgress, DigitsRefused, NotJoined
from relay.transfers.digits import send_digits
from relay.transfers.ports import DigitsWay, MediaBack, MediaLost
from relay.transfers.states import State
from tests.transfers.coordinated import TIMEOUT_S, Case, coordinated
from tests.transfers.test_other_nodes import orphan

PIN = "2468"


@asynccontextmanager
async def reached(store_url: str, state: State = State.JOINED) -> AsyncIterator[tuple[Case, str]]:
    """A transfer that is as far as that, and ended after the block."""
    async with coordinated(store_url) as case:
        transfer_id = await case.reach(state)
        yield case, transfer_id
        await case.coordinator.cancel(transfer_id)


async def refused(case: Case, transfer_id: str, error: type[Exception], says: str, digits: str = PIN) -> None:
    with pytest.raises(error, match=says) as caught:
        await case.coordinator.send_digits(transfer_id, digits)
    assert digits not in str(caught.value)
    assert (case.bridge(transfer_id).digits, case.carrier.digits) == ([], [])


async def test_t13_keys_go_over_the_stream_and_into_no_log(store_url: str) -> None:
    async with reached(store_url) as (case, transfer_id):
        sent_for = await case.coordinator.send_digits(transfer_id, PIN)
        assert sent_for is not None
        assert sent_for.transfer_id == transfer_id
        assert (case.bridge(transfer_id).digits, case.carrier.digits) == ([PIN], [])
        assert not any(PIN in str(log) for log in case.logs)


async def test_keys_go_by_rest_where_it_has_them_there(store_url: str) -> None:
    async with reached(store_url) as (case, transfer_id):
        case.carrier.sends_digits = "rest"
        await case.coordinator.send_digits(transfer_id, PIN)
        assert (case.bridge(transfer_id).digits, case.carrier.digits) == ([], [(case.call_of(transfer_id), PIN)])


async def test_a_carrier_that_does_not_take_them_is_told_of(store_url: str) -> None:
    async with reached(store_url) as (case, transfer_id):
        case.carrier.sends_digits, case.carrier.takes_digits = "rest", False
        with pytest.raises(CarrierFailed, match=r"^expected twilio to take the keys"):
            await case.coordinator.send_digits(transfer_id, PIN)


@pytest.mark.parametrize("state", [State.DIALING, State.RINGING, State.ANSWERED])
async def test_before_both_hear_each_other_nobody_is_there_for_them(store_url: str, state: State) -> None:
    async with reached(store_url, state) as (case, transfer_id):
        await refused(case, transfer_id, NotJoined, f"^expected a transfer that is joined, got one that is {state}$")


async def test_nor_is_anybody_when_it_is_over(store_url: str) -> None:
    async with reached(store_url) as (case, transfer_id):
        await case.coordinator.cancel(transfer_id)
        await refused(case, transfer_id, NotJoined, "got one that is disconnected$")


async def test_nor_while_the_stream_is_lost(store_url: str) -> None:
    async with reached(store_url) as (case, transfer_id):
        case.bridge(transfer_id).emit(MediaLost("reset"))
        await case.until(lambda: case.latest[transfer_id].reconnecting, "reconnecting")
        await refused(case, transfer_id, NotJoined, "got one that is reconnecting$")
        case.bridge(transfer_id).emit(MediaBack())
        await case.until(lambda: not case.latest[transfer_id].reconnecting, "media back")
        await case.coordinator.send_digits(transfer_id, PIN)
        assert case.bridge(transfer_id).digits == [PIN]


async def test_keys_for_which_the_bridge_has_no_stream_are_not_said_to_be_sent(store_url: str) -> None:
    async with reached(store_url) as (case, transfer_id):
        case.bridge(transfer_id).has_stream = False
        await refused(case, transfer_id, NotJoined, "^expected a call that has a stream, got one without$")


async def test_keys_that_the_carrier_does_not_have_are_refused(store_url: str) -> None:
    async with reached(store_url) as (case, transfer_id):
        says = r"^expected some of 0123456789\*#, got 4 keys for twilio$"
        await refused(case, transfer_id, DigitsRefused, says, digits="12wA")


async def test_of_what_does_not_exist_nothing_is_sent(store_url: str) -> None:
    async with coordinated(store_url) as case:
        assert await case.coordinator.send_digits("tr_" + "0" * 32, PIN) is None


@pytest.mark.parametrize("way", ["rest", "stream"])
async def test_another_nodes_call_is_sent_none_as_it_may_be_sending_others(store_url: str, way: DigitsWay) -> None:
    async with coordinated(store_url) as case:
        transfer_id = await orphan(case, State.JOINED)
        case.carrier.sends_digits = way
        with pytest.raises(NotJoined, match=r"^expected the node that has the call, got another$"):
            await case.coordinator.send_digits(transfer_id, PIN)
        assert case.carrier.digits == []
        await case.coordinator.cancel(transfer_id)


async def test_keys_do_not_come_between_others(store_url: str) -> None:
    async with reached(store_url) as (case, transfer_id):
        case.carrier.sends_digits = "rest"
        case.carrier.may_send_digits.clear()
        first = asyncio.create_task(case.coordinator.send_digits(transfer_id, PIN))
        await case.carrier.until(lambda carrier: bool(carrier.digits))
        with pytest.raises(DigitsInProgress):
            await case.coordinator.send_digits(transfer_id, "5")
        case.carrier.may_send_digits.set()
        await first
        await case.coordinator.send_digits(transfer_id, "5")
        assert [digits for _, digits in case.carrier.digits] == [PIN, "5"]


async def test_keys_are_sent_no_longer_than_who_asked_may_wait(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relay.transfers.digits.SENDING_MAX_S", 0.05)
    async with reached(store_url) as (case, transfer_id):
        case.carrier.sends_digits = "rest"
        case.carrier.may_send_digits.clear()
        async with asyncio.timeout(TIMEOUT_S):
            with pytest.raises(CarrierFailed, match=r"^expected twilio to take the keys"):
                await case.coordinator.send_digits(transfer_id, PIN)
            case.carrier.may_send_digits.set()
            await case.coordinator.send_digits(transfer_id, PIN)


async def test_none_is_sent_when_the_transfer_ends_meanwhile(store_url: str) -> None:
    async with reached(store_url) as (case, transfer_id):
        case.carrier.sends_digits = "rest"
        case.carrier.may_send_digits.clear()
        sending = asyncio.create_task(case.coordinator.send_digits(transfer_id, PIN))
        await case.carrier.until(lambda carrier: bool(carrier.digits))
        await case.coordinator.cancel(transfer_id)
        case.carrier.may_send_digits.set()
        with pytest.raises(NotJoined, match=r"^expected a transfer that is joined until all keys are sent"):
            await sending


async def test_none_is_sent_from_when_it_begins_to_end(store_url: str) -> None:
    looked = []

    class Gate(asyncio.Event):
        async def wait(self) -> Literal[True]:
            looked.append((case.latest[transfer_id].state, case.carrier.goes_on()))
            return True

    async with reached(store_url) as (case, transfer_id):
        case.carrier.sends_digits = "rest"
        await case.coordinator.send_digits(transfer_id, PIN)
        assert case.carrier.goes_on()
        case.bridge(transfer_id).may_release = Gate()
        await case.coordinator.cancel(transfer_id)
        await case.bridge(transfer_id).until(lambda bridge: bridge.is_given_back)
        assert looked == [(State.JOINED, False)], "the store has not been told yet"


async def test_nor_while_it_is_ending(store_url: str) -> None:
    async with reached(store_url) as (case, transfer_id):
        case.bridge(transfer_id).may_release.clear()
        ending = asyncio.create_task(case.coordinator.cancel(transfer_id))
        await case.bridge(transfer_id).until(lambda bridge: bridge.released is not None)
        await refused(case, transfer_id, NotJoined, "^expected a transfer that is joined, got one that is ")
        case.bridge(transfer_id).may_release.set()
        await ending


async def test_a_carrier_that_is_not_configured_here_sends_none(store_url: str) -> None:
    async with reached(store_url) as (case, transfer_id):
        with pytest.raises(DigitsRefused, match=r"^expected a carrier that is configured here, got another$"):
            await send_digits(PIN, case.latest[transfer_id], carrier=None, live=None)
        assert case.bridge(transfer_id).digits == []
